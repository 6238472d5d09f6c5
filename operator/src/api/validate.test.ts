import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  AGAINST_RULES,
  BEYOND_CEL,
  clusterManifest,
  MALFORMED,
  type ManifestCase,
  type ManifestObject,
  replicaSetManifest,
} from '../testing/manifest-cases.ts';
import {
  type Cluster,
  clusterSchema,
  type FieldProblem,
  findUnknownFields,
  parseCluster,
  parseReplicaSet,
  type ReplicaSet,
  validateCluster,
  validateReplicaSet,
} from './index.ts';

describe('validation of custom resources', () => {
  for (const bad of [...MALFORMED, ...AGAINST_RULES, ...BEYOND_CEL]) {
    it(`refuses ${bad.title}`, () => {
      assert.deepEqual(problemsOf(bad), [bad.problem]);
    });
  }

  it('fills in the defaults of a cluster', () => {
    const { spec } = parsedCluster(clusterManifest({ replicaSets: [{ name: 'storage' }] }));
    assert.deepEqual(spec, {
      image: 'localhost/tonearm/employees:dev',
      imagePullPolicy: 'IfNotPresent',
      bucketCount: 30_000,
      failover: {
        mode: 'Stateful',
        failoverTimeoutSeconds: 2,
        fencing: { ttlSeconds: 2, timeoutSeconds: 10, pauseSeconds: 2 },
        leaderAutoreturn: { enabled: false, delaySeconds: 300 },
        checkCookieHash: true,
        suppressing: { enabled: false, threshold: 5, windowSeconds: 60 },
        immunityTimeoutSeconds: 15,
        spreadLeaders: 'None',
        disableRaftOnSmallClusters: true,
      },
      bootstrap: { mode: 'Auto' },
      replicaSets: [{ name: 'storage', count: 1, roles: [], weight: 1, ephemeral: false }],
    });
  });

  it('fills in the defaults of a replica set', () => {
    assert.deepEqual(parsedReplicaSet(replicaSetManifest()).spec, {
      clusterName: 'employees',
      replicas: 1,
      roles: [],
      weight: 1,
      ephemeral: false,
    });
  });

  it('lets volumes grow, and compares templates by name when their order changes', () => {
    const template = (name: string, size: string) => ({ name, volume: { size } });
    const old = parsedCluster(
      clusterManifest({ replicaSets: [template('small', '1Gi'), template('large', '9Gi')] }),
    );
    const changed = clusterManifest({
      replicaSets: [template('large', '10Gi'), template('small', '1024Mi')],
    });
    assert.deepEqual(validateCluster(changed, old), []);
  });

  it('keeps the values of user sections as they are', () => {
    const config = {
      metrics: { export: [{ path: '/metrics' }] },
      'notes.txt': 'free text',
      n: null,
    };
    assert.deepEqual(parsedCluster(clusterManifest({ config })).spec.config, config);
  });

  it('refuses the raw twin of a section of the system', () => {
    assert.deepEqual(validateCluster(clusterManifest({ config: { 'auth.yml': 'x: 1' } })), [
      {
        field: 'spec.config.auth',
        message: 'the section auth belongs to the system: use the fields of this object',
      },
    ]);
  });

  it('drops unknown fields and can tell them', () => {
    const object = clusterManifest({
      tls: { enabled: true },
      config: { anything: { goes: 1 } },
      replicaSets: [{ name: 'storage', allRw: true }],
    });
    assert.equal('tls' in parsedCluster(object).spec, false);
    assert.deepEqual(findUnknownFields(clusterSchema, object), [
      'spec.tls',
      'spec.replicaSets[0].allRw',
    ]);
  });
});

function problemsOf({ object, old }: ManifestCase): readonly FieldProblem[] {
  if (object.kind === 'Cluster') {
    return validateCluster(object, old === undefined ? undefined : parsedCluster(old));
  }
  return validateReplicaSet(object, old === undefined ? undefined : parsedReplicaSet(old));
}

function parsedCluster(object: ManifestObject): Cluster {
  const verdict = parseCluster(object);
  assert.equal(verdict.kind, 'valid');
  return (verdict as { object: Cluster }).object;
}

function parsedReplicaSet(object: ManifestObject): ReplicaSet {
  const verdict = parseReplicaSet(object);
  assert.equal(verdict.kind, 'valid');
  return (verdict as { object: ReplicaSet }).object;
}
