/** Tarantool, as Debian packs it, with the space of the measurement. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { waitUntil } from '../../support/wait-until.ts';
import type { Address } from '../client.ts';
import { cpuSecondsOf, residentBytesOf, ServerProcess } from './server-process.ts';
import type { Target } from './target.ts';

export interface TarantoolOptions {
  readonly name: string;
  readonly port: number;
  readonly folder: string;
  readonly primaryIndex: 'TREE' | 'HASH';
  readonly logMode: 'write' | 'fsync';
  /** For how many rows there must be memory. */
  readonly rowsMax: number;
  /** It follows the one that listens there, asynchronously. */
  readonly leaderPort?: number;
}

/** Three times what a row takes. It is only reserved, but the kernel refuses more than the machine has. */
const MEMORY_PER_ROW_BYTES = 512;
const MEMORY_BYTES_MIN = 1024 ** 3;

export class Tarantool implements Target {
  readonly name: string;
  readonly address: Address;
  readonly protocol = 'iproto';
  readonly #options: TarantoolOptions;
  #process: ServerProcess | undefined;

  constructor(options: TarantoolOptions) {
    this.name = options.name;
    this.address = { port: options.port };
    this.#options = options;
  }

  async start(): Promise<void> {
    const { port, folder, primaryIndex, logMode, rowsMax, leaderPort } = this.#options;
    const memory = Math.max(MEMORY_BYTES_MIN, rowsMax * MEMORY_PER_ROW_BYTES);
    this.#process = ServerProcess.start({
      file: 'tarantool',
      arguments: [
        path.join(import.meta.dirname, 'tarantool.lua'),
        ...[port, folder, primaryIndex, logMode, memory].map(String),
        ...(leaderPort === undefined ? [] : [String(leaderPort)]),
      ],
      folder,
      logFile: `${folder}.log`,
    });
  }

  async prepare(): Promise<void> {
    // The script has made the space before it was given to anybody.
    this.#running.assertRunning();
  }

  async stop(): Promise<void> {
    await this.#process?.end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#process?.end('SIGKILL');
  }

  async snapshot(): Promise<void> {
    const before = this.#snapshots().length;
    this.#running.signal('SIGUSR1');
    // It is renamed to its name when it is complete.
    await waitUntil(`${this.name} has a snapshot`, () => this.#snapshots().length > before, 60_000);
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

  #snapshots(): readonly string[] {
    return readdirSync(this.#options.folder).filter((file) => file.endsWith('.snap'));
  }
}
