import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Topology, topologySchema } from '../contract/cluster-config.ts';
import { ClusterError } from '../core/errors.ts';
import { silentLogger } from '../foundation/logger.ts';
import { defineRole } from '../role/define-role.ts';
import type { RoleContext, RpcCallOptions } from '../role/role-context.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { RoleHost } from './role-host.ts';
import { RpcService } from './rpc-service.ts';

const SET_APP = '00000000-0000-4000-8000-0000000000aa';
const SET_OTHER = '00000000-0000-4000-8000-0000000000bb';

function uuid(letter: string): string {
  return 'xxxxxxxx-xxxx-4xxx-axxx-xxxxxxxxxxxx'.replaceAll('x', letter);
}

/** `a !b -c @d`: b is disabled, c expelled, d in a replica set without the role. */
function topology(members: string): Topology {
  const servers = members.split(' ').map((text): [string, unknown] => {
    const letter = text.at(-1) ?? '';
    const server = {
      uri: `${letter}:1`,
      http_uri: `${letter}:2`,
      alias: letter,
      replicaset_uuid: text.startsWith('@') ? SET_OTHER : SET_APP,
      disabled: text.startsWith('!'),
    };
    return [uuid(letter), text.startsWith('-') ? 'expelled' : server];
  });
  return topologySchema.parse({
    servers: Object.fromEntries(servers),
    replicasets: {
      [SET_APP]: { alias: 'app', roles: ['outer'], failover_priority: [] },
      [SET_OTHER]: { alias: 'other', roles: ['else'], failover_priority: [] },
    },
  });
}

interface Call {
  readonly members: string;
  readonly own: string;
  readonly leader?: string;
  readonly options?: RpcCallOptions;
}

/** Where the call went: `here`, an address with its time, or the code of the refusal. */
async function call({ members, own, leader, options = {} }: Call): Promise<string> {
  const roles = new RoleHost({
    roles: [
      // What a replica set asks for brings the roles that it depends on.
      defineRole({ name: 'outer', dependencies: ['app'] }),
      defineRole({ name: 'app', rpc: { where: (_context, word: string) => `here, ${word}` } }),
      defineRole({ name: 'else' }),
    ],
    clock: new SimulatedClock(),
    logger: silentLogger,
    makeContext: (scope) => ({ signal: scope.signal }) as RoleContext,
  });
  await roles.apply({ sections: {}, asked: ['outer'], isLeader: false });
  const service = new RpcService({
    ownUuid: uuid(own),
    roles: () => roles,
    topology: () => topology(members),
    leaderOf: () => (leader === undefined ? undefined : { uuid: uuid(leader) }),
    peers: {
      call: async (address, method, body, { timeoutMs }) => {
        assert.deepEqual([method, body], ['rpc.call', { role: 'app', fn: 'where', args: ['x'] }]);
        return `${address} within ${timeoutMs}`;
      },
    },
  });
  try {
    return (await service.call('app', 'where', ['x'], options)) as string;
  } catch (error) {
    assert.ok(error instanceof ClusterError);
    return `${error.code}: ${error.message}`;
  }
}

const nobody = 'ROLE_UNKNOWN: No enabled instance';

describe('RpcService', () => {
  const cases: readonly (readonly [string, Call, string])[] = [
    ['stays here where the role runs', { members: 'a b', own: 'b' }, 'here, x'],
    ['goes to the first that has the role', { members: '@a b c', own: 'a' }, 'b:2 within 5000'],
    [
      'passes over instances that are disabled or expelled',
      { members: '!a -b c @d', own: 'd' },
      'c:2 within 5000',
    ],
    [
      'goes elsewhere when asked to, within the given time',
      { members: 'a b', own: 'a', options: { preferLocal: false, timeoutMs: 100 } },
      'b:2 within 100',
    ],
    [
      'comes back here when there is nowhere else',
      { members: 'a @b', own: 'a', options: { preferLocal: false } },
      'a:2 within 5000',
    ],
    [
      'goes to the leader when asked to',
      { members: 'a b', own: 'a', leader: 'b', options: { leaderOnly: true } },
      'b:2 within 5000',
    ],
    [
      'stays here when this is the leader',
      { members: 'a b', own: 'a', leader: 'a', options: { leaderOnly: true } },
      'here, x',
    ],
    [
      'says that nobody leads',
      { members: 'a b', own: 'a', options: { leaderOnly: true } },
      `${nobody} leads a replica set with role "app".`,
    ],
    ['says that nobody has the role', { members: '@a !b', own: 'a' }, `${nobody} runs role "app".`],
  ];
  for (const [name, given, want] of cases) {
    it(name, async () => assert.equal(await call(given), want));
  }
});
