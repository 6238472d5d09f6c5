/**
 * The folder of one local Kubernetes: its objects, volumes, logs and what it must remember from one start to the
 * next. One process at a time owns it; the pid file says which, with the time at which that process began, so that
 * a file left by a killed process stops nobody.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { newApiSecret } from './api/api-secret.ts';
import { processStartTime } from './node/processes/start-time.ts';

const memorySchema = z.strictObject({
  formatVersion: z.literal(1),
  stateProvider: z.enum(['stateboard', 'etcd']),
  /** Folders of applications by image name. */
  images: z.record(z.string(), z.string()),
});

export type StateMemory = z.output<typeof memorySchema>;

const ownerSchema = z.object({ pid: z.int(), startTime: z.string() });

export type LockVerdict =
  | { readonly kind: 'locked' }
  | { readonly kind: 'taken'; readonly pid: number };

export class StateDirectory {
  readonly root: string;

  constructor(root: string) {
    this.root = path.resolve(root);
  }

  get objectsFile(): string {
    return path.join(this.root, 'objects.json');
  }

  get kubeconfigFile(): string {
    return path.join(this.root, 'kubeconfig');
  }

  /** The part of the API's address that others cannot guess; the same at each start, as kubeconfigs were copied. */
  apiSecret(): string {
    const file = path.join(this.root, 'api-secret');
    const known = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
    if (/^[0-9a-f]{32}$/.test(known)) return known;
    const secret = newApiSecret();
    writeFileSync(file, `${secret}\n`, { mode: 0o600 });
    return secret;
  }

  get logs(): string {
    return path.join(this.root, 'logs');
  }

  get processes(): string {
    return path.join(this.root, 'node');
  }

  /** The folder of a program beside the instances, such as the stateboard. */
  folderOf(program: string): string {
    return path.join(this.root, program);
  }

  /** Made for this user alone: it holds passwords and keys. */
  create(): void {
    mkdirSync(this.root, { recursive: true, mode: 0o700 });
  }

  lock(): LockVerdict {
    const { pid } = process;
    const text = JSON.stringify({ pid, startTime: processStartTime(pid) ?? '' });
    for (;;) {
      try {
        writeFileSync(this.#pidFile, text, { flag: 'wx' });
        return { kind: 'locked' };
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      }
      const owner = this.runningPid();
      if (owner !== undefined) return { kind: 'taken', pid: owner };
      rmSync(this.#pidFile, { force: true });
    }
  }

  unlock(): void {
    unlinkSync(this.#pidFile);
  }

  /** The process that owns the folder now. */
  runningPid(): number | undefined {
    if (!existsSync(this.#pidFile)) return undefined;
    const owner = ownerSchema.safeParse(parseJson(readFileSync(this.#pidFile, 'utf8')));
    if (!owner.success) return undefined;
    const { pid, startTime } = owner.data;
    return processStartTime(pid) === startTime ? pid : undefined;
  }

  remember(memory: StateMemory): void {
    const temporary = `${this.#memoryFile}.new`;
    writeFileSync(temporary, `${JSON.stringify(memory, undefined, 2)}\n`);
    renameSync(temporary, this.#memoryFile);
  }

  recall(): StateMemory | undefined {
    if (!existsSync(this.#memoryFile)) return undefined;
    const memory = memorySchema.safeParse(parseJson(readFileSync(this.#memoryFile, 'utf8')));
    if (memory.success) return memory.data;
    throw new Error(
      `${this.#memoryFile} cannot be read: ${z.prettifyError(memory.error)}; restore it, or start empty after "tonearm down --purge"`,
    );
  }

  /** Deletes everything; refuses a folder that is not one of ours, because a wrong path is quickly typed. */
  purge(): void {
    if (!existsSync(this.root)) return;
    const isEmpty = readdirSync(this.root).length === 0;
    if (!isEmpty && !existsSync(this.#memoryFile)) {
      throw new Error(
        `${this.root} is not a state directory of tonearm (it has no memory.json): nothing was deleted`,
      );
    }
    rmSync(this.root, { recursive: true });
  }

  get #pidFile(): string {
    return path.join(this.root, 'tonearm.pid');
  }

  get #memoryFile(): string {
    return path.join(this.root, 'memory.json');
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema refuses what is not JSON, and says so better.
    return undefined;
  }
}
