import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '@tonearm/runtime/foundation';
import { SimulatedClock } from '@tonearm/runtime/testing';
import { FINALIZER } from '../api/names.ts';
import type { ClusterPlan } from '../core/plan-cluster.ts';
import type { ClusterSnapshot } from '../core/snapshot.ts';
import type { Action } from '../core/verdict.ts';
import type { RecordedEvent } from '../ports/events.ts';
import { buildReplicaSetObject, CLUSTER_UID } from '../testing/cluster-objects.ts';
import { GivenAdminApi } from '../testing/given-admin-api.ts';
import { GivenCache, MemoryKube } from '../testing/memory-kube.ts';
import { settledWorld } from '../testing/snapshots.ts';
import { PlanApplier } from './apply-plan.ts';
import { ChangeDriver } from './change-driver.ts';
import { decodeBase64 } from './secret-data.ts';

const SET = 'employees-storage-1';
const NEVER = new AbortController().signal;
const SPEC = { fieldManager: 'tonearm-operator', force: true };
const STATUS = { fieldManager: 'tonearm-operator-status', force: true };
const settled = settledWorld().snapshot();

class Fixture {
  readonly kube = new MemoryKube();
  readonly admin = new GivenAdminApi();
  readonly events: RecordedEvent[] = [];
  readonly caches = {
    clusters: new GivenCache<never>(),
    replicaSets: new GivenCache<never>(),
    statefulSets: new GivenCache<never>(),
    pods: new GivenCache<never>(),
    services: new GivenCache<never>(),
    claims: new GivenCache<never>(),
  };
  readonly applier = new PlanApplier({
    kube: this.kube,
    caches: this.caches,
    admin: this.admin,
    driver: new ChangeDriver({
      admin: this.admin,
      clock: new SimulatedClock(),
      logger: silentLogger,
    }),
    recorder: { record: (event) => this.events.push(event) },
    makeCookie: () => 'cookie of the test',
  });

  async apply(
    plan: Partial<ClusterPlan>,
    snapshot: ClusterSnapshot = settled,
    signal = NEVER,
  ): Promise<void> {
    const empty = { status: undefined, replicaSetStatuses: new Map(), actions: [], trace: [] };
    await this.applier.apply({ ...empty, requeueAfterMs: 1, ...plan }, snapshot, signal);
  }

  get written(): readonly string[] {
    return this.kube.writes.map(({ verb, kind, name }) => `${verb} ${kind}/${name}`);
  }
}

const scale = (replicas: number): Action => ({ kind: 'scale', replicaSet: SET, replicas });

describe('PlanApplier, in order', () => {
  it('writes the status first: later rounds must find in it what was decided', async () => {
    const fixture = new Fixture();
    const statuses = new Map([
      [SET, { uuid: 'a' }],
      ['gone-meanwhile', {}],
    ]);
    await fixture.apply({
      status: settled.cluster.status,
      replicaSetStatuses: statuses,
      actions: [scale(3)],
    });
    assert.deepEqual(fixture.written, [
      'apply-status Cluster/employees',
      `apply-status ReplicaSet/${SET}`,
      `scale ReplicaSet/${SET}`,
    ]);
    assert.deepEqual(fixture.kube.writes[0]?.sent, {
      intent: {
        apiVersion: 'tonearm.dev/v1alpha1',
        kind: 'Cluster',
        metadata: { name: 'employees', namespace: 'data', uid: CLUSTER_UID },
        status: settled.cluster.status,
      },
      options: STATUS,
    });
    // So that the next round does not write it again before the watch has brought it.
    assert.equal(fixture.caches.clusters.offered.length, 1);
  });

  it('does nothing after an action that failed', async () => {
    const fixture = new Fixture();
    fixture.admin.fault = new Error('no');
    const promote: Action = { kind: 'promote', address: 'a:1', replicaSetUuid: 's', to: 'u' };
    await assert.rejects(fixture.apply({ actions: [scale(3), promote, scale(4)] }), /no/);
    assert.deepEqual(fixture.written, [`scale ReplicaSet/${SET}`]);
  });

  it('does nothing any more when it is to stop: another operator may lead already', async () => {
    const fixture = new Fixture();
    const stopped = AbortSignal.abort(new Error('the lease was lost'));
    await assert.rejects(
      fixture.apply({ actions: [scale(3)] }, settled, stopped),
      /lease was lost/,
    );
    assert.deepEqual(fixture.written, []);
  });
});

