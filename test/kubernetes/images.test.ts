/** Proves the images that were built from the repository: they start, as nobody, with nothing to write to. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { withKubernetes } from './cluster.ts';
import { uncompiledEntries } from './images/build-images.ts';
import { isReady, type Pod } from './objects.ts';

const kubernetes = withKubernetes();

const restricted = {
  readOnlyRootFilesystem: true,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
};

describe('the images', () => {
  let namespace = '';
  let remove = async (): Promise<void> => undefined;
  before(async () => {
    [namespace, remove] = await kubernetes.makeNamespace('images');
  });
  after(async () => remove());

  const startPod = async (name: string, container: object): Promise<void> => {
    const spec = {
      restartPolicy: 'Never',
      securityContext: { runAsNonRoot: true, fsGroup: 65532 },
      containers: [{ name: 'main', securityContext: restricted, ...container }],
      volumes: [{ name: 'data', emptyDir: {} }],
    };
    await kubernetes.apply(
      [{ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }],
      namespace,
    );
  };
  const pod = async (name: string): Promise<Pod | undefined> =>
    kubernetes.get<Pod>({ kind: 'pod', name, namespace });

  it('include an etcd that stores and tells', async () => {
    await startPod('etcd', {
      image: kubernetes.images.etcd,
      args: ['--data-dir=/data/etcd', '--listen-client-urls=http://0.0.0.0:2379'].concat(
        '--advertise-client-urls=http://127.0.0.1:2379',
      ),
      readinessProbe: { httpGet: { path: '/readyz', port: 2379 }, periodSeconds: 1 },
      volumeMounts: [{ name: 'data', mountPath: '/data' }],
    });
    await kubernetes.waitUntil('etcd to be ready', async () => isReady(await pod('etcd')));
    const reference = { namespace, pod: 'etcd' };
    await kubernetes.etcdctl(reference, ['put', 'greeting', 'hello']);
    const told = await kubernetes.etcdctl(reference, ['get', 'greeting']);
    assert.equal(told, 'greeting\nhello\n');
  });

  it('run as a user without rights, on files that cannot be written', async () => {
    await startPod('nobody', {
      image: kubernetes.images.node,
      command: ['/bin/sh', '-c', 'id -u; touch /tmp/file 2>&1; node --version'],
    });
    await kubernetes.waitUntil(
      'the pod to have ended',
      async () => (await pod('nobody'))?.status.phase === 'Succeeded',
    );
    const logs = await kubernetes.kubectl(['logs', 'nobody', '-n', namespace]);
    assert.match(logs, /^65532\n.*Read-only file system\nv24\./);
  });

  const packages = [
    { role: 'operator', names: ['@tonearm/operator', '@tonearm/runtime/contract'] },
    { role: 'employees', names: ['@tonearm/runtime', '@tonearm/runtime/role'] },
  ] as const;
  for (const { role, names } of packages) {
    const missing = uncompiledEntries(role);
    const skip = missing.length > 0 && `${missing.join(', ')} was not compiled`;
    it(`hold every package that the ${role} imports, compiled`, { skip }, async () => {
      const imports = names.map((name) => `await import('${name}')`).join('; ');
      await startPod(role, {
        image: kubernetes.images[role],
        command: ['/bin/node', '--input-type=module', '-e', `${imports}; console.log('imported')`],
        workingDir: role === 'operator' ? '/app/operator' : '/app/examples/employees',
      });
      await kubernetes.waitUntil('the pod to have ended', async () =>
        ['Succeeded', 'Failed'].includes((await pod(role))?.status.phase ?? ''),
      );
      assert.equal(await kubernetes.kubectl(['logs', role, '-n', namespace]), 'imported\n');
    });
  }
});
