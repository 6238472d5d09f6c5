/**
 * Runs one data process and stays until it is dead, then releases what it held.
 *
 * That the process is dead is known from the kernel, not from a missing answer: its records may be released at once.
 * It is never started again here; that is the business of whoever started the launcher.
 *
 * While the state provider is away it tries for up to ten minutes, since nobody can follow the dead leader before.
 * A signal in that time ends it at once: the kubelet sends one when the liveness probe has failed for a minute, and the
 * next process of the instance then releases the record of the one before it. If the process ended because of a signal,
 * it tries for 30 s, the grace of a pod.
 *
 * The launcher lives as long as the process and mostly does nothing: it is kept small. What it needs for a release is
 * loaded soon after the first report of something held, while the process lives: a death that comes with a broken disk
 * finds it in memory.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { heapArguments } from './heap-arguments.ts';
import type * as Releaser from './releaser.ts';

export interface LaunchOptions {
  /** The application's entry file and its arguments. */
  readonly command: readonly string[];
  readonly loadReleaser: () => Promise<typeof Releaser>;
}

/** The first leases come when a whole cluster starts, and its processes need the machine for themselves. */
const START_MS = 5_000;
/** A new leader has more to do at that moment; and it may die soon. */
const LOAD_DELAY_MS = 300;
/** Names that a name server does not answer occupy some of them for seconds: syncs of the log need others. */
const THREADS = '16';
const FORWARDED = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** Resolves to the exit code that this process should have. */
export async function launch(options: LaunchOptions): Promise<number> {
  const { execArgv, execPath, env } = process;
  const nodeArguments = [...execArgv, ...heapArguments(execArgv, env['NODE_OPTIONS'])];
  const child = spawn(execPath, [...nodeArguments, ...options.command], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { UV_THREADPOOL_SIZE: THREADS, ...env, TONEARM_LAUNCHER: '1' },
  });
  const reports = new Reports(options);
  child.on('message', (message) => reports.add(message));
  let isTold = false;
  const forward = (signal: NodeJS.Signals): void => {
    isTold = true;
    child.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  // The channel ends after its last message was read, which may be after the death.
  const disconnected = new Promise<void>((resolve) => child.once('disconnect', resolve));
  const code = await exitCodeOf(child);
  await disconnected;
  const giveUp = new AbortController();
  const end = (): void => giveUp.abort();
  for (const signal of FORWARDED) process.off(signal, forward).on(signal, end);
  await reports.release({ isTold, signal: giveUp.signal });
  for (const signal of FORWARDED) process.off(signal, end);
  return code;
}

function exitCodeOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (exitCode, signal) => {
      resolve(exitCode ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

/** The last report counts. Its content is checked by the releaser, which knows how. */
class Reports {
  readonly #options: LaunchOptions;
  #last: object | undefined;
  #loading: NodeJS.Timeout | undefined;

  constructor(options: LaunchOptions) {
    this.#options = options;
  }

  /** Applications may send messages of their own, which are not for us. */
  add(message: unknown): void {
    if (typeof message !== 'object' || message === null || !('leases' in message)) return;
    this.#last = message;
    if (!holdsSomething(message)) return;
    const delayMs = Math.max(LOAD_DELAY_MS, START_MS - 1000 * process.uptime());
    this.#loading ??= setTimeout(() => void this.#prepare(), delayMs);
  }

  async release(manner: Releaser.ReleaseManner): Promise<void> {
    clearTimeout(this.#loading);
    const report = this.#last;
    if (report === undefined || !holdsSomething(report)) return;
    try {
      const releaser = await this.#options.loadReleaser();
      await releaser.releaseReported(report, manner);
    } catch (error) {
      // Others wait until the leases expire.
      complain('the leases of the dead process are not released', error);
    }
  }

  async #prepare(): Promise<void> {
    try {
      const releaser = await this.#options.loadReleaser();
      await releaser.prepareRelease(this.#last);
    } catch (error) {
      // Loaded again at the next report, or when it is needed.
      this.#loading = undefined;
      complain('what a release needs cannot be loaded yet', error);
    }
  }
}

function holdsSomething(report: object): boolean {
  const { leases, lock } = report as { readonly leases?: unknown; readonly lock?: unknown };
  return lock === true || (Array.isArray(leases) && leases.length > 0);
}

/** A line of the log, written without the logger, which is among what is loaded later. */
function complain(message: string, error: unknown): void {
  const why = error instanceof Error ? error.message : String(error);
  const line = { level: 'error', service: 'launcher', error: why, msg: message };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
