import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildCluster } from '../../testing/cluster-objects.ts';
import {
  blankWorld,
  editInstance,
  editStatus,
  removePod,
  settledWorld,
  silence,
  tell,
} from '../../testing/snapshots.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { awaitFirstInstances } from './await-first-instances.ts';

const ROUTER = 'employees-router-1-0';
const STORAGE = 'employees-storage-1-1';

interface WaitCase {
  readonly name: string;
  readonly edit: (snapshot: ClusterSnapshot) => ClusterSnapshot;
  readonly want: string;
}

/** Before the first config; each waits, and ends the round. */
const waits: readonly WaitCase[] = [
  {
    name: 'a pod that is not there',
    edit: (snapshot) => removePod(snapshot, STORAGE),
    want: `WaitingForInstances: The cluster is bootstrapped when all 5 instances are up; waiting for ${STORAGE} (no pod).`,
  },
  {
    name: 'an instance that is silent, with the reason',
    edit: (snapshot) => silence(snapshot, STORAGE, 'its pod is Pending'),
    want: `WaitingForInstances: The cluster is bootstrapped when all 5 instances are up; waiting for ${STORAGE} (its pod is Pending).`,
  },
  {
    name: 'an instance that cannot start, with its state',
    edit: (snapshot) =>
      editStatus(snapshot, ROUTER, (status) => ({ ...status, state: 'InitError' })),
    want: `WaitingForInstances: The cluster is bootstrapped when all 5 instances are up; waiting for ${ROUTER} (InitError).`,
  },
  {
    name: 'the roles of the application',
    edit: (snapshot) => ({ ...snapshot, roles: undefined }),
    want: 'RolesUnknown: No instance has told the roles of the application.',
  },
];

describe('awaitFirstInstances, before the first config', () => {
  const blank = blankWorld().snapshot();

  it('lets the first config be made when every instance answers and is blank', () => {
    assert.deepEqual(awaitFirstInstances(blank), []);
  });

  for (const { name, edit, want } of waits) {
    it(`waits for ${name}`, () => {
      assert.deepEqual(tell(awaitFirstInstances(edit(blank))), [`wait ${want}`, `stop ${want}`]);
    });
  }

  it('asks for instances where the manifest has none', () => {
    const world = blankWorld();
    world.editSpec((spec) => ({ ...spec, replicaSets: [] }));
    const message =
      'The cluster has no instances: give it templates in spec.replicaSets with a count and replicas.';
    assert.deepEqual(tell(awaitFirstInstances(world.snapshot())), [
      `wait NoInstances: ${message}`,
      `stop NoInstances: ${message}`,
    ]);
  });

  it('names five of many, so that the message fits a condition', () => {
    const world = blankWorld(
      buildCluster({ replicaSets: [{ name: 'router', count: 1, initialReplicas: 9, roles: [] }] }),
    );
    for (const pod of world.pods) world.silent.add(pod);
    const [first] = tell(awaitFirstInstances(world.snapshot()));
    assert.match(first ?? '', /employees-router-1-4 \(no answer\) and 4 more\.$/);
  });

  it('looks more often at a cluster that is new: somebody watches it come up', () => {
    const waiting = silence(blank, STORAGE);
    const pollAt = (creationTimestamp: string | undefined): unknown => {
      const { cluster } = waiting;
      const metadata = { ...cluster.metadata, creationTimestamp };
      const [first] = awaitFirstInstances({ ...waiting, cluster: { ...cluster, metadata } });
      return first?.kind === 'wait' ? first.requeueAfterMs : undefined;
    };
    const at = (ageMs: number): string => new Date(blank.nowMs - ageMs).toISOString();
    assert.deepEqual([pollAt(at(1000)), pollAt(at(600_000)), pollAt(undefined)], [250, 1000, 1000]);
  });
});

describe('awaitFirstInstances, after the bootstrap', () => {
  const settled = settledWorld().snapshot();
  const untold: ClusterSnapshot = { ...settled, config: undefined };

  it('has nothing to say while somebody tells the config', () => {
    assert.deepEqual(awaitFirstInstances(settled), []);
  });

  it('makes no second config while the one there is may only be silent', () => {
    const silent = silence(silence(untold, ROUTER), STORAGE);
    const message = `No instance tells the cluster config; ${ROUTER}, ${STORAGE} does not answer: kubectl describe pod and kubectl logs tell why.`;
    assert.deepEqual(
      tell(awaitFirstInstances(silent)),
      ['wait', 'complain', 'stop'].map((kind) => `${kind} ConfigUnknown: ${message}`),
    );
  });

  it('makes no second config over data that is lost, and says so', () => {
    const lost = settled.instances.reduce(
      (snapshot, { podName }) =>
        editStatus(snapshot, podName, (status) => ({
          ...status,
          state: 'Unconfigured',
          config: { version: 0, checksum: '' },
        })),
      untold,
    );
    const verdicts = awaitFirstInstances(lost);
    assert.deepEqual(
      verdicts.map(({ kind, reason }) => `${kind} ${reason}`),
      ['complain DataLost', 'stop DataLost'],
    );
    // One that is silent may be the one with the data.
    const hopeful = editInstance(lost, ROUTER, (instance) => ({
      ...instance,
      answer: { kind: 'silent', reason: 'no answer' },
    }));
    assert.deepEqual(
      awaitFirstInstances(hopeful).map(({ kind, reason }) => `${kind} ${reason}`),
      ['wait ConfigUnknown', 'complain ConfigUnknown', 'stop ConfigUnknown'],
    );
  });
});
