/** What is left to a person whose operator is gone: no operator runs here, so nobody takes its finalizer off. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { type KubernetesApi, startKubernetesApi } from '@tonearm/cli/embedded';
import { crds } from '@tonearm/operator/api';
import { findKubectl } from '../support/tonearm-up.ts';
import { waitUntil } from '../support/wait-until.ts';

const kubectl = findKubectl();
const absent = kubectl === undefined && 'no kubectl on the PATH';
const TONEARM = { group: 'tonearm.dev', version: 'v1alpha1' };

/** As the operator has made them: each owned by the one before. */
function makeCluster({ store }: KubernetesApi): void {
  const definitions = { group: 'apiextensions.k8s.io', version: 'v1' };
  const place = store.resource({ ...definitions, plural: 'customresourcedefinitions' });
  for (const definition of crds()) store.create(place, '', { ...definition });
  const spec = { image: 'localhost/employees:dev', replicaSets: [] };
  const clusters = store.resource({ ...TONEARM, plural: 'clusters' });
  const cluster = store.create(clusters, 'default', { metadata: { name: 'employees' }, spec });
  const name = 'employees-storage-1';
  const replicaSets = store.resource({ ...TONEARM, plural: 'replicasets' });
  const replicaSet = store.create(replicaSets, 'default', {
    metadata: {
      name,
      finalizers: ['tonearm.dev/drain'],
      ownerReferences: [ownedBy(cluster.object)],
    },
    spec: { clusterName: 'employees', replicas: 1, roles: ['storage'] },
  });
  const labels = { app: name };
  const sets = store.resource({ group: 'apps', version: 'v1', plural: 'statefulsets' });
  store.create(sets, 'default', {
    metadata: { name, ownerReferences: [ownedBy(replicaSet.object)] },
    spec: {
      serviceName: name,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: 'instance', image: 'localhost/employees:dev' }] },
      },
    },
  });
}

interface Owner {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly uid: string };
}

function ownedBy({ apiVersion, kind, metadata: { name, uid } }: Owner): object {
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}

describe('a cluster that is deleted after its operator', { skip: absent }, () => {
  it('goes with its processes when its replica sets lose their finalizer', async (test) => {
    const api = await startKubernetesApi();
    test.after(() => api.close());
    makeCluster(api);
    const home = mkdtempSync(path.join(tmpdir(), 'tonearm-kubectl-'));
    test.after(() => rmSync(home, { recursive: true }));
    const run = async (...args: readonly string[]): Promise<string> => {
      const environment = { ...process.env, HOME: home };
      const all = [`--server=${api.url}`, '-n', 'default', ...args];
      const { stdout } = await promisify(execFile)(kubectl ?? '', all, { env: environment });
      return stdout;
    };
    const left = (): Promise<string> => run('get', 'tcl,trs,statefulsets', '-o', 'name');

    await run('delete', 'tcl', 'employees');
    const deleted = ['get', 'trs', '-o', 'jsonpath={.items[*].metadata.deletionTimestamp}'];
    await waitUntil('the deletion of the replica set', () => run(...deleted));
    assert.equal(
      await left(),
      'replicaset.tonearm.dev/employees-storage-1\nstatefulset.apps/employees-storage-1\n',
    );

    const none = '{"metadata":{"finalizers":null}}';
    await run('patch', 'trs', 'employees-storage-1', '--type=merge', '-p', none);
    await waitUntil('the end of the processes', async () => (await left()) === '');
  });
});
