import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod, StatefulSet } from '../objects.ts';
import { buildClaims, buildPod, revisionOf } from './build-pod.ts';
import { planStatefulSet } from './plan-stateful-set.ts';

const COMMON = { namespace: 'default', resourceVersion: '1', creationTimestamp: '' };

interface SetShape {
  readonly replicas?: number;
  readonly policy?: string;
  readonly strategy?: string;
  readonly image?: string;
}

function set({ replicas = 2, policy = 'Parallel', strategy = 'OnDelete', image = 'a' }: SetShape) {
  const found: StatefulSet = {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { ...COMMON, name: 'app', uid: 'set', generation: 3 },
    spec: {
      replicas,
      serviceName: 'app',
      podManagementPolicy: policy,
      updateStrategy: { type: strategy },
      selector: { matchLabels: { app: 'app' } },
      template: {
        metadata: { labels: { app: 'app' } },
        spec: { containers: [{ name: 'instance', image }] },
      },
      volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }],
    },
  };
  return found;
}

interface PodShape {
  readonly isReady?: boolean;
  readonly isTerminating?: boolean;
  readonly isOrphan?: boolean;
  readonly phase?: string;
  readonly image?: string;
}

function pod(ordinal: number, shape: PodShape = {}): Pod {
  const { isReady = true, phase = 'Running', image = 'a' } = shape;
  const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'app', uid: 'set' };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...COMMON,
      name: `app-${ordinal}`,
      uid: `pod-${ordinal}`,
      labels: { 'controller-revision-hash': revisionOf(set({ image })) },
      ...(shape.isTerminating === true ? { deletionTimestamp: 'now' } : {}),
      ...(shape.isOrphan === true ? {} : { ownerReferences: [{ ...owner, controller: true }] }),
    },
    spec: { containers: [] },
    status: { phase, conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] },
  };
}

function steps(found: StatefulSet, pods: readonly Pod[]): string[] {
  return planStatefulSet({ set: found, pods }).steps.map((step) =>
    step.kind === 'create-pod'
      ? `create ${step.ordinal}`
      : `${step.kind} ${step.pod.metadata.name}`,
  );
}

describe('planStatefulSet', () => {
  it('creates all missing pods of a parallel set at once', () => {
    assert.deepEqual(steps(set({ replicas: 3 }), [pod(1, { isReady: false })]), [
      'create 0',
      'create 2',
    ]);
  });

  it('removes all condemned pods of a parallel set at once, highest ordinal first', () => {
    assert.deepEqual(steps(set({ replicas: 1 }), [pod(0), pod(1), pod(2, { isReady: false })]), [
      'delete-pod app-2',
      'delete-pod app-1',
    ]);
  });

  it('sorts ordinals as numbers', () => {
    const pods = [pod(10), pod(9), pod(2), pod(0)];
    assert.deepEqual(steps(set({ replicas: 1 }), pods), [
      'delete-pod app-10',
      'delete-pod app-9',
      'delete-pod app-2',
    ]);
  });

  it('waits for a terminating pod before it uses its name again', () => {
    assert.deepEqual(steps(set({}), [pod(0, { isTerminating: true }), pod(1)]), []);
  });

  it('does nothing when all is as wanted', () => {
    assert.deepEqual(steps(set({}), [pod(0), pod(1)]), []);
  });

  it('replaces a pod that has ended', () => {
    assert.deepEqual(steps(set({ replicas: 1 }), [pod(0, { phase: 'Failed' })]), [
      'delete-pod app-0',
    ]);
  });

  it('adopts a pod without an owner', () => {
    assert.deepEqual(steps(set({ replicas: 1 }), [pod(0, { isOrphan: true })]), [
      'adopt-pod app-0',
    ]);
  });

  it('leaves outdated pods alone under OnDelete', () => {
    assert.deepEqual(steps(set({ image: 'b' }), [pod(0), pod(1)]), []);
  });

  it('replaces outdated pods one by one under RollingUpdate, highest first, all others ready', () => {
    const rolling = set({ image: 'b', strategy: 'RollingUpdate' });
    assert.deepEqual(steps(rolling, [pod(0), pod(1)]), ['delete-pod app-1']);
    assert.deepEqual(steps(rolling, [pod(0), pod(1, { image: 'b', isReady: false })]), []);
    assert.deepEqual(steps(rolling, [pod(0), pod(1, { image: 'b' })]), ['delete-pod app-0']);
  });

  it('creates the pods of an ordered set one by one, each when the one before is ready', () => {
    const ordered = set({ replicas: 3, policy: 'OrderedReady' });
    assert.deepEqual(steps(ordered, []), ['create 0']);
    assert.deepEqual(steps(ordered, [pod(0, { isReady: false })]), []);
    assert.deepEqual(steps(ordered, [pod(0)]), ['create 1']);
  });

  it('removes the pods of an ordered set one by one', () => {
    const ordered = set({ replicas: 1, policy: 'OrderedReady' });
    assert.deepEqual(steps(ordered, [pod(0), pod(1), pod(2)]), ['delete-pod app-2']);
    assert.deepEqual(steps(ordered, [pod(0), pod(1), pod(2, { isTerminating: true })]), []);
  });

  it('leaves the pods of a set that is being deleted to the garbage collector', () => {
    const found = set({});
    const metadata = { ...found.metadata, deletionTimestamp: 'now' };
    assert.deepEqual(steps({ ...found, metadata }, [pod(0)]), []);
  });

  it('counts pods by readiness and revision', () => {
    const found = set({ replicas: 3, image: 'b' });
    const first = revisionOf(set({}));
    const status = { currentRevision: first };
    const pods = [pod(0), pod(1, { image: 'b' }), pod(2, { image: 'b', isReady: false })];
    assert.deepEqual(planStatefulSet({ set: { ...found, status }, pods }).status, {
      observedGeneration: 3,
      replicas: 3,
      readyReplicas: 2,
      availableReplicas: 2,
      currentReplicas: 1,
      updatedReplicas: 2,
      currentRevision: first,
      updateRevision: revisionOf(found),
      collisionCount: 0,
    });
  });
});

describe('revisionOf', () => {
  it('depends on the template alone, and not on the order of its fields', () => {
    const found = set({});
    const { containers } = found.spec.template.spec;
    const turned = containers.map(({ name, image }) => ({ image, name }));
    const template = { spec: { containers: turned }, metadata: { labels: { app: 'app' } } };
    const same = { ...found, spec: { ...found.spec, replicas: 9, template } };
    assert.equal(revisionOf(same), revisionOf(found));
    assert.notEqual(revisionOf(set({ image: 'b' })), revisionOf(found));
  });
});

describe('buildPod and buildClaims', () => {
  it('tie a pod to its claim by name, and leave the claim without an owner', () => {
    const found = set({});
    const built = buildPod(found, 4, 'app-revision');
    assert.deepEqual(built['spec'], {
      containers: [{ name: 'instance', image: 'a' }],
      hostname: 'app-4',
      subdomain: 'app',
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data-app-4' } }],
    });
    assert.deepEqual(
      buildClaims(found, 4).map((claim) => claim.metadata),
      [{ name: 'data-app-4', namespace: 'default', labels: { app: 'app' } }],
    );
  });
});
