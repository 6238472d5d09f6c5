import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type ContainerStatus,
  EmbeddedNode,
  type KubernetesApi,
  LocalPorts,
  type NodeObject,
  type Pod,
  ProcessHost,
  podLogFile,
  processStartTime,
  type StatefulSet,
  StoreNodeApi,
  startKubernetesApi,
} from '@tonearm/cli/embedded';
import { silentLogger, systemClock } from '@tonearm/runtime/foundation';

const application = path.join(import.meta.dirname, 'fixtures/node-application/main.ts');
const IMAGE = 'localhost/test/application:dev';

/** One machine of an embedded Kubernetes, in a folder of its own, that can be stopped and started again. */
class Machine {
  readonly directory = mkdtempSync(path.join(tmpdir(), 'tonearm-node-'));
  readonly notices: string[] = [];
  readonly failures: unknown[] = [];
  #api: KubernetesApi | undefined;
  #node: EmbeddedNode | undefined;
  #host: ProcessHost | undefined;

  async start(): Promise<void> {
    this.#api = await startKubernetesApi({ file: path.join(this.directory, 'objects.json') });
    this.#host = ProcessHost.open(path.join(this.directory, 'node'));
    this.#node = EmbeddedNode.start({
      api: new StoreNodeApi(this.#api.store),
      host: this.#host,
      ports: LocalPorts.open(path.join(this.directory, 'node')),
      images: {
        resolve: (image) =>
          image === IMAGE
            ? {
                kind: 'found',
                image: { command: process.execPath, args: [application], directory: tmpdir() },
              }
            : { kind: 'unknown', reason: `no folder is known for ${image}` },
      },
      directory: this.directory,
      clock: systemClock,
      logger: silentLogger,
      onNotice: (notice) => this.notices.push(notice),
      onFailure: (name, error) => this.failures.push({ name, error }),
    });
  }

  async stop(): Promise<void> {
    await this.#node?.stop(5_000);
    await this.#host?.close();
    await this.#api?.close();
    this.#node = undefined;
    assert.deepEqual(this.failures, []);
  }

  async remove(): Promise<void> {
    if (this.#node !== undefined) await this.stop();
    rmSync(this.directory, { recursive: true });
  }

  async request(method: string, resource: string, body?: object, type = 'json'): Promise<unknown> {
    const response = await fetch(`${this.#api?.url ?? ''}${resource}`, {
      method,
      headers: { 'content-type': `application/${type}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (response.status === 404) return undefined;
    assert.ok(response.ok, `${method} ${resource} answers ${response.status}`);
    return response.json();
  }

  async list<T extends NodeObject>(plural: string): Promise<readonly T[]> {
    return ((await this.request('GET', `${CORE}/${plural}`)) as { items: readonly T[] }).items;
  }

  async pod(name: string): Promise<Pod | undefined> {
    return (await this.request('GET', `${CORE}/pods/${name}`)) as Pod | undefined;
  }

  /** Waits until the pod of this name is ready, and is not the one with the uid to leave out. */
  async readyPod(name: string, otherThan = ''): Promise<Pod> {
    return until(`${name} ready`, async () => {
      const pod = await this.pod(name);
      return isReady(pod) && pod?.metadata.uid !== otherThan ? pod : undefined;
    });
  }

  async podNames(): Promise<string[]> {
    return (await this.list('pods')).map((pod) => pod.metadata.name);
  }

  async scale(name: string, replicas: number): Promise<void> {
    const patch = { spec: { replicas } };
    await this.request('PATCH', `${APPS}/${name}/scale`, patch, 'merge-patch+json');
  }

  async eventsOf(name: string): Promise<string[]> {
    const events = await this.list<Event>('events');
    return events.filter((event) => event.involvedObject.name === name).map(({ reason }) => reason);
  }
}

interface Event extends NodeObject {
  readonly involvedObject: { readonly name: string };
  readonly reason: string;
}

const CORE = '/api/v1/namespaces/default';
const APPS = '/apis/apps/v1/namespaces/default/statefulsets';

function isReady(pod: Pod | undefined): boolean {
  const ready = pod?.status?.conditions?.find((condition) => condition.type === 'Ready');
  return ready?.status === 'True';
}

function containerOf(pod: Pod | undefined): ContainerStatus | undefined {
  return pod?.status?.containerStatuses?.[0];
}

async function until<T>(what: string, observe: () => Promise<T | undefined>): Promise<T> {
  const deadlineMs = performance.now() + 20_000;
  while (performance.now() < deadlineMs) {
    const found = await observe();
    if (found !== undefined) return found;
    await delay(25);
  }
  throw new Error(`timed out waiting for: ${what}`);
}

const HTTP_ADDRESS = 'tonearm.dev/http-address';

async function ask(pod: Pod, question: string): Promise<string> {
  const address = pod.metadata.annotations?.[HTTP_ADDRESS] ?? '';
  return (await fetch(`http://${address}/${question}`)).text();
}

function statefulSet(
  name: string,
  replicas: number,
  { environment = [], image = IMAGE }: { environment?: object[]; image?: string } = {},
): object {
  const labels = { app: name };
  const probe = { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 1 };
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name },
    spec: {
      replicas,
      serviceName: name,
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'OnDelete' },
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 5,
          containers: [
            {
              name: 'instance',
              image,
              ports: [
                { name: 'http', containerPort: 8081 },
                { name: 'iproto', containerPort: 3301 },
              ],
              env: [
                { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
                { name: 'TONEARM_HTTP_PORT', value: '8081' },
                { name: 'TONEARM_WORKDIR', value: '/var/lib/tonearm/data' },
                { name: 'URI', value: '$(NAME):$(TONEARM_HTTP_PORT)' },
                { name: 'COOKIE_FILE', value: '/etc/secret/cookie' },
                ...environment,
              ],
              volumeMounts: [
                { name: 'data', mountPath: '/var/lib/tonearm/data' },
                { name: 'secret', mountPath: '/etc/secret' },
              ],
              readinessProbe: probe,
            },
          ],
          volumes: [{ name: 'secret', secret: { secretName: 'shared' } }],
        },
      },
      volumeClaimTemplates: [
        {
          metadata: { name: 'data' },
          spec: {
            accessModes: ['ReadWriteOnce'],
            resources: { requests: { storage: '1Gi' } },
          },
        },
      ],
    },
  };
}

