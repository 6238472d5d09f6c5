/**
 * A cluster of real processes on loopback: instances of the employees application, without Kubernetes and without the
 * operator. The test plays the operator: it gives the first config, kills, pauses and starts again.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { InstanceStatus, StateProviderConfig } from '@tonearm/runtime/contract';
import { freePorts } from './ports.ts';
import { waitUntil } from './wait-until.ts';

const root = path.resolve(import.meta.dirname, '../..');
const COOKIE = 'test-cookie';
const CLUSTER_UUID = '00000000-0000-4000-8000-0000000000cc';

export interface LocalClusterOptions {
  readonly provider: StateProviderConfig;
  /** Instances per storage replica set. */
  readonly storages: readonly number[];
  readonly routers?: number;
  readonly bucketCount?: number;
  readonly fencingTtlSeconds?: number;
}

export class LocalInstance {
  readonly name: string;
  readonly httpPort: number;
  readonly port: number;
  readonly workdir: string;
  #child: ChildProcess | undefined;

  constructor(options: { name: string; httpPort: number; port: number; workdir: string }) {
    this.name = options.name;
    this.httpPort = options.httpPort;
    this.port = options.port;
    this.workdir = options.workdir;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.name} does not run`);
    return pid;
  }

  /** The process of the application below the launcher. */
  get dataPid(): number {
    const children = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8')
      .trim()
      .split(' ');
    const pid = Number(children[0]);
    if (!(pid > 0)) throw new Error(`${this.name} has no data process`);
    return pid;
  }

  start(): void {
    mkdirSync(this.workdir, { recursive: true });
    const log = createWriteStream(`${this.workdir}.log`, { flags: 'a' });
    const launcher = path.join(root, 'runtime/src/launcher/main.ts');
    const child = spawn(
      process.execPath,
      ['--conditions=source', launcher, path.join(root, 'examples/employees/main.ts')],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          PATH: process.env['PATH'],
          TONEARM_INSTANCE_NAME: this.name,
          TONEARM_WORKDIR: path.join(this.workdir, 'data'),
          TONEARM_ADVERTISE_HOST: '127.0.0.1',
          TONEARM_HTTP_HOST: '127.0.0.1',
          TONEARM_HTTP_PORT: String(this.httpPort),
          TONEARM_PORT: String(this.port),
          TONEARM_CLUSTER_COOKIE: COOKIE,
          TONEARM_CLUSTER_UUID: CLUSTER_UUID,
          TONEARM_LOG_LEVEL: 'debug',
        },
      },
    );
    child.stdout.pipe(log);
    child.stderr.pipe(log);
    this.#child = child;
  }

  /** Resolves when the process has ended. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  async request(
    method: string,
    url: string,
    body?: unknown,
  ): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`http://127.0.0.1:${this.httpPort}${url}`, {
      method,
      signal: AbortSignal.timeout(20_000),
      headers: {
        authorization: `Basic ${Buffer.from(`admin:${COOKIE}`).toString('base64')}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: text === '' ? undefined : (JSON.parse(text) as unknown),
    };
  }

  async status(): Promise<InstanceStatus> {
    const answer = await this.request('GET', '/admin/status');
    if (answer.status !== 200) throw new Error(`${this.name}: ${JSON.stringify(answer)}`);
    return answer.body as InstanceStatus;
  }

  log(): string {
    return readFileSync(`${this.workdir}.log`, 'utf8');
  }
}

export class LocalCluster {
  readonly folder: string;
  readonly routers: LocalInstance[] = [];
  /** By replica set, in its failover priority. */
  readonly storages: LocalInstance[][] = [];
  readonly #options: LocalClusterOptions;

  private constructor(options: LocalClusterOptions) {
    this.#options = options;
    this.folder = mkdtempSync(path.join(tmpdir(), 'tonearm-cluster-'));
  }

  static async start(options: LocalClusterOptions): Promise<LocalCluster> {
    const cluster = new LocalCluster(options);
    const routerCount = options.routers ?? 1;
    const total = routerCount + options.storages.reduce((sum, count) => sum + count, 0);
    const ports = await freePorts(2 * total);
    const make = (name: string): LocalInstance => {
      const httpPort = ports.pop() ?? 0;
      return new LocalInstance({
        name,
        httpPort,
        port: ports.pop() ?? 0,
        workdir: path.join(cluster.folder, name),
      });
    };
    for (let index = 0; index < routerCount; index++) cluster.routers.push(make(`router-${index}`));
    for (const [set, count] of options.storages.entries()) {
      cluster.storages.push(
        Array.from({ length: count }, (_, index) => make(`storage-${set + 1}-${index}`)),
      );
    }
    for (const instance of cluster.instances) instance.start();
    try {
      await cluster.#bootstrap();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  get instances(): readonly LocalInstance[] {
    return [...this.routers, ...this.storages.flat()];
  }

  get router(): LocalInstance {
    const [router] = this.routers;
    if (router === undefined) throw new Error('the cluster has no router');
    return router;
  }

  /** The instance of a storage replica set that is writable now. */
  async leaderOf(set: number): Promise<LocalInstance> {
    return waitUntil(`storage ${set + 1} has a writable leader`, async () => {
      for (const instance of this.storages[set] ?? []) {
        const status = await instance.status().catch(() => undefined);
        if (status?.replicaSet?.writable === true) return instance;
      }
      return undefined;
    });
  }

  async ready(): Promise<void> {
    await waitUntil('every instance is ready', async () => {
      const answers = await Promise.all(
        this.instances.map((instance) => instance.request('GET', '/health/ready')),
      );
      return answers.every(({ status }) => status === 200);
    });
  }

  /** Changes sections through one instance, as `PATCH /admin/config` does. */
  patch(
    through: LocalInstance,
    sections: Record<string, unknown>,
  ): Promise<{ status: number; body: unknown }> {
    return through.request('PATCH', '/admin/config', { sections });
  }

  async stop(): Promise<void> {
    await Promise.all(this.instances.map((instance) => instance.stop('SIGKILL')));
    if (process.env['KEEP_LOGS'] === undefined)
      rmSync(this.folder, { recursive: true, force: true });
  }

  async #bootstrap(): Promise<void> {
    const statuses = await Promise.all(
      this.instances.map((instance) =>
        waitUntil(`${instance.name} is unconfigured`, async () => {
          const status = await instance.status();
          return status.state === 'Unconfigured' ? status : undefined;
        }),
      ),
    );
    const uuidOf = new Map(statuses.map((status) => [status.name, status.uuid]));
    const answer = await this.patch(this.router, this.#firstSections(uuidOf));
    if (answer.status !== 200) throw new Error(`bootstrap failed: ${JSON.stringify(answer.body)}`);
    await this.ready();
    await Promise.all(this.storages.map((_, set) => this.leaderOf(set)));
  }

  #firstSections(uuidOf: ReadonlyMap<string, string>): Record<string, unknown> {
    const { provider, bucketCount = 300, fencingTtlSeconds = 1 } = this.#options;
    const sets = [
      {
        uuid: setUuid(0),
        instances: this.routers,
        roles: ['failover-coordinator', 'app.roles.api'],
        weight: 0,
      },
      ...this.storages.map((instances, index) => ({
        uuid: setUuid(index + 1),
        instances,
        roles: ['app.roles.storage'],
        weight: 1,
      })),
    ];
    const servers = sets.flatMap(({ uuid, instances }) =>
      instances.map((instance) => [
        uuidOf.get(instance.name) ?? '',
        {
          uri: `127.0.0.1:${instance.port}`,
          http_uri: `127.0.0.1:${instance.httpPort}`,
          alias: instance.name,
          replicaset_uuid: uuid,
        },
      ]),
    );
    const replicasets = sets.map(({ uuid, instances, roles, weight }, index) => [
      uuid,
      {
        alias: `set-${index}`,
        roles,
        weight,
        failover_priority: instances.map((instance) => uuidOf.get(instance.name)),
      },
    ]);
    const share = Math.ceil(bucketCount / this.storages.length);
    const assignment = this.storages.map((_, index) => ({
      replicaset_uuid: setUuid(index + 1),
      first: index * share + 1,
      last: Math.min((index + 1) * share, bucketCount),
    }));
    return {
      topology: {
        servers: Object.fromEntries(servers) as unknown,
        replicasets: Object.fromEntries(replicasets) as unknown,
        failover: { mode: 'stateful', state_provider: provider, fencing_ttl: fencingTtlSeconds },
      },
      vshard_groups: { default: { bucket_count: bucketCount, bootstrapped: true, assignment } },
    };
  }
}

export function setUuid(index: number): string {
  return `00000000-0000-4000-8000-00000000a0${String(index).padStart(2, '0')}`;
}
