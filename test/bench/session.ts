/** One run of a suite: who takes part, where servers keep their data, what is said while it runs, and what is left out. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import type { BenchOptions, Competitor } from './arguments.ts';
import { Client } from './client.ts';
import { Subject } from './subject.ts';
import type { Target } from './targets/target.ts';

export interface Machine {
  readonly tarantool: string | undefined;
  readonly redis: string | undefined;
}

/** Of the last minute, before anything is started: more means that somebody else uses the machine. */
const LOAD_MAX = 0.5;

export class Session implements AsyncDisposable {
  readonly options: BenchOptions;
  readonly client: Client;
  readonly versions: Machine;
  readonly #folder: string;
  readonly #open = new Set<Subject>();
  readonly #notes = new Set<string>();
  #folders = 0;

  private constructor(options: BenchOptions, client: Client) {
    this.options = options;
    this.client = client;
    this.versions = { tarantool: versionOf('tarantool'), redis: versionOf('redis-server') };
    const parent = options.folder ?? tmpdir();
    mkdirSync(parent, { recursive: true });
    this.#folder = mkdtempSync(path.join(parent, 'tonearm-bench-'));
    const [load = 0] = loadavg();
    if (load > LOAD_MAX)
      this.note(
        `the machine was busy before (load ${load.toFixed(1)}): the figures may be disturbed`,
      );
  }

  static async start(options: BenchOptions): Promise<Session> {
    return new Session(options, await Client.build());
  }

  /** What was not measured, and why. */
  get notes(): readonly string[] {
    return [...this.#notes];
  }

  takesPart(competitor: Competitor): boolean {
    if (!this.options.competitors.includes(competitor)) return false;
    if (competitor === 'tonearm' || this.versions[competitor] !== undefined) return true;
    const hint = competitor === 'redis' ? '; --install installs it' : '';
    this.note(`${competitor} is not installed, and was left out${hint}`);
    return false;
  }

  note(text: string): void {
    this.#notes.add(text);
    this.say(text);
  }

  say(text: string): void {
    process.stderr.write(`${new Date().toTimeString().slice(0, 8)} ${text}\n`);
  }

  /** That does not exist yet. */
  newFolder(): string {
    this.#folders++;
    return path.join(this.#folder, String(this.#folders));
  }

  /** Running and answering; undefined, with a note, when it does not come to that. */
  async open(target: Target): Promise<Subject | undefined> {
    const subject = new Subject(target, this.client);
    this.#open.add(subject);
    this.say(`${target.name} is started`);
    try {
      await subject.open();
      return subject;
    } catch (error) {
      await this.close(subject);
      this.note(`${target.name} was not measured: ${describe(error)}`);
      return undefined;
    }
  }

  async close(subject: Subject): Promise<void> {
    await subject.close();
    this.#open.delete(subject);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const subject of this.#open) await this.close(subject);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const stderr = 'stderr' in error ? String(error.stderr).trim() : '';
  const own = stderr === '' ? error.message : stderr;
  return error.cause === undefined ? own : `${own} (${describe(error.cause)})`;
}

function versionOf(program: string): string | undefined {
  try {
    return execFileSync(program, ['--version'], { encoding: 'utf8' }).split('\n')[0];
  } catch {
    return undefined; // It is not installed.
  }
}
