/** Single stories of the real `ConfigService`, in the simulated world without faults but those of the story. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Topology, topologySchema } from '../../../runtime/src/contract/cluster-config.ts';
import type { Json } from '../../../runtime/src/contract/json.ts';
import { decisionSchema } from '../../../runtime/src/contract/provider-records.ts';
import type { ConfigPatch } from '../../../runtime/src/contract/two-phase.ts';
import { SAFE_RULES } from '../../../runtime/src/core/config/participant-state.ts';
import { topologyOf, toSection } from '../../../runtime/src/core/config/read-sections.ts';
import { ClusterError } from '../../../runtime/src/core/errors.ts';
import { expelInstance, joinInstance } from '../../../runtime/src/core/topology/edit-topology.ts';
import type { PatchOptions, PatchResult } from '../../../runtime/src/services/config-service.ts';
import { ConfigWorld, type SimulatedInstance } from './config-world.ts';

const REPLICA_SET = 'dddddddd-dddd-4ddd-addd-dddddddddddd';

class Story {
  readonly world: ConfigWorld;
  readonly instances: readonly SimulatedInstance[];

  private constructor(hasProvider: boolean) {
    const onFailure = (reason: string): never => assert.fail(reason);
    this.world = new ConfigWorld({ seed: 1, rules: SAFE_RULES, onFailure, instanceCount: 5 });
    this.instances = this.world.instances;
    this.#hasProvider = hasProvider;
  }

  readonly #hasProvider: boolean;

  /** All instances but the last are in the config. */
  static async bootstrapped(hasProvider = true): Promise<Story> {
    const story = new Story(hasProvider);
    await story.started();
    await story.patch(0, { topology: toSection(story.topologyOf(story.instances.slice(0, -1))) });
    return story;
  }

  static async unconfigured(): Promise<Story> {
    const story = new Story(true);
    await story.started();
    return story;
  }

  topologyOf(instances: readonly SimulatedInstance[]): Topology {
    const empty = topologySchema.parse({
      replicasets: { [REPLICA_SET]: { alias: 'one', failover_priority: [] } },
      failover: this.#hasProvider ? { state_provider: this.world.providerConfig } : {},
    });
    return instances.reduce((topology, one) => join(topology, one), empty);
  }

  get last(): SimulatedInstance {
    return this.at(this.instances.length - 1);
  }

  at(index: number): SimulatedInstance {
    return this.instances[index] ?? assert.fail(`no instance ${index}`);
  }

  /** The outcome of a change made at one instance; time runs until it has one. */
  async patch(
    index: number,
    patch: ConfigPatch,
    options: Partial<PatchOptions> = {},
  ): Promise<PatchResult> {
    const { service } = this.at(index);
    assert.ok(service !== undefined);
    const settled = new AbortController();
    const outcome = service
      .patch(patch, { author: 'test', message: 'story', ...options })
      .finally(() => settled.abort());
    outcome.catch(() => undefined);
    while (!settled.signal.aborted) await this.world.clock.next();
    return outcome;
  }

  async refusal(
    index: number,
    patch: ConfigPatch,
    options: Partial<PatchOptions> = {},
  ): Promise<ClusterError> {
    const outcome: unknown = await this.patch(index, patch, options).catch(
      (error: unknown) => error,
    );
    assert.ok(outcome instanceof ClusterError, 'the change is refused');
    return outcome;
  }

  async start(instance: SimulatedInstance): Promise<void> {
    const starting = instance.start();
    await this.world.clock.advance(100);
    await starting;
  }

  versions(): readonly number[] {
    return this.instances.map((instance) => instance.service?.active?.meta.version ?? 0);
  }

  async restartAll(): Promise<void> {
    for (const instance of this.instances) instance.kill();
    for (const instance of this.instances) await this.start(instance);
  }

  private async started(): Promise<void> {
    for (const instance of this.instances) await this.start(instance);
  }
}

function join(topology: Topology, instance: SimulatedInstance): Topology {
  const joined = joinInstance(topology, {
    uuid: instance.uuid,
    alias: instance.name,
    uri: `${instance.name}:3301`,
    httpUri: instance.address,
    replicaSetUuid: REPLICA_SET,
  });
  return joined.kind === 'edited' ? joined.topology : assert.fail(joined.refusal.message);
}

