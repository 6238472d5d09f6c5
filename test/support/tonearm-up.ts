/** `tonearm up` as a person runs it: the real command in a folder of its own, and kubectl beside it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { waitUntil } from './wait-until.ts';

const root = path.resolve(import.meta.dirname, '../..');
const MAIN = path.join(root, 'cli/src/main.ts');
const PATIENCE_MS = 60_000;

export function findKubectl(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  return folders.map((folder) => path.join(folder, 'kubectl')).find(isExecutable);
}

export class TonearmUp {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'tonearm-employees-'));
  readonly #kubectl: string;
  #child: ChildProcess | undefined;
  #output = '';

  constructor(kubectl: string) {
    this.#kubectl = kubectl;
  }

  start(...args: readonly string[]): void {
    this.#output = '';
    const flags = ['--conditions=source', MAIN, 'up', '--state', this.#state, ...args];
    const child = spawn(process.execPath, flags, {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
    }
    this.#child = child;
  }

  /** The address of a service, as the command prints it once everything serves. */
  async address(service: string): Promise<string> {
    const line = new RegExp(`${service} +(http://\\S+)`);
    return this.wait(`the address of ${service}`, () => line.exec(this.#output)?.[1]);
  }

  /** Ctrl-C. Resolves with the exit code. */
  async stop(): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    this.#child = undefined;
    const closed = once(child, 'close');
    child.kill('SIGINT');
    await closed;
    return child.exitCode;
  }

  async kubectl(...args: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(this.#kubectl, args, {
      cwd: this.folder,
      // Its cache of what the API serves belongs to this test.
      env: { ...process.env, KUBECONFIG: path.join(this.#state, 'kubeconfig'), HOME: this.folder },
    });
    return stdout;
  }

  /** Another command, for what runs here. */
  async tonearm(...args: readonly string[]): Promise<string> {
    const command = ['--conditions=source', MAIN, ...args, '--state', this.#state];
    const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: this.folder });
    return stdout;
  }

  async get<T>(...args: readonly string[]): Promise<T> {
    return JSON.parse(await this.kubectl('get', ...args, '-o', 'json')) as T;
  }

  /** With everything that was printed, if it takes too long. */
  async wait<T>(
    what: string,
    probe: () => Promise<T | undefined | false> | T | undefined | false,
  ): Promise<T> {
    try {
      return await waitUntil(what, probe, PATIENCE_MS);
    } catch (error) {
      throw new Error(`${(error as Error).message}; "tonearm up" said:\n${this.#output}`, {
        cause: error,
      });
    }
  }

  remove(): void {
    this.#child?.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  get #state(): string {
    return path.join(this.folder, 'state');
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
