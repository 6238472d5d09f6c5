import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimulatedClock } from '@tonearm/runtime/testing';
import { yamlSectionParser } from '../adapters/yaml-section-parser.ts';
import type { KubeObject } from '../api/kube-object.ts';
import type { Cluster } from '../api/v1alpha1/cluster.ts';
import { buildCluster, OPERATOR_FACTS } from '../testing/cluster-objects.ts';
import { GivenAdminApi } from '../testing/given-admin-api.ts';
import { GivenCache, MemoryKube } from '../testing/memory-kube.ts';
import { settledWorld } from '../testing/snapshots.ts';
import { ClusterObserver, type Observed } from './observe-cluster.ts';

const KEY = 'data/employees';
const settled = settledWorld().snapshot();
/** Known by the caches, with its identity recorded. */
const recorded = settled.cluster;

interface Seen {
  readonly cached?: Cluster;
  readonly stored?: readonly KubeObject[];
}

async function observe({
  cached,
  stored = [],
}: Seen): Promise<{ observed: Observed; kube: MemoryKube }> {
  const kube = new MemoryKube().put(...stored);
  const observer = new ClusterObserver({
    kube,
    caches: {
      clusters: new GivenCache(cached === undefined ? [] : [cached]),
      replicaSets: new GivenCache(settled.replicaSets),
      statefulSets: new GivenCache(settled.statefulSets),
      pods: new GivenCache(),
      services: new GivenCache(settled.services),
      claims: new GivenCache(settled.claims),
    },
    admin: new GivenAdminApi(),
    parser: yamlSectionParser,
    clock: new SimulatedClock(),
    operator: OPERATOR_FACTS,
  });
  return { observed: await observer.observe(KEY, { kind: 'none' }), kube };
}

function withSpec(fields: Readonly<Record<string, unknown>>): Cluster {
  return { ...buildCluster(fields), status: recorded.status };
}

function object(kind: string, name: string, data: Readonly<Record<string, string>>): KubeObject {
  return { apiVersion: 'v1', kind, metadata: { name, namespace: 'data' }, data } as KubeObject;
}

describe('ClusterObserver', () => {
  it('believes its caches for a cluster whose identity is recorded', async () => {
    const { observed, kube } = await observe({ cached: recorded });
    assert.ok(observed.kind === 'snapshot');
    const { cluster, replicaSets, statefulSets, services, claims } = observed.snapshot;
    assert.deepEqual(
      { cluster, replicaSets, statefulSets, services, claims },
      {
        cluster: recorded,
        replicaSets: settled.replicaSets,
        statefulSets: settled.statefulSets,
        services: settled.services,
        claims: settled.claims,
      },
    );
    // Only what no cache may hold, and names that somebody else could have taken.
    assert.deepEqual(kube.reads.toSorted(), [
      'Secret/employees-cookie',
      'Service/employees-etcd',
      'StatefulSet/employees-etcd',
    ]);
  });

  it('asks the server itself before an identity is chosen', async () => {
    const { observed, kube } = await observe({ cached: buildCluster(), stored: [buildCluster()] });
    assert.ok(observed.kind === 'snapshot');
    assert.deepEqual(observed.snapshot.claims, []);
    assert.deepEqual(
      kube.reads.filter((read) => /^(Cluster|PersistentVolumeClaim)/.test(read)),
      ['Cluster/employees', 'PersistentVolumeClaim'],
    );
  });

  it('finds what somebody else has made under a name of ours', async () => {
    const foreign = object('Service', 'employees-etcd', {});
    const { observed } = await observe({ cached: recorded, stored: [foreign] });
    assert.ok(observed.kind === 'snapshot');
    assert.deepEqual(observed.snapshot.services.at(-1), foreign);
  });

  it('sees that a Cluster is gone, or going', async () => {
    const deletionTimestamp = '2026-01-01T00:00:00Z';
    const going = { ...recorded, metadata: { ...recorded.metadata, deletionTimestamp } };
    assert.deepEqual((await observe({})).observed, { kind: 'gone' });
    assert.deepEqual((await observe({ cached: going })).observed, { kind: 'gone' });
  });

  it('names the field of a Cluster that was stored under another schema', async () => {
    const cached = { ...recorded, spec: { ...recorded.spec, bucketCount: -1 } };
    const { observed } = await observe({ cached });
    assert.ok(observed.kind === 'invalid');
    assert.match(observed.reason, /^spec\.bucketCount: /);
  });

  it('reads the Secrets that the cluster names', async () => {
    const named = { endpoints: ['http://e:2379'], credentialsSecretName: 'etcd-user' };
    const cached = withSpec({ failover: { stateProvider: { etcd: named } } });
    const read = async (...stored: readonly KubeObject[]): Promise<unknown> => {
      const { observed } = await observe({ cached, stored });
      assert.ok(observed.kind === 'snapshot');
      return [observed.snapshot.cookie, observed.snapshot.providerCredentials];
    };
    assert.deepEqual(
      [
        await read(),
        await read(
          object('Secret', 'employees-cookie', { cookie: btoa('c'), 'operator-keys': btoa('k') }),
          object('Secret', 'etcd-user', { username: btoa('u'), password: btoa('p') }),
        ),
        await read(
          object('Secret', 'employees-cookie', { cookie: '' }),
          object('Secret', 'etcd-user', { username: btoa('u') }),
        ),
      ],
      [
        [undefined, undefined],
        [
          { hasCookie: true, operatorKeys: 'k' },
          { username: 'u', password: 'p' },
        ],
        [{ hasCookie: false, operatorKeys: '' }, undefined],
      ],
    );
  });

  it('reads config from ConfigMaps and Secrets, in order, and says what cannot be read', async () => {
    const configFrom = [
      { configMapName: 'map' },
      { secretName: 'secret' },
      { secretName: 'none' },
      { configMapName: 'broken' },
    ];
    const { observed } = await observe({
      cached: withSpec({ configFrom }),
      stored: [
        object('ConfigMap', 'map', { 'greeting.yml': 'text: hi', limit: '5' }),
        object('Secret', 'secret', { 'key.yaml': btoa('a: [1]') }),
        object('ConfigMap', 'broken', { bad: '{' }),
      ],
    });
    assert.ok(observed.kind === 'snapshot');
    const sources = observed.snapshot.configSources;
    assert.deepEqual(sources.slice(0, 3), [
      { kind: 'read', name: 'ConfigMap map', sections: { greeting: { text: 'hi' }, limit: 5 } },
      { kind: 'read', name: 'Secret secret', sections: { key: { a: [1] } } },
      { kind: 'unusable', name: 'Secret none', reason: 'does not exist: create it.' },
    ]);
    const broken = sources[3];
    assert.match(
      broken?.kind === 'unusable' ? broken.reason : '',
      /^has the key bad, which is not valid YAML: /,
    );
  });
});