for (const hasProvider of [true, false]) {
  describe(`ConfigService ${hasProvider ? 'with' : 'without'} a state provider`, () => {
    it('changes all instances, and says who, when and why [2PC-01]', async () => {
      const story = await Story.bootstrapped(hasProvider);
      const result = await story.patch(1, { metrics: { on: true } });
      assert.deepEqual(result.lagging, []);
      const { service } = story.at(0);
      assert.deepEqual(service?.active?.sections['metrics'], { on: true });
      assert.deepEqual(
        { version: service.active.meta.version, checksum: service.active.meta.checksum },
        result.config,
      );
      const history = service.history();
      await story.world.clock.advance(100);
      assert.deepEqual(
        (await history).map((config) => [config.meta.version, config.meta.message]),
        [
          [2, 'story'],
          [1, 'story'],
        ],
      );
    });

    it('brings a joining instance the whole config', async () => {
      const story = await Story.bootstrapped(hasProvider);
      const topology = join(topologyOf(story.at(0).service?.active), story.last);
      await story.patch(0, { topology: toSection(topology) });
      assert.deepEqual(new Set(story.versions()), new Set([2]));
      assert.deepEqual(story.last.service?.active, story.at(0).service?.active);
    });

    it('aborts when an instance does not answer, and leaves nothing [2PC-04]', async () => {
      const story = await Story.bootstrapped(hasProvider);
      const before = story.at(0).service?.active;
      story.at(2).kill();
      const error = await story.refusal(0, { metrics: { on: true } });
      assert.ok(error.message.includes(story.at(2).uuid), error.message);
      await story.start(story.at(2));
      await story.world.clock.advance(20_000);
      for (const instance of story.instances.slice(0, -1)) {
        assert.deepEqual(instance.service?.active, before);
        assert.equal(instance.service?.lock, undefined);
      }
    });

    it('refuses a change made from an older config', async () => {
      const story = await Story.bootstrapped(hasProvider);
      const base = story.at(0).service?.active?.meta ?? assert.fail();
      await story.patch(0, { a: { x: 1 } });
      const { version, checksum } = base;
      const error = await story.refusal(1, { a: { x: 2 } }, { base: { version, checksum } });
      assert.deepEqual([error.code, error.field], ['CONFIG_STALE_BASE', 'base']);
    });

    it('refuses a second change while one runs [2PC-02]', async () => {
      const story = await Story.bootstrapped(hasProvider);
      const { service } = story.at(0);
      const options = { author: 'test', message: '' };
      const first = service?.patch({ a: { x: 1 } }, options);
      await assert.rejects(
        service?.patch({ a: { x: 2 } }, options) ?? assert.fail(),
        (error: unknown) => error instanceof ClusterError && error.code === 'CONFIG_LOCKED',
      );
      await story.world.clock.advance(2000);
      assert.equal((await first)?.config.version, 2);
    });

    it('settles a change whose coordinator died', async () => {
      const story = await Story.bootstrapped(hasProvider);
      const victim = story.at(0);
      void victim.service?.patch({ a: { x: 1 } }, { author: 'test', message: '' });
      while (story.at(1).service?.lock === undefined) await story.world.clock.next();
      victim.kill();
      await story.world.clock.advance(1000);
      assert.ok(story.at(1).service?.lock !== undefined, 'a lock is not given up lightly');
      await story.start(victim);
      await story.world.clock.advance(30_000);
      assert.ok(story.instances.every((instance) => instance.service?.lock === undefined));
      assert.equal((await story.patch(1, { a: { x: 3 } })).lagging.length, 0);
    });

    it('knows that an unchanged config needs no change', async () => {
      const story = await Story.bootstrapped(hasProvider);
      await story.patch(0, { a: { x: 1 } });
      assert.equal((await story.patch(0, { a: { x: 1 } })).config.version, 2);
    });

    it('refuses to expel the instance that is asked [TOPO-09]', async () => {
      const story = await Story.bootstrapped(hasProvider);
      const self = story.at(0);
      const edit = expelInstance(topologyOf(self.service?.active), self.uuid);
      assert.ok(edit.kind === 'edited');
      const error = await story.refusal(0, { topology: toSection(edit.topology) });
      assert.equal(error.field, `sections.topology.servers.${self.uuid}`);
    });
  });
}

