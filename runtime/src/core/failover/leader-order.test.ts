import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Topology, topologySchema } from '../../contract/cluster-config.ts';
import { configuredLeader, leaderOrder } from './leader-order.ts';

const SET = 'dddddddd-dddd-4ddd-addd-dddddddddddd';
const OTHER = 'eeeeeeee-eeee-4eee-aeee-eeeeeeeeeeee';

function uuid(letter: string): string {
  return 'xxxxxxxx-xxxx-4xxx-axxx-xxxxxxxxxxxx'.replaceAll('x', letter);
}

/** `a !b ~c -d @e`: b is disabled, c not electable, d expelled, e of another replica set. */
function topology(members: string, priority: string): Topology {
  const servers = members.split(' ').map((text): [string, unknown] => {
    const letter = text.at(-1) ?? '';
    const server = {
      uri: `${letter}:1`,
      http_uri: `${letter}:2`,
      alias: letter,
      replicaset_uuid: text.startsWith('@') ? OTHER : SET,
      disabled: text.startsWith('!'),
      electable: !text.startsWith('~'),
    };
    return [uuid(letter), text.startsWith('-') ? 'expelled' : server];
  });
  const set = { alias: 'set', failover_priority: priority.split('').map(uuid) };
  return topologySchema.parse({
    servers: Object.fromEntries(servers),
    replicasets: { [SET]: set },
  });
}

const letterOf = (id: string | undefined): string => id?.[0] ?? 'nobody';

describe('leaderOrder', () => {
  const cases: readonly {
    readonly name: string;
    readonly members: string;
    readonly priority: string;
    readonly order: string;
    readonly leader: string;
  }[] = [
    { name: 'follows the priority', members: 'a b c', priority: 'cab', order: 'cab', leader: 'c' },
    {
      name: 'puts those without a priority last, by UUID',
      members: 'c b a f',
      priority: 'f',
      order: 'fabc',
      leader: 'f',
    },
    {
      name: 'leaves out who is expelled or elsewhere, whatever the priority says',
      members: '-a @b c',
      priority: 'abc',
      order: 'c',
      leader: 'c',
    },
    {
      name: 'lets the first lead that may',
      members: '!a ~b c',
      priority: 'abc',
      order: 'abc',
      leader: 'c',
    },
    {
      name: 'has no leader where nobody may',
      members: '!a ~b',
      priority: 'ab',
      order: 'ab',
      leader: 'nobody',
    },
  ];

  for (const { name, members, priority, order, leader } of cases) {
    it(name, () => {
      const given = topology(members, priority);
      const got = leaderOrder(given, SET).map((candidate) => letterOf(candidate.uuid));
      assert.deepEqual([got.join(''), letterOf(configuredLeader(given, SET))], [order, leader]);
    });
  }

  it('says of each whether it may lead', () => {
    assert.deepEqual(leaderOrder(topology('!a ~b c', 'abc'), SET), [
      { uuid: uuid('a'), electable: true, disabled: true },
      { uuid: uuid('b'), electable: false, disabled: false },
      { uuid: uuid('c'), electable: true, disabled: false },
    ]);
  });

  it('is empty for a replica set that is not there', () => {
    assert.deepEqual(leaderOrder(topology('a', 'a'), uuid('f')), []);
  });
});
