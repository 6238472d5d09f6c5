/** Proves the cluster that other tests of the tier rely on: names, services, and what kubectl does to pods. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { withKubernetes } from './cluster.ts';
import { askCounter, counterObjects, counterPort, waitForCounter } from './fixtures/counter.ts';
import type { Pod } from './objects.ts';
import { forward } from './reach.ts';

const kubernetes = withKubernetes();
const outsideOnly = kubernetes.nodes === undefined ? 'pods are not routable from here' : false;

describe('the test cluster', () => {
  let namespace = '';
  let remove = async (): Promise<void> => undefined;
  before(async () => {
    [namespace, remove] = await kubernetes.makeNamespace('cluster');
    await kubernetes.apply(counterObjects(kubernetes.images.node, 3), namespace);
    await waitForCounter(kubernetes, namespace, 3);
  });
  after(async () => remove());

  const exec = async (pod: string, ...command: string[]): Promise<string> =>
    kubernetes.kubectl(['exec', '-n', namespace, pod, '--', ...command]);

  it('has only ready nodes', async () => {
    const statuses = await kubernetes.kubectl([
      ...['get', 'nodes', '-o'],
      'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}',
    ]);
    assert.deepEqual([...new Set(statuses.split(' '))], ['True']);
  });

  it('resolves the name of one pod in another pod, with the resolver that Node uses', async () => {
    const program = `require('node:dns').promises.lookup('counter-1.counter').then((found) => console.log(found.address))`;
    const pod = await kubernetes.get<Pod>({ kind: 'pod', name: 'counter-1', namespace });
    assert.equal((await exec('counter-0', 'node', '-e', program)).trim(), pod?.status.podIP);
  });

  it('has an SRV record for each pod behind a headless service', async () => {
    const name = `_http._tcp.counter.${namespace}.svc.cluster.local`;
    const program = `require('node:dns').promises.resolveSrv('${name}').then((found) => console.log(JSON.stringify(found.map((each) => each.name).sort())))`;
    assert.deepEqual(
      JSON.parse(await exec('counter-0', 'node', '-e', program)),
      [0, 1, 2].map((index) => `counter-${index}.counter.${namespace}.svc.cluster.local`),
    );
  });

  it('says of an unknown name that it does not exist', async () => {
    const program = `require('node:dns').promises.lookup('nobody.invalid').catch((error) => console.log(error.code))`;
    assert.equal((await exec('counter-0', 'node', '-e', program)).trim(), 'ENOTFOUND');
  });

  it('spreads the requests to a service over its pods', async () => {
    const program = `(async () => {
      const hosts = new Set();
      while (hosts.size < 3) hosts.add((await (await fetch('http://counter-ready/', { headers: { connection: 'close' } })).json()).host);
      console.log(JSON.stringify([...hosts].sort()));
    })()`;
    const hosts = await exec('counter-0', 'timeout', '20', 'node', '-e', program);
    assert.deepEqual(JSON.parse(hosts), ['counter-0', 'counter-1', 'counter-2']);
  });

  it('can be reached from the tests, pods and services', async () => {
    const hosts = [];
    for (const object of ['pod/counter-2', 'service/counter-ready']) {
      const port = object.startsWith('pod/') ? counterPort : 80;
      const { address, close } = await kubernetes.reach({ namespace, object, port });
      hosts.push((await askCounter(address)).host);
      await close();
    }
    assert.equal(hosts[0], 'counter-2');
    assert.match(hosts[1]!, /^counter-\d$/);
  });

  it('routes names of pods to the tests', { skip: outsideOnly }, async () => {
    const name = `counter-2.counter.${namespace}.svc.cluster.local:${counterPort}`;
    assert.equal((await askCounter(name)).host, 'counter-2');
  });

  it('forwards a port through the API server', async () => {
    const target = { namespace, object: 'pod/counter-1', port: counterPort };
    const { address, close } = await forward('kubectl', kubernetes.kubeconfig, target);
    assert.equal((await askCounter(address)).host, 'counter-1');
    await close();
    await assert.rejects(askCounter(address));
  });

  it('lets a pod call the API with the token of its service account', async () => {
    const program = `
      const token = require('node:fs').readFileSync('/var/run/secrets/kubernetes.io/serviceaccount/token', 'utf8');
      fetch('https://kubernetes.default.svc/version', { headers: { authorization: 'Bearer ' + token } })
        .then((response) => response.json())
        .then((version) => console.log(version.major));`;
    const certificate = '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt';
    const major = await exec(
      ...(['counter-0', 'env', `NODE_EXTRA_CA_CERTS=${certificate}`] as const),
      ...['node', '-e', program],
    );
    assert.equal(major.trim(), '1');
  });

  it('shows logs and passes standard input', async () => {
    const logs = await kubernetes.kubectl(['logs', '-n', namespace, 'counter-0']);
    assert.equal(logs, 'listening\n');
    const args = ['exec', '-i', '-n', namespace, 'counter-0', '--', 'cat'];
    assert.equal(await kubernetes.kubectl(args, 'through the pod'), 'through the pod');
  });

  it('completes a job', async () => {
    const image = kubernetes.images.busybox;
    await kubernetes.kubectl([
      ...['create', 'job', 'once', '-n', namespace, `--image=${image}`, '--', 'echo', 'done'],
    ]);
    await kubernetes.kubectl([
      ...['wait', '-n', namespace, '--for=condition=complete', 'job/once', '--timeout=60s'],
    ]);
    assert.equal(await kubernetes.kubectl(['logs', '-n', namespace, 'job/once']), 'done\n');
  });

  it('refuses an eviction that a disruption budget forbids', async () => {
    await kubernetes.kubectl([
      ...['create', 'pdb', 'counter', '-n', namespace, '--selector=app=counter'],
      '--min-available=3',
    ]);
    await kubernetes.waitUntil('the budget to be counted', async () => {
      const reference = { kind: 'poddisruptionbudget', name: 'counter', namespace };
      return (await kubernetes.get(reference))?.status?.['currentHealthy'] === 3;
    });
    const path = `/api/v1/namespaces/${namespace}/pods/counter-0/eviction`;
    const eviction = {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name: 'counter-0', namespace },
    };
    await assert.rejects(
      kubernetes.kubectl(['create', '--raw', path, '-f', '-'], JSON.stringify(eviction)),
      /disruption budget/,
    );
    await kubernetes.kubectl(['delete', 'pdb', 'counter', '-n', namespace]);
  });

  it('installs, upgrades and removes a chart', async () => {
    const chart = mkdtempSync(path.join(os.tmpdir(), 'tonearm-chart-'));
    try {
      mkdirSync(path.join(chart, 'templates'));
      writeFileSync(path.join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: one\nversion: 0.1.0\n');
      const template =
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {word: {{ .Values.word }}}\n';
      writeFileSync(path.join(chart, 'templates', 'one.yaml'), template);
      const common = ['one', chart, '-n', namespace, '--wait'];
      const word = async (): Promise<unknown> => {
        const found = await kubernetes.get<{ readonly data: { readonly word: string } }>({
          ...{ kind: 'configmap', name: 'one', namespace },
        });
        return found?.data.word;
      };
      await kubernetes.helm(['install', ...common, '--set', 'word=first']);
      assert.equal(await word(), 'first');
      await kubernetes.helm(['upgrade', ...common, '--set', 'word=second']);
      assert.equal(await word(), 'second');
      await kubernetes.helm(['uninstall', 'one', '-n', namespace, '--wait']);
      assert.equal(await word(), undefined);
    } finally {
      rmSync(chart, { recursive: true });
    }
  });
});