describe('ConfigService and what its files can hold', () => {
  it('starts again with texts of blank lines [CONF-02]', async () => {
    const story = await Story.bootstrapped();
    const note = { a: ' \n', b: '\n \n', c: ' \n\n', d: 'one\n  two\n' };
    await story.patch(0, { note, text: ' \n \n' });
    await story.restartAll();
    const { sections } = story.at(1).service?.active ?? assert.fail();
    assert.deepEqual([sections['note'], sections['text']], [note, ' \n \n']);
  });

  const unkeepable: readonly (readonly [string, ConfigPatch])[] = [
    ['half a character', { note: 'a\ud800' }],
    ['a byte order mark as a key', { note: { '\ufeff': 1 } }],
  ];
  for (const [what, patch] of unkeepable) {
    it(`refuses ${what}, naming the section, and stays as it was [CONF-15]`, async () => {
      const story = await Story.bootstrapped();
      const error = await story.refusal(0, patch);
      assert.deepEqual([error.code, error.field], ['CONFIG_INVALID', 'sections.note']);
      await story.restartAll();
      assert.deepEqual(story.versions(), [1, 1, 1, 1, 0]);
      assert.equal((await story.patch(0, { note: 'a' })).config.version, 2);
    });
  }
});

describe('ConfigService and values of many levels', () => {
  const levels = (count: number): string => '['.repeat(count) + ']'.repeat(count);
  const nested = (count: number): Json => JSON.parse(levels(count)) as Json;
  const tooDeep: readonly (readonly [string, ConfigPatch, string])[] = [
    ['a value', { note: nested(1100) }, 'note'],
    ['a value that a parser cannot follow', { note: nested(100_000) }, 'note'],
    ['YAML', { 'note.yml': `a: ${levels(64)}` }, 'sections.note.yml'],
    ['YAML that holds itself', { 'note.yml': 'a: &x [*x]' }, 'sections.note.yml'],
  ];
  for (const [what, patch, field] of tooDeep) {
    it(`refuses ${what} with too many, and stays as it was`, async () => {
      const story = await Story.bootstrapped();
      const error = await story.refusal(0, patch);
      assert.equal(error.field, field);
      assert.match(error.message, /more than 64 levels/);
      assert.equal((await story.patch(0, { note: nested(64) })).config.version, 2);
    });
  }
});

