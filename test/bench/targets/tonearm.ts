/**
 * A replica set of Tonearm: real instances, each a launcher and its data process, as in a pod. This file plays the
 * operator: it gives the first config. One instance alone needs no failover, and comes back as the leader when it was
 * killed; several have a stateboard, and coordinate themselves.
 */
import path from 'node:path';
import type { InstanceStatus } from '@tonearm/runtime/contract';
import { shareCompileCache } from '../../../cli/src/compile-cache.ts';
import { adminRequest } from '../../support/admin-request.ts';
import { isAlive } from '../../support/processes.ts';
import { type Stateboard, startStateboard } from '../../support/stateboard.ts';
import { waitUntil } from '../../support/wait-until.ts';
import type { Address } from '../client.ts';
import { childrenOf, cpuSecondsOf, residentBytesOf, ServerProcess } from './server-process.ts';
import type { Target } from './target.ts';

export interface TonearmOptions {
  readonly name: string;
  /** Two for each instance, the leader's first: of IPROTO, of HTTP. */
  readonly ports: readonly number[];
  readonly folder: string;
  readonly logMode: 'write' | 'fsync';
  readonly rowsMax: number;
  /** Followers are started by `addFollowers`, not with the leader. */
  readonly hasFollowersLater?: boolean;
  /** A file beside this one; by default that of all measurements. */
  readonly application?: string;
}

const root = path.resolve(import.meta.dirname, '../../..');
const COOKIE = 'bench-cookie';
const SET_UUID = '00000000-0000-4000-8000-00000000b001';
const CLUSTER_UUID = '00000000-0000-4000-8000-0000000000bb';
const PATIENCE_MS = 60_000;
/** As Tarantool has it in the same measurement. */
const MEMORY_PER_ROW_BYTES = 1024;
const MEMORY_BYTES_MIN = 1024 ** 3;

interface InstanceOptions {
  readonly name: string;
  readonly port: number;
  readonly httpPort: number;
  readonly folder: string;
  readonly logMode: string;
  readonly rowsMax: number;
  readonly application: string;
}

export class Tonearm implements Target {
  readonly name: string;
  readonly address: Address;
  readonly protocol = 'iproto';
  readonly #instances: readonly TonearmInstance[];
  readonly #leader: TonearmInstance;
  /** Those that the cluster has. */
  #present: readonly TonearmInstance[];
  #stateboard: Stateboard | undefined;

