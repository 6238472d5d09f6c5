/** Proves the charts: a cluster by its own chart, an operator bound to one namespace, and what uninstalling leaves. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { withKubernetes } from './cluster.ts';
import {
  installOperator,
  operatorSettings,
  repository,
  uninstallOperator,
} from './fixtures/operator.ts';

const kubernetes = withKubernetes();
const clusterChart = path.join(repository, 'charts', 'tonearm-cluster');
const operatorChart = path.join(repository, 'charts', 'tonearm-operator');

describe('the charts', () => {
  let namespace = '';
  let remove = async (): Promise<void> => undefined;
  before(async () => {
    [namespace, remove] = await kubernetes.makeNamespace('charts');
  });
  after(async () => {
    await remove();
    await installOperator(kubernetes);
  });

  const installCluster = async (name: string): Promise<void> => {
    const replicaSets = [
      { name: 'all', roles: ['failover-coordinator', 'app.roles.api', 'app.roles.storage'] },
    ].map((each) => ({ ...each, weight: 1, count: 1, initialReplicas: 1, ephemeral: true }));
    await kubernetes.helm([
      ...['install', name, clusterChart, '-n', namespace],
      ...['--set', `spec.image=${kubernetes.images.employees}`],
      ...['--set-json', `spec.replicaSets=${JSON.stringify(replicaSets)}`],
    ]);
    await kubernetes.kubectl([
      ...['wait', `tcl/${name}`, '-n', namespace, '--for=condition=Ready', '--timeout=90s'],
    ]);
  };

  it('make a cluster, and remove it', async () => {
    await installOperator(kubernetes);
    await installCluster('small');
    await kubernetes.helm(['uninstall', 'small', '-n', namespace, '--wait']);
    await kubernetes.waitUntil('the pods to be gone', async () => {
      const left = await kubernetes.kubectl(['get', 'pods', '-n', namespace, '-o', 'name']);
      return left === '';
    });
  });

  it('leave the definitions and the clusters when the operator is uninstalled', async () => {
    await installOperator(kubernetes);
    await installCluster('left');
    await uninstallOperator(kubernetes);
    const pods = ['get', 'pod', 'left-all-1-0', '-n', namespace, '-o', 'jsonpath={.status.phase}'];
    assert.equal(await kubernetes.kubectl(pods), 'Running');
    const crd = await kubernetes.get({ kind: 'crd', name: 'clusters.tonearm.dev' });
    assert.notEqual(crd, undefined);
  });

  it('let an operator work in one namespace with no right outside of it', async () => {
    const release = ['bound', operatorChart, '-n', namespace];
    await kubernetes.helm([
      ...['install', ...release, '--wait', '--timeout', '120s', ...operatorSettings(kubernetes)],
      ...['--set', `watchNamespaces={${namespace}}`, '--set', 'crds.enabled=false'],
    ]);
    const bindings = await kubernetes.kubectl(['get', 'clusterrolebindings', '-o', 'json']);
    assert.ok(!bindings.includes('bound-tonearm-operator'));
    await kubernetes.kubectl(['delete', 'tcl/left', '-n', namespace]);
    await installCluster('within');
    await kubernetes.helm(['uninstall', 'within', '-n', namespace, '--wait']);
    await kubernetes.helm(['uninstall', 'bound', '-n', namespace, '--wait']);
  });
});
