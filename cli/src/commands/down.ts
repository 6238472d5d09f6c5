/** `tonearm down`: ends the process that owns a state directory, and waits until it has. */
import { setTimeout as delay } from 'node:timers/promises';
import { CommandError } from '../command-error.ts';
import type { Console } from '../console.ts';
import { StateDirectory } from '../embedded/state-directory.ts';

export interface DownOptions {
  readonly state: string;
  readonly purge?: boolean;
}

/** `tonearm up` ends within ten seconds, unless the machine is very busy. */
const WAIT_MS = 20_000;
const KILL_WAIT_MS = 3_000;
const POLL_MS = 50;

export async function runDown(options: DownOptions, console: Console): Promise<void> {
  const state = new StateDirectory(options.state);
  const pid = state.runningPid();
  if (pid === undefined) console.line(`Nothing runs in ${state.root}.`);
  else await end(state, pid, console);
  if (options.purge !== true) return;
  state.purge();
  console.line(`Deleted ${state.root}.`);
}

async function end(state: StateDirectory, pid: number, console: Console): Promise<void> {
  process.kill(pid, 'SIGTERM');
  if (!(await isGone(state, WAIT_MS))) {
    console.problem(`process ${pid} did not end in ${WAIT_MS / 1000} s and is killed`);
    // Its watchdog then ends the processes that it started.
    process.kill(pid, 'SIGKILL');
    if (!(await isGone(state, KILL_WAIT_MS))) {
      throw new CommandError(`process ${pid} cannot be ended: nothing was deleted`);
    }
  }
  console.line(`Stopped what ran in ${state.root}.`);
}

async function isGone(state: StateDirectory, waitMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + waitMs;
  while (state.runningPid() !== undefined) {
    if (performance.now() > deadlineMs) return false;
    await delay(POLL_MS);
  }
  return true;
}
