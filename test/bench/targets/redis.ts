/** Redis with an append-only file; a row is the value of its key. */
import type { Address } from '../client.ts';
import { cpuSecondsOf, residentBytesOf, ServerProcess } from './server-process.ts';
import type { Target } from './target.ts';

export interface RedisOptions {
  readonly name: string;
  readonly port: number;
  readonly folder: string;
  /** `no` is without a file of any kind. */
  readonly appendFile: 'everysec' | 'always' | 'no';
}

export class Redis implements Target {
  readonly name: string;
  readonly address: Address;
  readonly protocol = 'redis';
  readonly #options: RedisOptions;
  #process: ServerProcess | undefined;

  constructor(options: RedisOptions) {
    this.name = options.name;
    this.address = { port: options.port };
    this.#options = options;
  }

  async start(): Promise<void> {
    const { port, folder, appendFile } = this.#options;
    const settings: Readonly<Record<string, string>> = {
      port: String(port),
      bind: '127.0.0.1',
      dir: folder,
      daemonize: 'no',
      // No snapshot and no rewrite of the file in the middle of a measurement.
      save: '',
      'auto-aof-rewrite-percentage': '0',
      ...(appendFile === 'no'
        ? { appendonly: 'no' }
        : { appendonly: 'yes', appendfsync: appendFile }),
    };
    this.#process = ServerProcess.start({
      file: 'redis-server',
      arguments: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
      folder,
      logFile: `${folder}.log`,
    });
  }

  async prepare(): Promise<void> {
    this.#running.assertRunning();
  }

  async stop(): Promise<void> {
    await this.#process?.end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#process?.end('SIGKILL');
  }

  async snapshot(): Promise<void> {
    throw new Error('Redis is not measured for its recovery');
  }

  cpuSeconds(): number {
    return cpuSecondsOf(this.#running.pid);
  }

  residentBytes(): number {
    return residentBytesOf(this.#running.pid);
  }

  get #running(): ServerProcess {
    if (this.#process === undefined) throw new Error(`${this.name} was not started`);
    return this.#process;
  }
}
