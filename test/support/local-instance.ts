/** An instance on loopback as the real processes of a pod: the launcher, and the application below it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { InstanceStatus } from '@tonearm/runtime/contract';
import { shareCompileCache } from '../../cli/src/compile-cache.ts';
import { type AdminAnswer, adminRequest } from './admin-request.ts';
import { endWithTheTest, isAlive } from './processes.ts';
import { waitUntil } from './wait-until.ts';

const root = path.resolve(import.meta.dirname, '../..');
export const COOKIE = 'test-cookie';
const CLUSTER_UUID = '00000000-0000-4000-8000-0000000000cc';

export interface LocalInstanceOptions {
  readonly name: string;
  readonly httpPort: number;
  readonly port: number;
  readonly workdir: string;
  /** What it runs; the employees without one. */
  readonly application?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export class LocalInstance {
  readonly name: string;
  readonly httpPort: number;
  readonly port: number;
  readonly workdir: string;
  readonly #application: string;
  readonly #environment: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;

  constructor(options: LocalInstanceOptions) {
    this.#application = options.application ?? path.join(root, 'examples/employees/main.ts');
    this.#environment = options.environment ?? {};
    this.name = options.name;
    this.httpPort = options.httpPort;
    this.port = options.port;
    this.workdir = options.workdir;
  }

  get #address(): { readonly httpPort: number; readonly cookie: string } {
    return { httpPort: this.httpPort, cookie: COOKIE };
  }

  get isRunning(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Of the launcher, which ends with that of the data process; undefined while it runs. */
  get exitCode(): number | undefined {
    return this.#child?.exitCode ?? undefined;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.name} does not run`);
    return pid;
  }

  /** The process of the application below the launcher. */
  get dataPid(): number {
    const [pid] = childrenOf(this.pid);
    if (pid === undefined) throw new Error(`${this.name} has no data process`);
    return pid;
  }

  start(): void {
    mkdirSync(this.workdir, { recursive: true });
    const log = createWriteStream(`${this.workdir}.log`, { flags: 'a' });
    const launcher = path.join(root, 'runtime/src/launcher/main.ts');
    const child = spawn(process.execPath, ['--conditions=source', launcher, this.#application], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...sharedEnvironment(),
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
        ...this.#environment,
      },
    });
    child.stdout.pipe(log);
    child.stderr.pipe(log);
    endWithTheTest(child);
    this.#child = child;
  }

  /** Resolves when the launcher has ended. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (!this.isRunning) return;
    const ended = this.ended();
    this.#child?.kill(signal);
    await ended;
  }

  /** Resolves when the launcher has ended by itself. */
  async ended(): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return;
    child.ref();
    await new Promise((resolve) => child.once('exit', resolve));
  }

  /** The launcher is left: it releases what the dead process held, and ends. */
  async killDataProcess(): Promise<void> {
    process.kill(this.dataPid, 'SIGKILL');
    await this.ended();
  }

  /** Both processes at once, paused or not: nobody releases anything, as when a machine is lost. */
  async crash(): Promise<void> {
    if (!this.isRunning) return;
    const dataPid = childrenOf(this.pid)[0];
    await this.stop('SIGKILL');
    if (dataPid === undefined) return;
    if (isAlive(dataPid)) process.kill(dataPid, 'SIGKILL');
    await waitUntil(`${this.name} is dead`, () => !isAlive(dataPid));
  }

  pause(): void {
    for (const pid of [this.pid, this.dataPid]) process.kill(pid, 'SIGSTOP');
  }

  resume(): void {
    for (const pid of [this.dataPid, this.pid]) process.kill(pid, 'SIGCONT');
  }

  /** Sends the text as it is. */
  async put(url: string, content: string): Promise<AdminAnswer> {
    const text = { type: 'application/yaml', content };
    return adminRequest(this.#address, { method: 'PUT', url, text });
  }

  async request(
    method: string,
    url: string,
    body?: unknown,
    timeoutMs?: number,
  ): Promise<AdminAnswer> {
    const limit = timeoutMs === undefined ? {} : { timeoutMs };
    return adminRequest(this.#address, { method, url, body, ...limit });
  }

  async status(timeoutMs?: number): Promise<InstanceStatus> {
    const answer = await this.request('GET', '/admin/status', undefined, timeoutMs);
    if (answer.status !== 200) throw new Error(`${this.name}: ${JSON.stringify(answer)}`);
    return answer.body as InstanceStatus;
  }

  log(): string {
    return readFileSync(`${this.workdir}.log`, 'utf8');
  }
}

/** Code that was compiled once is not compiled again by every process of every cluster. */
function sharedEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { ...process.env };
  shareCompileCache(environment);
  const directory = environment['NODE_COMPILE_CACHE'];
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: directory };
}

function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}
