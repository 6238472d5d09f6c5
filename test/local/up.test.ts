import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { processStartTime } from '@tonearm/cli/embedded';

const root = path.resolve(import.meta.dirname, '../..');
const application = path.join(import.meta.dirname, 'fixtures/node-application/main.ts');

interface Run {
  readonly exitCode: number | null;
  readonly output: string;
}

class Tonearm {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'tonearm-up-'));
  readonly state = path.join(this.folder, 'state');
  #up: ChildProcess | undefined;

  start(...args: readonly string[]): Promise<Run> {
    const child = this.#spawn('up', ...args);
    this.#up = child;
    return finished(child);
  }

  run(command: string, ...args: readonly string[]): Promise<Run> {
    return finished(this.#spawn(command, ...args));
  }

  signal(signal: NodeJS.Signals): void {
    this.#up?.kill(signal);
  }

  remove(): void {
    this.#up?.kill('SIGKILL');
    rmSync(this.folder, { recursive: true });
  }

  /** The process that a pod runs in; waits until it is ready. */
  async pidOf(pod: string): Promise<number> {
    return until(`${pod} to be ready`, async () => {
      const found = await this.#get(`/api/v1/namespaces/default/pods/${pod}`);
      const conditions = found?.status?.conditions ?? [];
      if (!conditions.some(({ type, status }) => type === 'Ready' && status === 'True')) return;
      const address = found?.metadata.annotations?.['tonearm.dev/http-address'] ?? '';
      return Number(await (await fetch(`http://${address}/pid`)).text());
    });
  }

  async #get(resource: string): Promise<PodAnswer | undefined> {
    const file = path.join(this.state, 'kubeconfig');
    if (!existsSync(file)) return undefined;
    const server = /server: (\S+)/.exec(readFileSync(file, 'utf8'))?.[1] ?? '';
    const response = await fetch(server + resource).catch(() => undefined);
    return response?.ok === true ? ((await response.json()) as PodAnswer) : undefined;
  }

  #spawn(command: string, ...args: readonly string[]): ChildProcess {
    const main = path.join(root, 'cli/src/main.ts');
    const flags = ['--conditions=source', main, command, '--state', this.state, ...args];
    return spawn(process.execPath, flags, {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}

interface PodAnswer {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

async function finished(child: ChildProcess): Promise<Run> {
  let output = '';
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  await once(child, 'close');
  return { exitCode: child.exitCode, output };
}

async function until<T>(what: string, observe: () => Promise<T | undefined>): Promise<T> {
  const deadlineMs = performance.now() + 20_000;
  while (performance.now() < deadlineMs) {
    const found = await observe();
    if (found !== undefined) return found;
    await delay(50);
  }
  throw new Error(`timed out waiting for: ${what}`);
}

function manifest(replicas: number): string {
  return `
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: app }
spec:
  replicas: ${replicas}
  serviceName: app
  podManagementPolicy: Parallel
  updateStrategy: { type: OnDelete }
  selector: { matchLabels: { app: app } }
  template:
    metadata: { labels: { app: app } }
    spec:
      containers:
        - name: instance
          image: localhost/test/application:dev
          ports: [{ name: http, containerPort: 8081 }]
          readinessProbe: { httpGet: { path: /ready, port: http } }
---
# Only names the image: with replicaSets it would be a cluster to run.
apiVersion: tonearm.dev/v1alpha1
kind: Cluster
metadata: { name: naming }
spec: { image: 'localhost/test/application:dev', replicaSets: [] }
`;
}

describe('tonearm up', () => {
  const tonearm = new Tonearm();
  const file = path.join(tonearm.folder, 'app.yaml');
  writeFileSync(
    file,
    manifest(1).replace(
      'image: localhost',
      `command: [${process.execPath}, ${application}]\n          image: localhost`,
    ),
  );
  writeFileSync(path.join(tonearm.folder, 'main.ts'), '');
  after(() => tonearm.remove());

  it('runs until it is told to stop, and leaves no process', async () => {
    const up = tonearm.start('-f', file);
    const pid = await tonearm.pidOf('app-0');
    const second = await tonearm.run('up');
    assert.equal(second.exitCode, 1);
    assert.match(second.output, /is in use by process \d+: stop it with "tonearm down"/);
    const status = await tonearm.run('status');
    assert.match(status.output, /app-0 +1\/1 +Running/);
    tonearm.signal('SIGINT');
    const { exitCode, output } = await up;
    assert.equal(exitCode, 0, output);
    assert.equal(processStartTime(pid), undefined);
  });

  it('finds its objects again, ends its processes when it is killed, and starts over the rest', async () => {
    const killed = tonearm.start('-f', file);
    const pid = await tonearm.pidOf('app-0');
    tonearm.signal('SIGKILL');
    await killed;
    await until('the pod to end', async () =>
      processStartTime(pid) === undefined ? true : undefined,
    );
    const up = tonearm.start('-f', file);
    assert.notEqual(await tonearm.pidOf('app-0'), pid);
    const down = await tonearm.run('down');
    assert.deepEqual(down, { exitCode: 0, output: `Stopped what ran in ${tonearm.state}.\n` });
    assert.equal((await up).exitCode, 0);
  });

  it('ends a pod that does not want to, before "tonearm down" has to', async () => {
    const stubborn = path.join(tonearm.folder, 'stubborn.yaml');
    const text = readFileSync(file, 'utf8');
    const environment = 'env: [{ name: STUBBORN, value: "yes" }]';
    writeFileSync(
      stubborn,
      text.replace('name: instance\n', `name: instance\n          ${environment}\n`),
    );
    assert.equal((await tonearm.run('down', '--purge')).exitCode, 0);
    const up = tonearm.start('-f', stubborn);
    const pid = await tonearm.pidOf('app-0');
    const down = await tonearm.run('down');
    assert.deepEqual(down, { exitCode: 0, output: `Stopped what ran in ${tonearm.state}.\n` });
    assert.equal(processStartTime(pid), undefined);
    assert.equal((await up).exitCode, 0);
  });

  it('keeps the state provider that it began with', async () => {
    const { exitCode, output } = await tonearm.run('up', '--etcd', '-f', file);
    assert.equal(exitCode, 1);
    assert.match(output, /this state began with the stateboard/);
  });

  it('refuses a manifest that the API refuses, and stops', async () => {
    const bad = path.join(tonearm.folder, 'bad.yaml');
    writeFileSync(bad, manifest(-1));
    const { exitCode, output } = await tonearm.run('up', '-f', bad);
    assert.equal(exitCode, 1);
    assert.match(output, /bad.yaml was refused: .*spec.replicas/);
  });

  it('deletes its data when told to, and nothing that is not its own', async () => {
    const strange = path.join(tonearm.folder, 'strange');
    const foreign = await tonearm.run('down', '--purge', '--state', tonearm.folder);
    assert.equal(foreign.exitCode, 1);
    assert.match(foreign.output, /is not a state directory of tonearm/);
    assert.equal(existsSync(strange), false);
    assert.equal((await tonearm.run('down', '--purge')).exitCode, 0);
    assert.equal(existsSync(tonearm.state), false);
  });

  it('is told wrongly with exit code 2', async () => {
    assert.equal((await tonearm.run('up', '--nonsense')).exitCode, 2);
    assert.equal((await tonearm.run('up', '--etcd', '--stateboard')).exitCode, 2);
  });
});