describe('ConfigService and its state provider', () => {
  it('stores the decision of the first config where the wanted config says', async () => {
    const story = await Story.bootstrapped();
    const { prefix } = story.world.providerConfig;
    const [entry] = story.world.store.list(`${prefix}config/decision/`).entries;
    assert.equal(decisionSchema.parse(JSON.parse(entry?.value ?? '')).decision, 'commit');
    assert.ok(story.world.store.get(`${prefix}config/head`) !== undefined);
  });

  it('leaves out an instance that is known to be down, which catches up later', async () => {
    const story = await Story.bootstrapped();
    const down = story.at(1);
    down.kill();
    await story.patch(0, { a: { x: 1 } }, { missing: [down.uuid] });
    await story.start(down);
    await story.world.clock.advance(10_000);
    assert.deepEqual(down.service?.active, story.at(0).service?.active);
  });

  it('refuses another provider', async () => {
    const story = await Story.bootstrapped();
    const topology = topologyOf(story.at(0).service?.active);
    const provider = { ...story.world.providerConfig, prefix: '/elsewhere' };
    const failover = { ...topology.failover, state_provider: provider };
    const error = await story.refusal(0, { topology: toSection({ ...topology, failover }) });
    assert.deepEqual(
      [error.code, error.field],
      ['NOT_SUPPORTED', 'sections.topology.failover.state_provider'],
    );
  });

  it('keeps the lock while the provider is away, and settles it afterwards', async () => {
    const story = await Story.bootstrapped();
    const away = { ...story.world.providerFaults, reach: 'refused' } as const;
    const { providerFaults } = story.world;
    for (const instance of story.instances) instance.applyProviderFaults(away);
    const error = await story.refusal(0, { a: { x: 1 } });
    assert.equal(error.code, 'CONFIG_UNDECIDED');
    await story.world.clock.advance(30_000);
    assert.ok(story.at(1).service?.lock !== undefined);
    assert.equal(story.at(1).service?.issues()[0]?.topic, 'config_locked');
    for (const instance of story.instances) instance.applyProviderFaults(providerFaults);
    await story.world.clock.advance(20_000);
    assert.ok(story.instances.every((instance) => instance.service?.lock === undefined));
    assert.equal((await story.patch(0, { a: { x: 2 } })).config.version, 2);
  });

  it('puts back what the provider has forgotten only when all have said what they hold', async () => {
    const story = await Story.bootstrapped();
    const key = `${story.world.providerConfig.prefix}config/head`;
    story.at(1).kill();
    story.world.store.forget();
    await story.world.clock.advance(20_000);
    assert.equal(story.world.store.get(key), undefined);
    assert.equal(story.at(0).service?.issues()[0]?.topic, 'config_behind');
    await story.start(story.at(1));
    await story.world.clock.advance(20_000);
    assert.ok(story.world.store.get(key) !== undefined);
    assert.equal((await story.patch(0, { a: { x: 1 } })).config.version, 2);
  });

  it('says that a head of another program cannot be read, and serves on', async () => {
    const story = await Story.bootstrapped();
    const key = `${story.world.providerConfig.prefix}config/head`;
    const good = story.world.store.get(key)?.value ?? assert.fail();
    const put = (value: string): unknown =>
      story.world.store.transact({ compare: [], writes: [{ kind: 'put', key, value }] });
    for (const bad of ['{"v":2,"new":true}', 'no JSON']) {
      put(bad);
      await story.world.clock.advance(20_000);
      const [issue] = story.at(0).service?.issues() ?? [];
      assert.equal(issue?.topic, 'config_behind');
      assert.match(issue.message, /"config\/head" is not one that this version can read/);
      const error = await story.refusal(0, { a: { x: 1 } });
      assert.equal(error.code, 'CONFIG_UNDECIDED');
      assert.deepEqual(story.versions(), [1, 1, 1, 1, 0]);
      assert.equal(story.world.store.get(key)?.value, bad);
      await story.restartAll();
      put(good);
      await story.world.clock.advance(30_000);
      assert.deepEqual(story.at(0).service?.issues(), []);
    }
    assert.equal((await story.patch(0, { a: { x: 2 } })).config.version, 2);
  });

  it('keeps the lock while its decision cannot be read, and settles it afterwards', async () => {
    const story = await Story.bootstrapped();
    const { store, providerConfig } = story.world;
    void story.at(0).service?.patch({ a: { x: 1 } }, { author: 'test', message: '' });
    while (story.at(1).service?.lock === undefined) await story.world.clock.next();
    story.at(0).kill();
    const { changeId } = story.at(1).service?.lock?.change ?? assert.fail();
    const key = `${providerConfig.prefix}config/decision/${changeId}`;
    store.transact({ compare: [], writes: [{ kind: 'put', key, value: '{"v":2}' }] });
    await story.world.clock.advance(30_000);
    const [issue] = story.at(1).service?.issues() ?? [];
    assert.equal(issue?.topic, 'config_locked');
    assert.match(issue.message, /is not one that this version can read/);
    store.transact({ compare: [], writes: [{ kind: 'delete', key }] });
    await story.start(story.at(0));
    await story.world.clock.advance(30_000);
    assert.ok(story.instances.every((instance) => instance.service?.lock === undefined));
    assert.equal((await story.patch(1, { a: { x: 3 } })).config.version, 2);
  });

  it('lets one of two rival first configs win', async () => {
    const story = await Story.unconfigured();
    const topology = toSection(story.topologyOf(story.instances));
    const options = { author: 'test', message: '' };
    const rivals = [0, 1].map(
      (index) =>
        story.at(index).service?.patch({ topology, by: { index } }, options) ?? assert.fail(),
    );
    const outcomes = Promise.allSettled(rivals);
    await story.world.clock.advance(30_000);
    const won = (await outcomes).filter((outcome) => outcome.status === 'fulfilled').length;
    assert.ok(won <= 1);
    assert.deepEqual(new Set(story.versions()), new Set([won]));
    assert.ok(story.instances.every((instance) => instance.service?.lock === undefined));
  });
});
