import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClusterConfig, InstanceStatus } from '@tonearm/runtime/contract';
import type { Pod } from '../api/kube-object.ts';
import { AdminApiError } from '../ports/admin-api.ts';
import { GivenAdminApi, type GivenInstance } from '../testing/given-admin-api.ts';
import { describeStatus } from '../testing/instance-statuses.ts';
import { InstanceObserver } from './observe-instances.ts';

const CLUSTER = '0a000000-0000-4000-8000-000000000001';
const SET = 'employees-storage-1';

function pod(name: string, fields: { phase?: string; metadata?: object } = {}): Pod {
  const { phase = 'Running', metadata = {} } = fields;
  const labels = {
    'tonearm.dev/cluster': 'employees',
    'tonearm.dev/replica-set': name.replace(/-\d+$/, ''),
    'app.kubernetes.io/component': 'instance',
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'data', labels, ...metadata },
    spec: { containers: [] },
    status: { phase, conditions: [{ type: 'Ready', status: 'True' }] },
  };
}

function addressOf(name: string): string {
  return `${name}.employees.data.svc:8081`;
}

function status(name: string, version = 0, fields: Partial<InstanceStatus> = {}): InstanceStatus {
  const facts = { pod: name, replicaSet: SET, uuid: name, clusterUuid: CLUSTER };
  return { ...describeStatus({ ...facts, version, checksum: `c${version}` }), ...fields };
}

function config(version: number): ClusterConfig {
  const meta = { changeId: '', clusterUuid: CLUSTER, author: '', message: '', time: '' };
  return { meta: { version, checksum: `c${version}`, ...meta }, sections: {} };
}

function apiWith(instances: Readonly<Record<string, GivenInstance>>): GivenAdminApi {
  return new GivenAdminApi(
    Object.fromEntries(Object.entries(instances).map(([name, given]) => [addressOf(name), given])),
  );
}

const [A, B, C] = [`${SET}-0`, `${SET}-1`, `${SET}-10`];

describe('InstanceObserver, asking for status', () => {
  it('tells all that is known of a pod, in the order of its place', async () => {
    const api = apiWith({ [A]: { status: status(A) }, [C]: { status: status(C) } });
    const created = { creationTimestamp: '2026-01-01T00:00:00Z' };
    const seen = pod(A, { metadata: created });
    const placed = { ...seen, spec: { ...seen.spec, nodeName: 'worker-1' } };
    const pods = [pod(C), pod(B, { phase: 'Pending' }), placed];
    const { instances } = await new InstanceObserver(api).observe(pods, CLUSTER);
    assert.deepEqual(
      instances.map(({ podName, ordinal, answer }) => [podName, ordinal, answer.kind]),
      [
        [A, 0, 'status'],
        [B, 1, 'silent'],
        [C, 10, 'status'],
      ],
    );
    assert.deepEqual(instances[0], {
      podName: A,
      replicaSet: SET,
      ordinal: 0,
      address: addressOf(A),
      ready: true,
      terminating: false,
      node: 'worker-1',
      createdMs: Date.parse('2026-01-01T00:00:00Z'),
      answer: { kind: 'status', status: status(A) },
    });
  });

  const silences: readonly {
    readonly name: string;
    readonly pod?: Pod;
    readonly instance?: GivenInstance;
    readonly reason: string;
  }[] = [
    {
      name: 'a pod that does not run yet',
      pod: pod(A, { phase: 'Pending' }),
      reason: 'its pod is Pending',
    },
    { name: 'an instance that does not answer', reason: 'no answer' },
    {
      name: 'an instance of another cluster',
      instance: { status: status(A, 0, { clusterUuid: 'another' }) },
      reason: 'it belongs to cluster another',
    },
    {
      name: 'another instance at the same address',
      instance: { status: status(B) },
      reason: `${B} answers in its place`,
    },
  ];
  for (const { name, pod: seen = pod(A), instance = {}, reason } of silences) {
    it(`believes nothing of ${name}`, async () => {
      const observer = new InstanceObserver(apiWith({ [A]: instance }));
      const { instances } = await observer.observe([seen], CLUSTER);
      assert.deepEqual(instances[0]?.answer, { kind: 'silent', reason });
    });
  }

  it('says why an instance refused, and lets a bug through', async () => {
    const api = apiWith({});
    api.fault = new AdminApiError('UNAUTHORIZED', 'the token is not ours');
    const { instances } = await new InstanceObserver(api).observe([pod(A)], CLUSTER);
    assert.deepEqual(instances[0]?.answer, { kind: 'silent', reason: 'the token is not ours' });
    api.fault = new TypeError('a bug');
    await assert.rejects(new InstanceObserver(api).observe([pod(A)], CLUSTER), TypeError);
  });

  it('asks where the node says that the pod answers', async () => {
    const annotations = { 'tonearm.dev/http-address': '127.0.0.1:9000' };
    const api = new GivenAdminApi({ '127.0.0.1:9000': { status: status(A) } });
    const seen = pod(A, { metadata: { annotations } });
    const { instances } = await new InstanceObserver(api).observe([seen], CLUSTER);
    assert.deepEqual(
      instances.map(({ address, answer }) => [address, answer.kind]),
      [['127.0.0.1:9000', 'status']],
    );
  });

  it('asks no pod that is no instance, such as those of its etcd', async () => {
    const api = apiWith({});
    const etcd = pod('employees-etcd-0', {
      metadata: {
        labels: { 'tonearm.dev/cluster': 'employees', 'app.kubernetes.io/component': 'etcd' },
      },
    });
    const view = await new InstanceObserver(api).observe([etcd], CLUSTER);
    assert.deepEqual(view, { instances: [], config: undefined, roles: undefined });
    assert.deepEqual(api.asked, []);
  });
});

describe('InstanceObserver, asking for the config', () => {
  const roles = [{ name: 'app', dependencies: [] }];

  it('takes the newest, from whoever has it, and asks the next when one does not answer', async () => {
    const api = apiWith({
      [A]: { status: status(A, 4), config: config(4) },
      [B]: { status: status(B, 5) },
      [C]: { status: status(C, 5), config: config(5), roles },
    });
    const view = await new InstanceObserver(api).observe(
      [A, B, C].map((name) => pod(name)),
      CLUSTER,
    );
    assert.deepEqual([view.config, view.roles], [config(5), roles]);
  });

  it('knows none rather than an old one', async () => {
    const api = apiWith({
      [A]: { status: status(A, 4), config: config(4) },
      [B]: { status: status(B, 5) },
    });
    const view = await new InstanceObserver(api).observe([pod(A), pod(B)], CLUSTER);
    assert.equal(view.config, undefined);
  });

  it('reads it again only when it is another one, or was forgotten', async () => {
    const api = apiWith({ [A]: { status: status(A, 5), config: config(5), roles } });
    const observer = new InstanceObserver(api);
    const reads = async (): Promise<number> => {
      api.asked.length = 0;
      const view = await observer.observe([pod(A)], CLUSTER);
      assert.deepEqual(view.config, config(5));
      return api.asked.filter((call) => call.startsWith('config ')).length;
    };
    const counts = [await reads(), await reads()];
    observer.forget(CLUSTER);
    assert.deepEqual([...counts, await reads()], [1, 0, 1]);
  });
});
