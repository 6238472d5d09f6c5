import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClusterConfig, VshardGroups } from '../contract/cluster-config.ts';
import type { ConfigPatch } from '../contract/two-phase.ts';
import { buildConfig } from '../core/config/apply-patch.ts';
import { ClusterError } from '../core/errors.ts';
import { silentLogger } from '../foundation/logger.ts';
import type { RoleContext } from '../role/role-context.ts';
import { EngineStorage } from '../testing/engine-storage.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { makeRoleContext } from './role-contexts.ts';
import { type BucketCall, RouterService } from './router-service.ts';

const SET_A = '00000000-0000-4000-8000-00000000000a';
const SET_B = '00000000-0000-4000-8000-00000000000b';
const GROUPS: VshardGroups = {
  default: {
    bucket_count: 10,
    bootstrapped: true,
    assignment: [
      { replicaset_uuid: SET_A, first: 1, last: 5 },
      { replicaset_uuid: SET_B, first: 6, last: 10 },
    ],
  },
};

class Fixture {
  storage = new EngineStorage();
  readonly sent: unknown[] = [];
  readonly patches: unknown[] = [];
  config: ClusterConfig | undefined;

  context(role = 'app.roles.api'): RoleContext {
    const router = new RouterService({
      clock: new SimulatedClock(),
      groups: () => GROUPS,
      topology: () => ({
        servers: {
          [SET_A]: serverOf('a', SET_A),
          [SET_B]: serverOf('b', SET_B),
        },
        replicasets: {},
        failover: {} as never,
      }),
      leaderOf: (uuid) => ({ uuid, term: 1 }),
      peers: {
        call: async (address, _method, body) => {
          const { bucketId, mode, role: of, fn, args } = body as BucketCall;
          this.sent.push([address, bucketId, mode, of, fn, args]);
          return `from ${address}`;
        },
      },
    });
    return makeRoleContext(
      {
        instance: { uuid: SET_A, name: 'a', replicaSetUuid: SET_A },
        storage: this.storage,
        router,
        config: () => this.config,
        patchConfig: async (patch: ConfigPatch, message) => this.patches.push([patch, message]),
        rpcCall: async (...call) => call,
      },
      {
        role,
        logger: silentLogger,
        signal: new AbortController().signal,
        registerHttp: () => undefined,
      },
    );
  }
}

function serverOf(name: string, replicaSetUuid: string) {
  return {
    uri: `${name}:1`,
    http_uri: `${name}:2`,
    alias: name,
    replicaset_uuid: replicaSetUuid,
    disabled: false,
    electable: true,
    labels: {},
  };
}

describe('the context of a role, vshard', () => {
  it('sends a call to the owner of its bucket, split into role and function', async () => {
    const fixture = new Fixture();
    const { vshard } = fixture.context();
    await vshard.callrw(1, 'app.roles.storage.add', ['x']);
    await vshard.callro(10, 'storage.find', []);
    assert.deepEqual(fixture.sent, [
      ['a:2', 1, 'write', 'app.roles.storage', 'add', ['x']],
      ['b:2', 10, 'read', 'storage', 'find', []],
    ]);
  });

  it('asks every owner once, and tells the answers apart', async () => {
    const fixture = new Fixture();
    assert.deepEqual(
      await fixture.context().vshard.mapCallro('storage.count', [1]),
      new Map([
        [SET_A, 'from a:2'],
        [SET_B, 'from b:2'],
      ]),
    );
    assert.deepEqual(fixture.sent, [
      ['a:2', 0, 'read', 'storage', 'count', [1]],
      ['b:2', 0, 'read', 'storage', 'count', [1]],
    ]);
  });

  it('numbers buckets from 1 to their count', () => {
    const { vshard } = new Fixture().context();
    const ids = Array.from({ length: 200 }, (_, key) => vshard.bucketId(`key-${key}`));
    assert.equal(vshard.bucketCount, 10);
    assert.deepEqual([Math.min(...ids), Math.max(...ids)], [1, 10]);
  });

  for (const name of ['', 'add', '.add', 'storage.']) {
    it(`refuses ${JSON.stringify(name)} as the name of a function`, async () => {
      const fixture = new Fixture();
      const { vshard } = fixture.context();
      const refused = (error: unknown): boolean =>
        error instanceof ClusterError && error.code === 'REQUEST_INVALID' && error.field === 'fn';
      await assert.rejects(vshard.callrw(1, name, []), refused);
      await assert.rejects(vshard.callro(1, name, []), refused);
      await assert.rejects(vshard.mapCallro(name, []), refused);
      assert.deepEqual(fixture.sent, []);
    });
  }
});

