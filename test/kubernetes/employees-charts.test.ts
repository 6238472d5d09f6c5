/** Proves the charts: a cluster by its own chart, an operator bound to one namespace, and what uninstalling leaves. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { topologyOf } from '@tonearm/runtime/config';
import type { ClusterConfig, Server } from '@tonearm/runtime/contract';
import { withKubernetes } from './cluster.ts';
import {
  installOperator,
  operatorSettings,
  repository,
  uninstallOperator,
} from './fixtures/operator.ts';

const kubernetes = withKubernetes();
const ZONE = 'topology.kubernetes.io/zone';
const labelNodes = ['label', 'nodes', '--all', '--overwrite'];
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
    await kubernetes.kubectl([...labelNodes, `${ZONE}-`]);
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

  /** What the config says of the only instance of a cluster. */
  const instanceOf = async (name: string): Promise<Server | undefined> => {
    const secret = ['get', 'secret', `${name}-cookie`, '-n', namespace];
    const data = await kubernetes.kubectl([...secret, '-o', 'jsonpath={.data.cookie}']);
    const cookie = Buffer.from(data, 'base64').toString();
    const authorization = `Basic ${Buffer.from(`admin:${cookie}`).toString('base64')}`;
    const target = { namespace, object: `pod/${name}-all-1-0`, port: 8081 };
    const { address, close } = await kubernetes.reach(target);
    try {
      const headers = { authorization };
      const answer = await fetch(`http://${address}/admin/cluster-config`, { headers });
      const servers = Object.values(topologyOf((await answer.json()) as ClusterConfig).servers);
      return servers.find((server) => server !== 'expelled');
    } finally {
      await close();
    }
  };

  it('make a cluster whose instances know node and zone, and remove it', async () => {
    await kubernetes.kubectl([...labelNodes, `${ZONE}=north`]);
    await installOperator(kubernetes, '--set', 'nodeZones=true');
    await installCluster('small');
    const pod = ['get', 'pod', 'small-all-1-0', '-n', namespace];
    const node = await kubernetes.kubectl([...pod, '-o', 'jsonpath={.spec.nodeName}']);
    const { zone, labels } = (await instanceOf('small')) ?? {};
    assert.deepEqual({ zone, labels }, { zone: 'north', labels: { node } });
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
