/**
 * Processes that play seeds, each one seed at a time. Nothing that a run does can end the others: where its process
 * ends or does not answer, that is what was wrong with the seed, and another process goes on.
 *
 * Also for tests: a test runner follows each promise by hooks, with which a run takes nearly twice as long.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface SeedTask {
  /** The name of a scenario, or of a planted bug. */
  readonly subject: string;
  readonly seed: number;
}

export interface SeedOutcome {
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
  /** Of the trace: the same for the same run. */
  readonly digest: string;
}

export interface SeedPoolOptions {
  readonly jobs: number;
  /** What the processes run; for tests. */
  readonly program?: URL;
  /** A run that takes longer does not end. */
  readonly limitMs?: number;
}

/** After so many, a process makes room for a fresh one: nothing can pile up in a long night. */
const SEEDS_OF_A_PROCESS = 2000;
const RUN_LIMIT_MS = 300_000;
const PROGRAM = new URL('seed-worker.ts', import.meta.url);

export class SeedPool {
  readonly #options: SeedPoolOptions;
  readonly #waiting: { task: SeedTask; resolve: (outcome: SeedOutcome) => void }[] = [];
  #idle: SeedProcess[] = [];
  #busy = 0;

  constructor(options: SeedPoolOptions) {
    this.#options = options;
  }

  /** In the order of the calls, as soon as a process is free. Never rejects. */
  play(task: SeedTask): Promise<SeedOutcome> {
    return new Promise((resolve) => {
      this.#waiting.push({ task, resolve });
      this.#next();
    });
  }

  /** Something with `run`, as `runSeeds` and `findBug` want it. */
  subject(name: string): { run: (seed: number) => Promise<SeedOutcome> } {
    return { run: (seed) => this.play({ subject: name, seed }) };
  }

  /** When nothing is under way. */
  close(): void {
    for (const one of this.#idle) one.close();
    this.#idle = [];
  }

  #next(): void {
    if (this.#busy >= this.#options.jobs) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    const { program = PROGRAM, limitMs = RUN_LIMIT_MS } = this.#options;
    const chosen = this.#idle.pop() ?? new SeedProcess(program, limitMs);
    this.#busy += 1;
    void chosen.play(next.task).then((outcome) => {
      this.#busy -= 1;
      if (chosen.isUsable) this.#idle.push(chosen);
      else chosen.close();
      next.resolve(outcome);
      this.#next();
    });
  }
}

class SeedProcess {
  readonly #child: ChildProcess;
  /** It says so once its program has been loaded. */
  readonly #ready: Promise<unknown>;
  readonly #ended: Promise<string>;
  readonly #limitMs: number;
  #seedsLeft = SEEDS_OF_A_PROCESS;

  constructor(program: URL, limitMs: number) {
    this.#limitMs = limitMs;
    this.#child = fork(fileURLToPath(program), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    // That it never was, its end tells.
    this.#ready = once(this.#child, 'message').catch(() => new Promise<never>(() => undefined));
    this.#ended = once(this.#child, 'exit').then(
      ([code, signal]: readonly unknown[]) => `its process ended with ${String(signal ?? code)}`,
      (error: unknown) => `it has no process: ${String(error)}`,
    );
  }

  get isUsable(): boolean {
    return this.#seedsLeft > 0 && this.#child.connected && this.#child.exitCode === null;
  }

  async play(task: SeedTask): Promise<SeedOutcome> {
    this.#seedsLeft -= 1;
    await Promise.race([this.#ready, this.#ended]);
    const given = new AbortController();
    const answered = once(this.#child, 'message', { signal: given.signal }).then(
      ([outcome]: unknown[]) => outcome as SeedOutcome,
      (error: unknown) => `its process could not be asked: ${String(error)}`,
    );
    let late = '';
    const limit = setTimeout(() => {
      late = `, after ${this.#limitMs} ms without an end`;
      this.#child.kill('SIGKILL');
    }, this.#limitMs);
    this.#child.send(task, () => undefined);
    const outcome = await Promise.race([answered, this.#ended]);
    clearTimeout(limit);
    if (typeof outcome !== 'string') return outcome;
    this.#seedsLeft = 0;
    given.abort('nobody will answer');
    return { violations: [outcome + late], counts: {}, digest: '' };
  }

  close(): void {
    if (this.#child.connected) this.#child.disconnect();
  }
}