describe('PlanApplier, objects', () => {
  it('applies an intent with the memory of it, and takes fields over', async () => {
    const fixture = new Fixture();
    const metadata = { name: SET, namespace: 'data', labels: {} };
    const intent = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata, spec: { replicas: 1 } };
    for (const resource of ['replicaSets', 'statefulSets', 'services'] as const) {
      await fixture.apply({ actions: [{ kind: 'apply', resource, intent }] });
      assert.equal(fixture.caches[resource].offered.length, 1, resource);
    }
    assert.deepEqual(fixture.written, [
      `apply ReplicaSet/${SET}`,
      `apply StatefulSet/${SET}`,
      `apply Service/${SET}`,
    ]);
    const { intent: sent, options } = fixture.kube.writes[0]?.sent as Record<string, never>;
    assert.deepEqual(options, SPEC);
    assert.notDeepEqual(sent, intent);
  });

  it('makes a cookie that nobody owns, so that it outlives the Cluster', async () => {
    const fixture = new Fixture();
    const name = 'employees-cookie';
    await fixture.apply({ actions: [{ kind: 'create-cookie', name, keys: 'keys' }] });
    const secret = fixture.kube.writes[0]?.sent as {
      metadata: Record<string, unknown>;
      data: Record<string, string>;
    };
    assert.deepEqual(fixture.written, [`create Secret/${name}`]);
    assert.deepEqual(Object.keys(secret.metadata).toSorted(), ['labels', 'name', 'namespace']);
    assert.deepEqual(
      Object.entries(secret.data).map(([key, value]) => [key, decodeBase64(value)]),
      [
        ['cookie', 'cookie of the test'],
        ['operator-keys', 'keys'],
      ],
    );
  });

  it('publishes its key without touching the cookie', async () => {
    const fixture = new Fixture();
    await fixture.apply({
      actions: [{ kind: 'publish-operator-key', name: 'employees-cookie', keys: 'keys' }],
    });
    assert.deepEqual(fixture.kube.writes, [
      {
        verb: 'patch',
        kind: 'Secret',
        name: 'employees-cookie',
        sent: {
          patch: { kind: 'merge', body: { data: { 'operator-keys': btoa('keys') } } },
          options: { fieldManager: SPEC.fieldManager },
        },
      },
    ]);
  });

  it('deletes only the object that was seen', async () => {
    const fixture = new Fixture();
    await fixture.apply({ actions: [{ kind: 'delete-replica-set', name: SET, uid: 'seen' }] });
    assert.deepEqual(fixture.kube.writes, [
      {
        verb: 'delete',
        kind: 'ReplicaSet',
        name: SET,
        sent: { preconditions: { uid: 'seen' }, propagation: 'Background' },
      },
    ]);
  });

  const guards: readonly {
    readonly name: string;
    readonly kind: 'add-finalizer' | 'drop-finalizer';
    readonly metadata?: Readonly<Record<string, unknown>>;
    readonly want: readonly string[] | undefined;
  }[] = [
    {
      name: 'adds the guard to what is there',
      kind: 'add-finalizer',
      metadata: { finalizers: ['other'] },
      want: ['other', FINALIZER],
    },
    {
      name: 'guards nothing that is deleted already',
      kind: 'add-finalizer',
      metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' },
      want: undefined,
    },
    { name: 'guards nothing that is gone', kind: 'add-finalizer', want: undefined },
    {
      name: 'takes only its own guard off',
      kind: 'drop-finalizer',
      metadata: { finalizers: ['other', FINALIZER] },
      want: ['other'],
    },
    {
      name: 'takes no guard off that is not there',
      kind: 'drop-finalizer',
      metadata: { finalizers: ['other'] },
      want: undefined,
    },
    { name: 'takes no guard off what is gone', kind: 'drop-finalizer', want: undefined },
  ];
  for (const { name, kind, metadata, want } of guards) {
    it(`${name}, if the list is still the one that was read`, async () => {
      const fixture = new Fixture();
      if (metadata !== undefined) {
        fixture.kube.put(buildReplicaSetObject(SET, {}, { resourceVersion: '7', ...metadata }));
      }
      await fixture.apply({ actions: [{ kind, name: SET }] });
      const sent = fixture.kube.writes.map((write) => write.sent);
      const body = { metadata: { resourceVersion: '7', finalizers: want } };
      const options = { fieldManager: SPEC.fieldManager };
      assert.deepEqual(
        sent,
        want === undefined ? [] : [{ patch: { kind: 'merge', body }, options }],
      );
    });
  }

  it('records events about objects that it knows', async () => {
    const fixture = new Fixture();
    const event = { kind: 'event', type: 'Warning', reason: 'R', action: 'A', note: 'n' } as const;
    await fixture.apply({
      actions: [
        { ...event, regarding: { kind: 'Cluster', name: 'employees' } },
        { ...event, regarding: { kind: 'ReplicaSet', name: SET } },
        { ...event, regarding: { kind: 'ReplicaSet', name: 'gone' } },
      ],
    });
    assert.deepEqual(
      fixture.events.map(({ regarding, reason }) => [regarding.kind, regarding.name, reason]),
      [
        ['Cluster', 'employees', 'R'],
        ['ReplicaSet', SET, 'R'],
      ],
    );
  });
});

describe('PlanApplier, instances', () => {
  it('tells instances of this cluster only', async () => {
    const fixture = new Fixture();
    const actions: readonly Action[] = [
      { kind: 'promote', address: 'a:1', replicaSetUuid: 's', to: 'u' },
      { kind: 'tell-expelled', address: 'b:1', instance: 'b' },
      { kind: 'finish-change', changeId: 'c', addresses: ['d:1'] },
    ];
    await fixture.apply({ actions });
    const reason = 'another instance has committed it';
    assert.deepEqual(fixture.admin.asked, [
      `promote a:1 of ${CLUSTER_UID}: {"replicaSetUuid":"s","to":"u"}`,
      `expelled b:1 of ${CLUSTER_UID}: ${settled.config?.meta.version}`,
      `commit d:1 of ${CLUSTER_UID}: {"changeId":"c","reason":"${reason}"}`,
    ]);
  });

  it('tells nobody that it is expelled without a config that says so', async () => {
    const fixture = new Fixture();
    const action: Action = { kind: 'tell-expelled', address: 'b:1', instance: 'b' };
    await fixture.apply({ actions: [action] }, { ...settled, config: undefined });
    assert.deepEqual(fixture.admin.asked, []);
  });
});
