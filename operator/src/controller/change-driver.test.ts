import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { topologyOf } from '@tonearm/runtime/config';
import type {
  ChangeState,
  ClusterConfig,
  FinishRequest,
  PrepareAnswer,
  PrepareRequest,
} from '@tonearm/runtime/contract';
import { silentLogger } from '@tonearm/runtime/foundation';
import { SimulatedClock } from '@tonearm/runtime/testing';
import type { LastChange } from '../core/snapshot.ts';
import { type AdminApi, AdminApiError, type AdminTarget } from '../ports/admin-api.ts';
import { ChangeDriver, type ChangeRequest, patchBetween } from './change-driver.ts';

const A = '0f000000-0000-4000-8000-00000000000a';
const B = '0f000000-0000-4000-8000-00000000000b';
const SET = '0f000000-0000-4000-8000-0000000000ff';
const CLUSTER = '0f000000-0000-4000-8000-000000000001';

/** Two instances that decide together, as a state provider would have them do. */
class Instances implements AdminApi {
  readonly silent = new Set<string>();
  readonly calls: string[] = [];
  readonly decisions = new Map<string, 'committed' | 'aborted'>();
  readonly configs = new Map<string, ClusterConfig>();
  readonly prepared = new Map<string, PrepareRequest>();
  refusal: { readonly code: string; readonly message: string } | undefined;
  /** The operator dies when so many commits have been answered. */
  commitsMax = Number.POSITIVE_INFINITY;

  async prepare(target: AdminTarget, request: PrepareRequest): Promise<PrepareAnswer> {
    const name = this.#reach(target, 'prepare');
    const { changeId } = request.change;
    const decision = this.decisions.get(changeId);
    if (decision === 'committed' && request.full !== undefined)
      this.configs.set(name, request.full);
    if (decision !== undefined) {
      return { kind: 'decided', decision: decision === 'committed' ? 'commit' : 'abort' };
    }
    if (this.refusal !== undefined) return { kind: 'refused', refusal: this.refusal };
    if (request.full === undefined)
      return { kind: 'base-differs', has: { version: 0, checksum: '' } };
    this.prepared.set(name, request);
    return { kind: 'prepared' };
  }

  async commit(target: AdminTarget, { changeId }: FinishRequest): Promise<ChangeState> {
    if (this.commitsMax === 0) throw new AdminApiError('UNREACHABLE', 'cut off');
    this.commitsMax -= 1;
    const name = this.#reach(target, 'commit');
    if (!this.decisions.has(changeId)) this.decisions.set(changeId, 'committed');
    const full = this.prepared.get(name)?.full;
    if (full !== undefined) this.configs.set(name, full);
    this.prepared.delete(name);
    return this.#state(name, changeId);
  }

  async abort(target: AdminTarget, { changeId }: FinishRequest): Promise<ChangeState> {
    const name = this.#reach(target, 'abort');
    if (!this.decisions.has(changeId)) this.decisions.set(changeId, 'aborted');
    this.prepared.delete(name);
    return this.#state(name, changeId);
  }

  async changeState(target: AdminTarget, changeId: string): Promise<ChangeState> {
    return this.#state(this.#reach(target, 'state'), changeId);
  }

  status = unused;
  roles = unused;
  config = unused;
  promote = unused;
  expelled = unused;

  #reach({ address }: AdminTarget, call: string): string {
    const name = address.slice(0, 1);
    if (this.silent.has(name)) throw new AdminApiError('UNREACHABLE', `${name} does not answer`);
    if (call !== 'state') this.calls.push(`${call} ${name}`);
    return name;
  }

  #state(name: string, changeId: string): ChangeState {
    const config = this.configs.get(name)?.meta ?? { version: 0, checksum: '' };
    return {
      changeId,
      state: this.decisions.get(changeId) ?? (this.prepared.has(name) ? 'prepared' : 'unknown'),
      reason: '',
      config: { version: config.version, checksum: config.checksum },
    };
  }
}

function unused(): never {
  throw new Error('the driver has no use for it');
}

function requestFor(sections: Readonly<Record<string, never>> = {}): ChangeRequest {
  const server = (name: string) => ({
    uri: `${name}:3301`,
    http_uri: `${name}:8081`,
    alias: name,
    replicaset_uuid: SET,
  });
  const topology = topologyOf({
    sections: {
      topology: {
        servers: { [A]: server('a'), [B]: server('b') },
        replicasets: { [SET]: { alias: 'set', failover_priority: [A, B] } },
      },
    },
  });
  return {
    key: 'data/employees',
    clusterUuid: CLUSTER,
    active: undefined,
    roles: [],
    action: {
      kind: 'change',
      wish: 'wish',
      sections: { ...sections, topology: JSON.parse(JSON.stringify(topology)) as never },
      targets: [
        { uuid: A, name: 'a', address: 'a:1' },
        { uuid: B, name: 'b', address: 'b:1' },
      ],
      missing: [],
      message: 'test',
    },
  };
}