  constructor(options: TonearmOptions) {
    const { name, ports, folder, logMode, rowsMax, application = 'application.ts' } = options;
    this.name = name;
    const numbers = Array.from({ length: ports.length / 2 }, (_, index) => index);
    this.#instances = numbers.map((index) => {
      const [port = 0, httpPort = 0] = ports.slice(2 * index);
      const own = { name: `bench-${index}`, folder: path.join(folder, String(index)) };
      return new TonearmInstance({ ...own, port, httpPort, logMode, rowsMax, application });
    });
    const [leader] = this.#instances;
    if (leader === undefined) throw new Error(`${name} has no instance: its ports are missing`);
    this.#leader = leader;
    this.#present = options.hasFollowersLater === true ? [leader] : this.#instances;
    this.address = { port: leader.options.port, user: 'admin', password: COOKIE };
  }

  async start(): Promise<void> {
    if (this.#instances.length > 1) this.#stateboard ??= await startStateboard();
    for (const instance of this.#present) instance.start();
  }

  async prepare(): Promise<void> {
    await Promise.all(this.#present.map((instance) => instance.unconfigured()));
    await this.#configure();
  }

  /** Resolves when they are in sync with the leader. */
  async addFollowers(): Promise<void> {
    const followers = this.#instances.filter((instance) => !this.#present.includes(instance));
    for (const instance of followers) instance.start();
    await Promise.all(followers.map((instance) => instance.unconfigured()));
    this.#present = this.#instances;
    await this.#configure();
  }

  get followerAddresses(): readonly Address[] {
    const followers = this.#instances.filter((instance) => instance !== this.#leader);
    return followers.map(({ options }) => ({ ...this.address, port: options.port }));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#instances.map((instance) => instance.end('SIGTERM')));
    await this.#stateboard?.stop();
    this.#stateboard = undefined;
  }

  async kill(): Promise<void> {
    await Promise.all(this.#instances.map((instance) => instance.end('SIGKILL')));
    await this.#stateboard?.stop('SIGKILL');
    this.#stateboard = undefined;
  }

  async snapshot(): Promise<void> {
    await this.#leader.request('POST', '/admin/snapshot', {});
  }

  /** Over the HTTP port of the leader, or of another instance. */
  async request(method: string, url: string, body?: unknown, instance = 0): Promise<unknown> {
    return (this.#instances[instance] ?? this.#leader).request(method, url, body);
  }

  cpuSeconds(): number {
    return this.#leader.pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
  }

  residentBytes(): number {
    return residentBytesOf(this.#leader.dataPid);
  }

  async #configure(): Promise<void> {
    const statuses = await Promise.all(this.#present.map((instance) => instance.status()));
    const uuids = statuses.map(({ uuid }) => uuid);
    const servers = this.#present.map(({ options }, index) => [
      uuids[index],
      {
        uri: `127.0.0.1:${options.port}`,
        http_uri: `127.0.0.1:${options.httpPort}`,
        alias: options.name,
        replicaset_uuid: SET_UUID,
      },
    ]);
    const provider = this.#stateboard?.provider('/bench');
    const roles = provider === undefined ? [] : ['failover-coordinator'];
    const set = { alias: 'bench', roles: [...roles, 'bench.employees'], failover_priority: uuids };
    const topology = {
      servers: Object.fromEntries(servers) as unknown,
      replicasets: { [SET_UUID]: set },
      failover:
        provider === undefined
          ? { mode: 'disabled' }
          : { mode: 'stateful', state_provider: provider },
    };
    await this.#leader.request('PATCH', '/admin/config', { sections: { topology } });
    await this.#leader.comesTo('a leader with its followers', (status) => this.#isSettled(status));
  }

  /** The leader takes writes, and everybody is in sync with it. */
  #isSettled({ state, replicaSet }: InstanceStatus): boolean {
    const isWritable = state === 'RolesConfigured' && replicaSet?.writable === true;
    return isWritable && replicaSet.inSync.length === this.#present.length;
  }
}

class TonearmInstance {
  readonly options: InstanceOptions;
  #launcher: ServerProcess | undefined;

  constructor(options: InstanceOptions) {
    this.options = options;
  }

  start(): void {
    const { name, port, httpPort, folder, logMode, rowsMax, application } = this.options;
    const environment: NodeJS.ProcessEnv = {
      ...process.env,
      TONEARM_INSTANCE_NAME: name,
      TONEARM_WORKDIR: path.join(folder, 'data'),
      TONEARM_ADVERTISE_HOST: '127.0.0.1',
      TONEARM_PORT: String(port),
      TONEARM_HTTP_HOST: '127.0.0.1',
      TONEARM_HTTP_PORT: String(httpPort),
      TONEARM_CLUSTER_COOKIE: COOKIE,
      TONEARM_CLUSTER_UUID: CLUSTER_UUID,
      TONEARM_WAL_MODE: logMode,
      TONEARM_MEMTX_MEMORY: String(Math.max(MEMORY_BYTES_MIN, rowsMax * MEMORY_PER_ROW_BYTES)),
      TONEARM_LOG_LEVEL: 'warn',
    };
    shareCompileCache(environment);
    this.#launcher = ServerProcess.start({
      file: process.execPath,
      arguments: [
        '--conditions=source',
        path.join(root, 'runtime/src/launcher/main.ts'),
        path.join(import.meta.dirname, application),
      ],
      environment,
      folder,
      logFile: `${folder}.log`,
    });
  }

  get pids(): readonly number[] {
    const launcher = this.#running.pid;
    return [launcher, ...childrenOf(launcher)];
  }

  get dataPid(): number {
    const [, pid] = this.pids;
    if (pid === undefined) throw new Error(`${this.options.name} has no data process`);
    return pid;
  }

  /** With SIGKILL both processes at once, as when a machine is lost. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const launcher = this.#launcher;
    if (launcher === undefined || !launcher.isRunning) return;
    const pids = childrenOf(launcher.pid);
    await launcher.end(signal);
    if (signal === 'SIGKILL')
      for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    await waitUntil(`${this.options.name} has ended`, () => !pids.some(isAlive), PATIENCE_MS);
  }

  async unconfigured(): Promise<void> {
    await this.comesTo('an instance without a config', ({ state }) => state === 'Unconfigured');
  }

  /** Throws at once when it cannot come to that any more. */
  async comesTo(what: string, isThere: (status: InstanceStatus) => boolean): Promise<void> {
    const probe = async (): Promise<InstanceStatus | 'ended' | undefined> => {
      if (!this.#running.isRunning) return 'ended';
      const status = await this.status();
      return isThere(status) || status.error !== null ? status : undefined;
    };
    const last = await waitUntil(`${this.options.name} is ${what}`, probe, PATIENCE_MS);
    this.#running.assertRunning();
    if (last !== 'ended' && !isThere(last))
      throw new Error(`${this.options.name} is in state ${last.state}: ${String(last.error)}`);
  }

  async status(): Promise<InstanceStatus> {
    return (await this.request('GET', '/admin/status')) as InstanceStatus;
  }

  async request(method: string, url: string, body?: unknown): Promise<unknown> {
    this.#running.assertRunning();
    const address = { httpPort: this.options.httpPort, cookie: COOKIE };
    const answer = await adminRequest(address, { method, url, body });
    if (answer.status >= 300)
      throw new Error(
        `${method} ${url} was refused by ${this.options.name}: ${JSON.stringify(answer.body)}`,
      );
    return answer.body;
  }

  get #running(): ServerProcess {
    if (this.#launcher === undefined) throw new Error(`${this.options.name} was not started`);
    return this.#launcher;
  }
}