describe('the context of a role, once', () => {
  it('runs what is to be done once in the life of a replica set', async () => {
    const fixture = new Fixture();
    let runs = 0;
    const work = async (): Promise<void> => void (runs += 1);
    await fixture.context().once('seed', work);
    await fixture.context().once('seed', work);
    assert.equal(runs, 1);
  });

  it('remembers it in the log, so that no later leader runs it again [REPL-06]', async () => {
    const fixture = new Fixture();
    const ran: string[] = [];
    await fixture.context().once('seed', async () => void ran.push('first leader'));
    fixture.storage = fixture.storage.follower();
    await fixture.context().once('seed', async () => void ran.push('second leader'));
    await fixture.context().once('more', async () => void ran.push('more'));
    assert.deepEqual(ran, ['first leader', 'more']);
  });

  it('runs it again after a failure', async () => {
    const context = new Fixture().context();
    await assert.rejects(
      context.once('seed', () => Promise.reject(new Error('no'))),
      /no/,
    );
    let runs = 0;
    await context.once('seed', async () => void (runs += 1));
    assert.equal(runs, 1);
  });

  it('is counted by role and key', async () => {
    const fixture = new Fixture();
    const ran: string[] = [];
    for (const role of ['a', 'b']) {
      for (const key of ['x', 'y']) {
        await fixture.context(role).once(key, async () => void ran.push(`${role}/${key}`));
      }
    }
    assert.deepEqual(ran, ['a/x', 'a/y', 'b/x', 'b/y']);
  });
});

describe('the context of a role, config', () => {
  it('gives a section that nobody can write to', () => {
    const fixture = new Fixture();
    const context = fixture.context();
    assert.equal(context.config.get('limits'), undefined);
    fixture.config = buildConfig(
      { limits: { list: [{ max: 1 }] } },
      {
        base: { version: 0, checksum: '' },
        changeId: '',
        clusterUuid: SET_A,
        author: '',
        message: '',
        time: '',
      },
    );
    const limits = context.config.get('limits') as { list: { max: number }[] };
    assert.deepEqual(limits, { list: [{ max: 1 }] });
    assert.throws(() => limits.list.push({ max: 2 }), TypeError);
    assert.throws(() => Object.assign(limits.list[0] ?? {}, { max: 2 }), TypeError);
    assert.equal(context.config.get('other'), undefined);
  });

  it('names the role as the one who changes the config, if nobody says more', async () => {
    const fixture = new Fixture();
    const { config } = fixture.context();
    await config.patch({ a: 1 });
    await config.patch({ a: null }, 'why');
    assert.deepEqual(fixture.patches, [
      [{ a: 1 }, 'changed by role app.roles.api'],
      [{ a: null }, 'why'],
    ]);
  });

  it('passes calls of peers on, with their options', async () => {
    const { rpc } = new Fixture().context();
    assert.deepEqual(
      [await rpc.call('r', 'f', [1]), await rpc.call('r', 'f', [1], { leaderOnly: true })],
      [
        ['r', 'f', [1], {}],
        ['r', 'f', [1], { leaderOnly: true }],
      ],
    );
  });
});