describe('the embedded node', () => {
  const machine = new Machine();

  before(async () => {
    await machine.start();
    await machine.request('POST', `${CORE}/secrets`, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'shared' },
      stringData: { cookie: 'first' },
    });
    await machine.request('POST', APPS, statefulSet('app', 2));
  });
  after(() => machine.remove());

  it('runs the pods of a set, with their environment, secrets and ports', async () => {
    await machine.readyPod('app-1');
    const first = await machine.readyPod('app-0');
    const environment = JSON.parse(await ask(first, 'environment')) as Record<string, string>;
    const port = environment['TONEARM_HTTP_PORT'] ?? '';
    assert.equal(environment['URI'], `app-0:${port}`);
    assert.equal(environment['TONEARM_ADVERTISE_HOST'], '127.0.0.1');
    assert.equal(await ask(first, 'secret'), 'first');
    assert.equal(first.metadata.annotations?.[HTTP_ADDRESS], `127.0.0.1:${port}`);
    const status = await until('counts', async () => {
      const set = (await machine.request('GET', `${APPS}/app`)) as StatefulSet;
      return set.status?.readyReplicas === 2 ? set.status : undefined;
    });
    assert.deepEqual(
      [status.replicas, status.updatedReplicas, status.observedGeneration],
      [2, 2, 1],
    );
    assert.deepEqual(
      (await machine.list<Pod>('persistentvolumeclaims')).map((claim) => [
        claim.metadata.name,
        claim.status?.phase,
      ]),
      [
        ['data-app-0', 'Bound'],
        ['data-app-1', 'Bound'],
      ],
    );
  });

  it('starts a killed container again in the same pod', async () => {
    const pod = await machine.readyPod('app-0');
    process.kill(Number(await ask(pod, 'pid')), 'SIGKILL');
    const restarted = await until('a restart', async () => {
      const found = await machine.readyPod('app-0');
      return containerOf(found)?.restartCount === 1 ? found : undefined;
    });
    assert.equal(restarted.metadata.uid, pod.metadata.uid);
    const lastState = containerOf(restarted)?.lastState ?? {};
    assert.ok('terminated' in lastState);
    assert.deepEqual([lastState.terminated.exitCode, lastState.terminated.reason], [137, 'Error']);
  });

  it('takes a pod that answers badly out of service, and back', async () => {
    const pod = await machine.readyPod('app-1');
    await ask(pod, 'unready');
    await until('not ready', async () => !isReady(await machine.pod('app-1')) || undefined);
    process.kill(Number(await ask(pod, 'pid')), 'SIGKILL');
    await machine.readyPod('app-1');
    assert.ok((await machine.eventsOf('app-1')).includes('Unhealthy'));
  });

  it('gives a deleted pod time to end, and its successor the same data and port', async () => {
    const pod = await machine.readyPod('app-0');
    await ask(pod, 'remember');
    await machine.request('DELETE', `${CORE}/pods/app-0`);
    const successor = await machine.readyPod('app-0', pod.metadata.uid);
    assert.equal(await ask(successor, 'memory'), 'kept');
    assert.equal(
      successor.metadata.annotations?.[HTTP_ADDRESS],
      pod.metadata.annotations?.[HTTP_ADDRESS],
    );
    const log = podLogFile(machine.directory, { namespace: 'default', name: 'app-0' });
    assert.match(readFileSync(log.replace('.log', '.previous.log'), 'utf8'), /asked to end/);
    assert.match(readFileSync(log, 'utf8'), /^listening on \d+\n$/);
    assert.ok((await machine.eventsOf('app-0')).includes('Killing'));
  });

  it('scales up and down, and keeps the claims', async () => {
    await machine.scale('app', 4);
    await machine.readyPod('app-3');
    await machine.scale('app', 1);
    await until('one pod', async () => (await machine.podNames()).length === 1 || undefined);
    assert.deepEqual(await machine.podNames(), ['app-0']);
    assert.equal((await machine.list('persistentvolumeclaims')).length, 4);
  });

  it('finds its pods, data and ports again after a stop, and leaves no process meanwhile', async () => {
    const pod = await machine.readyPod('app-0');
    const pid = Number(await ask(pod, 'pid'));
    await machine.stop();
    assert.equal(processStartTime(pid), undefined);
    await machine.start();
    const again = await until('another process', async () => {
      const found = await machine.readyPod('app-0');
      return Number(await ask(found, 'pid')) === pid ? undefined : found;
    });
    assert.equal(again.metadata.uid, pod.metadata.uid);
    assert.deepEqual(again.metadata.annotations, pod.metadata.annotations);
    assert.equal(await ask(again, 'memory'), 'kept');
  });

  it('kills what does not end in time', async () => {
    const environment = [{ name: 'STUBBORN', value: 'yes' }];
    await machine.request('POST', APPS, statefulSet('stubborn', 1, { environment }));
    const pod = await machine.readyPod('stubborn-0');
    const pid = Number(await ask(pod, 'pid'));
    await machine.scale('stubborn', 0);
    await machine.request('DELETE', `${CORE}/pods/stubborn-0?gracePeriodSeconds=1`);
    await until('it to be gone', async () => processStartTime(pid) === undefined || undefined);
    await until('no pod', async () => (await machine.pod('stubborn-0')) === undefined || undefined);
  });

  it('says which image it does not know', async () => {
    const image = 'example.org/other:1';
    await machine.request('POST', APPS, statefulSet('strange', 1, { image }));
    const waiting = await until('a reason', async () => {
      const state = containerOf(await machine.pod('strange-0'))?.state;
      const waiting = state !== undefined && 'waiting' in state ? state.waiting : undefined;
      return waiting?.reason === 'ErrImagePull' ? waiting : undefined;
    });
    assert.equal(waiting.message, 'no folder is known for example.org/other:1');
    await machine.request('DELETE', `${APPS}/strange`);
    await until('no pod', async () => (await machine.pod('strange-0')) === undefined || undefined);
  });

  it('leads the Service of a template to ready pods, on the next port when one is taken', async () => {
    const taken = createServer();
    taken.listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    await machine.request('POST', `${CORE}/services`, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'app', labels: { 'tonearm.dev/template': 'app' } },
      spec: { selector: { app: 'app' }, ports: [{ name: 'http', port, targetPort: 'http' }] },
    });
    const address = await until('an address', async () => {
      const service = (await machine.request('GET', `${CORE}/services/app`)) as NodeObject;
      return service.metadata.annotations?.['tonearm.dev/local-address']?.split('=')[1];
    });
    const pod = await machine.readyPod('app-0');
    const pid = await ask(pod, 'pid');
    const answer = await until('an answer', async () => {
      const response = await fetch(`http://${address}/pid`).catch(() => undefined);
      return response?.text();
    });
    assert.equal(answer, pid);
    assert.deepEqual(machine.notices, [
      `port ${port} is in use: default/app/http is on ${address}`,
    ]);
    taken.close();
    await machine.scale('app', 0);
    await until('no pods', async () => (await machine.podNames()).length === 0 || undefined);
    await assert.rejects(fetch(`http://${address}/pid`));
  });

  it('removes the data with the claim', async () => {
    const volumes = (): number => readdirSync(path.join(machine.directory, 'volumes')).length;
    const before = volumes();
    await machine.request('DELETE', `${CORE}/persistentvolumeclaims/data-app-3`);
    await until('the folder to go', async () => volumes() === before - 1 || undefined);
  });
});

describe('a process host that is killed', () => {
  it('takes its processes with it', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'tonearm-host-'));
    const script = `
      const { ProcessHost } = await import(${JSON.stringify(import.meta.resolve('@tonearm/cli/embedded'))});
      const host = ProcessHost.open(${JSON.stringify(directory)});
      const child = host.start({
        command: process.execPath,
        args: ['-e', 'setInterval(() => undefined, 1000)'],
        environment: {},
        directory: ${JSON.stringify(directory)},
        logFile: ${JSON.stringify(path.join(directory, 'child.log'))},
      });
      process.stdout.write(String(child.pid));
      setInterval(() => undefined, 1000);
    `;
    const flags = ['--conditions=source', '--input-type=module', '-e', script];
    const parent = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [text] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(text.toString());
    assert.notEqual(processStartTime(pid), undefined);
    parent.kill('SIGKILL');
    await until('the child to end', async () => processStartTime(pid) === undefined || undefined);
    assert.ok(existsSync(path.join(directory, 'processes.json')));
    rmSync(directory, { recursive: true });
  });
});
