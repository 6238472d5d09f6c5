/** Compiles `client.c` once for each content, and runs it against one port. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

export type Operation = 'ping' | 'get' | 'insert' | 'mix' | 'select' | 'redis-get' | 'redis-set';

export interface Load {
  readonly operation: Operation;
  readonly connections: number;
  readonly depth: number;
  /** Of measuring, after a warm-up; or `count` requests. */
  readonly seconds?: number;
  readonly count?: number;
  /** Gets ask for keys below it. */
  readonly keys?: number;
  /** The first key that is inserted. */
  readonly next?: number;
}

/** Where a server listens on loopback, and as whom it lets the client in. */
export interface Address {
  readonly port: number;
  readonly user?: string;
  readonly password?: string;
  readonly space?: number;
}

export interface LoadResult {
  readonly opsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** All of the run, those of the warm-up as well. */
  readonly answers: number;
  readonly errors: number;
  readonly firstError: string;
  readonly clientCpuSeconds: number;
  readonly seconds: number;
  /** The first key that has not been inserted. */
  readonly next: number;
}

/** Often enough for times of recovery that are read to a hundredth of a second. */
const ASK_EVERY_MS = 5;

export class Client {
  readonly #binary: string;

  private constructor(binary: string) {
    this.#binary = binary;
  }

  /** Compiled where nobody but this user can write, and kept there. */
  static async build(): Promise<Client> {
    const source = path.join(import.meta.dirname, 'client.c');
    const key = createHash('sha256').update(readFileSync(source)).update(process.arch);
    const caches = process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache');
    const folder = path.join(caches, 'tonearm', 'bench');
    const binary = path.join(folder, `client-${key.digest('hex').slice(0, 16)}`);
    if (existsSync(binary)) return new Client(binary);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const half = `${binary}.${process.pid}`;
    const compiler = process.env['CC'] ?? 'cc';
    try {
      await run(compiler, ['-O2', '-std=gnu11', '-o', half, source]);
    } catch (error) {
      rmSync(half, { force: true });
      throw new Error(`the load generator needs a C compiler: ${compiler} failed on ${source}`, {
        cause: error,
      });
    }
    renameSync(half, binary);
    return new Client(binary);
  }

  /** An answer that is not what it should be is an error of the result, not of this call. */
  async try(address: Address, load: Load): Promise<LoadResult> {
    const pairs = Object.entries({ ...address, ...load });
    const { stdout } = await run(
      this.#binary,
      pairs.map(([name, value]) => `${name}=${value}`),
    );
    return JSON.parse(stdout) as LoadResult;
  }

  async run(address: Address, load: Load): Promise<LoadResult> {
    const result = await this.try(address, load);
    if (result.errors > 0) {
      const what = `${load.operation} ${load.connections}x${load.depth} on port ${address.port}`;
      throw new Error(
        `${result.errors} of ${result.answers} answers to ${what} are wrong, first: ${result.firstError}`,
      );
    }
    return result;
  }

  /** Resolves when that load is answered without a fault; asks until then. */
  async untilAnswered(address: Address, load: Load, patienceMs = 120_000): Promise<void> {
    const endMs = Date.now() + patienceMs;
    let last: unknown;
    while (Date.now() < endMs) {
      try {
        await this.run(address, load);
        return;
      } catch (error) {
        last = error;
      }
      await delay(ASK_EVERY_MS);
    }
    throw new Error(`no answer from port ${address.port} in ${patienceMs / 1000} s`, {
      cause: last,
    });
  }
}
