import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { StatefulSet } from '../../api/kube-object.ts';
import { buildCluster, buildReplicaSetObject, CLUSTER_UID } from '../../testing/cluster-objects.ts';
import { buildEtcdService, buildEtcdStatefulSet } from './build-etcd.ts';
import { buildServices } from './build-services.ts';
import { buildStatefulSet, type StatefulSetWish, TEMPLATE_VERSION } from './build-stateful-set.ts';

/** Regenerate with UPDATE_GOLDENS=1, and read the difference: it restarts the pods of every user. */
function assertGolden(name: string, value: unknown): void {
  const file = path.join(import.meta.dirname, 'testdata', `${name}.json`);
  const text = `${JSON.stringify(value, null, 2)}\n`;
  if (process.env['UPDATE_GOLDENS'] === '1') writeFileSync(file, text);
  assert.equal(text, readFileSync(file, 'utf8'));
}

const SET_UUID = '0d000000-0000-4000-8000-000000000001';

function wishFor(fields: Partial<StatefulSetWish> = {}): StatefulSetWish {
  return {
    cluster: buildCluster({
      env: [{ name: 'LEVEL', value: 'info' }],
      imagePullSecrets: [{ name: 'registry' }],
    }),
    clusterUuid: CLUSTER_UID,
    replicaSet: buildReplicaSetObject(
      'employees-storage-1',
      {
        roles: ['app.roles.storage'],
        volume: { size: '10Gi', storageClassName: 'fast' },
        resources: { limits: { memory: '1Gi' } },
        env: [{ name: 'LEVEL', value: 'debug' }],
      },
      { labels: { 'tonearm.dev/template': 'storage' } },
    ),
    replicaSetUuid: SET_UUID,
    replicas: 2,
    found: undefined,
    ...fields,
  };
}

describe('buildStatefulSet', () => {
  it(`builds version ${TEMPLATE_VERSION} with a volume as it always has`, () => {
    assertGolden(`storage-v${TEMPLATE_VERSION}`, buildStatefulSet(wishFor()));
  });

  it(`builds version ${TEMPLATE_VERSION} without a volume as it always has`, () => {
    const replicaSet = buildReplicaSetObject('employees-router-1', { roles: ['app.roles.api'] });
    assertGolden(
      `router-v${TEMPLATE_VERSION}`,
      buildStatefulSet(wishFor({ cluster: buildCluster(), replicaSet, replicas: 1 })),
    );
  });

  it('keeps the version and the claim templates of a StatefulSet that exists', () => {
    const before = buildStatefulSet(wishFor());
    const found = JSON.parse(JSON.stringify(before)) as StatefulSet;
    const grown = buildReplicaSetObject(
      'employees-storage-1',
      { ...wishFor().replicaSet.spec, volume: { size: '20Gi', storageClassName: 'fast' } },
      { labels: { 'tonearm.dev/template': 'storage' } },
    );
    assert.deepEqual(buildStatefulSet(wishFor({ replicaSet: grown, found })), before);
  });

  it('makes a pod template that does not depend on the number of pods', () => {
    const templateOf = (replicas: number): unknown =>
      (buildStatefulSet(wishFor({ replicas }))['spec'] as StatefulSet['spec']).template;
    assert.deepEqual(templateOf(1), templateOf(5));
  });
});

describe('buildEtcdStatefulSet and the Services', () => {
  it('are built as they always have been', () => {
    const cluster = buildCluster();
    const wish = { cluster, clusterUuid: CLUSTER_UID, replicas: 3, image: 'etcd:test' };
    assertGolden('etcd', [buildEtcdService(cluster), buildEtcdStatefulSet(wish)]);
    assertGolden('services', buildServices(cluster));
  });
});
