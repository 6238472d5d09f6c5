/**
 * Starts and ends the processes of the test tier: short commands, and daemons with a log and a pid file.
 *
 * A daemon is ended by its recorded pid together with the time it started, so that a pid which the kernel
 * gave to somebody else in the meantime is never signalled.
 */
import { execFile, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly deadlineMs?: number;
}

/** One process for as long as it lives: a pid alone may be used again. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
}

/** Runs a command to its end and returns what it wrote; fails with the command and its last words. */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      args,
      {
        cwd: options.cwd,
        env: { ...process.env, ...options.env },
        maxBuffer: 64 * 1024 * 1024,
        timeout: options.deadlineMs ?? 60_000,
        killSignal: 'SIGKILL',
      },
      (error, stdout, stderr) => {
        if (error === null) {
          resolve(stdout);
          return;
        }
        const words = `${stdout.slice(-2000)}${stderr.slice(-4000)}`.trim();
        const why = error.killed === true ? 'it did not end in time' : `exit ${error.code ?? '?'}`;
        const line = [command, ...args].join(' ');
        reject(new Error(`\`${line}\` failed (${why}): ${words}`, { cause: error }));
      },
    );
    // A command may end before it has read its input; its exit code says what that means.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

/** Starts a process in a session of its own, so that a Ctrl-C in the terminal does not reach it. */
export function startDaemon(command: readonly string[], log: string): ProcessIdentity {
  const [program = '', ...args] = command;
  const output = openSync(log, 'a');
  const child = spawn(program, args, { detached: true, stdio: ['ignore', output, output] });
  closeSync(output);
  child.unref();
  // The pid file and the log tell more than the event: whoever waits for the daemon reports both.
  child.on('error', () => undefined);
  if (child.pid === undefined) throw new Error(`${program} could not be started`);
  return identify(child.pid) ?? { pid: child.pid, startTime: 'ended' };
}

/** The identity of a live process; undefined when it is gone or only waits to be reaped. */
export function identify(pid: number): ProcessIdentity | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    // No such process.
    return undefined;
  }
  // The name in parentheses may hold spaces, so fields are counted from behind it: state is the third of
  // the file, the start time the twenty-second.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const startTime = fields[19];
  if (fields[0] === 'Z' || startTime === undefined) return undefined;
  return { pid, startTime };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startTime === identity.startTime;
}

/** Ends a process, by force when it does not obey within ten seconds, and waits until it is gone. */
export async function endProcess(
  identity: ProcessIdentity,
  signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM',
): Promise<void> {
  signalProcess(identity, signal);
  const patience = Date.now() + 10_000;
  while (isAlive(identity)) {
    if (Date.now() > patience) signalProcess(identity, 'SIGKILL');
    await delay(20);
  }
}

/** Waits until the condition holds; the error names what was awaited and what was found last. */
export async function waitUntil(
  awaited: string,
  condition: () => Promise<boolean> | boolean,
  deadlineMs: number,
): Promise<void> {
  const end = Date.now() + deadlineMs;
  let last: unknown = 'it does not hold';
  for (;;) {
    try {
      if (await condition()) return;
      last = 'it does not hold';
    } catch (error) {
      // What is not there yet often shows as an error; the last one is the reason when time is up.
      last = error;
    }
    if (Date.now() > end) {
      const reason = last instanceof Error ? last.message : String(last);
      throw new Error(`waited ${deadlineMs} ms for ${awaited}: ${reason}`, { cause: last });
    }
    await delay(100);
  }
}

function signalProcess(identity: ProcessIdentity, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch {
    // It ended between the two lines.
  }
}