interface World {
  readonly instances: Instances;
  readonly clock: SimulatedClock;
  readonly driver: ChangeDriver;
}

function build(instances = new Instances()): World {
  const clock = new SimulatedClock();
  const driver = new ChangeDriver({ admin: instances, clock, logger: silentLogger });
  return { instances, clock, driver };
}

async function drive({ driver, clock }: World, request = requestFor()): Promise<LastChange> {
  let outcome: LastChange | undefined;
  void driver.drive(request, new AbortController().signal).then((ended) => {
    outcome = ended;
  });
  for (let i = 0; outcome === undefined && i < 500; i++) {
    if (!(await clock.next())) await new Promise((resolve) => setImmediate(resolve));
  }
  return outcome ?? assert.fail('the driver did not end');
}

function versions({ instances }: World): readonly (number | undefined)[] {
  return ['a', 'b'].map((name) => instances.configs.get(name)?.meta.version);
}

describe('ChangeDriver', () => {
  it('carries a change to all instances, and lets one decide before the others hear of it', async () => {
    const world = build();
    assert.deepEqual(await drive(world), { kind: 'committed', wish: 'wish' });
    assert.deepEqual(versions(world), [1, 1]);
    const order = world.instances.calls.filter((call) => !call.startsWith('prepare'));
    assert.deepEqual(order, ['commit a', 'commit b']);
  });

  it('goes on after a restart with the change that the operator before had begun', async () => {
    const world = build();
    world.instances.commitsMax = 1;
    assert.equal((await drive(world)).kind, 'committed');
    assert.deepEqual(versions(world), [1, undefined]);
    world.instances.commitsMax = Number.POSITIVE_INFINITY;
    const next = build(world.instances);
    assert.deepEqual(await drive(next), { kind: 'committed', wish: 'wish' });
    assert.deepEqual(versions(next), [1, 1]);
    assert.equal(next.instances.decisions.size, 1);
  });

  it('tells why an instance refuses, and leaves no lock', async () => {
    const world = build();
    world.instances.refusal = { code: 'CONFIG_INVALID', message: 'limit.max is no number.' };
    assert.deepEqual(await drive(world), {
      kind: 'refused',
      wish: 'wish',
      message: 'limit.max is no number.',
    });
    assert.deepEqual([versions(world), world.instances.prepared.size], [[undefined, undefined], 0]);
  });

  it('aborts when an instance does not prepare in time, and tries again under another name', async () => {
    const world = build();
    world.instances.silent.add('b');
    const outcome = await drive(world);
    assert.equal(outcome.kind, 'aborted');
    assert.deepEqual([...world.instances.decisions.values()], ['aborted']);
    world.instances.silent.clear();
    await world.clock.advance(60_000);
    assert.deepEqual(await drive(world), { kind: 'committed', wish: 'wish' });
    assert.deepEqual([...world.instances.decisions.values()], ['aborted', 'committed']);
    assert.deepEqual(versions(world), [1, 1]);
  });

  it('does not try an aborted wish again at once', async () => {
    const world = build();
    world.instances.silent.add('b');
    const first = await drive(world);
    const { length } = world.instances.calls;
    assert.deepEqual(await drive(world), first);
    assert.equal(world.instances.calls.length, length);
    assert.deepEqual(world.driver.lastChange('data/employees'), first);
  });

  it('refuses what cannot be a config without asking anybody', async () => {
    const world = build();
    const request = requestFor();
    const action = { ...request.action, sections: {} };
    assert.equal((await drive(world, { ...request, action })).kind, 'refused');
    assert.deepEqual(world.instances.calls, []);
  });
});

describe('patchBetween', () => {
  it('names what is new, what differs and what goes', () => {
    const from = { same: { a: 1 }, other: { a: 1 }, gone: 'text', value: { a: 1 } };
    const to = { same: { a: 1 }, other: { a: 2 }, added: [1], value: 'text' };
    assert.deepEqual(patchBetween(from, to), {
      gone: null,
      other: { a: 2 },
      added: [1],
      'value.yml': null,
      value: 'text',
    });
  });
});
