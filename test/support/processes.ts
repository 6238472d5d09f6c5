import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

/** Is there such a process, and has it not ended? One that waits for its parent to look has ended. */
export function isAlive(pid: number): boolean {
  const state = stateOf(pid);
  return state !== undefined && state !== 'Z';
}

/** Does it run no more, since a signal stopped it? */
export function isStopped(pid: number): boolean {
  return stateOf(pid) === 'T';
}

/** As the kernel has it. */
function stateOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2)[0];
  } catch {
    return undefined;
  }
}

/** Processes whose environment or arguments name a folder: what was started for it, directly or not. */
export function processesIn(folder: string): readonly number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      const texts = ['environ', 'cmdline'].map((file) => readFileSync(`/proc/${pid}/${file}`));
      return pid !== process.pid && texts.some((text) => text.includes(folder));
    } catch {
      return false;
    }
  });
}

/**
 * A test that fails before it can end what it has started neither waits for it for ever nor leaves it behind. Whoever
 * waits for the end of the process says so with `ref`.
 */
export function endWithTheTest(child: ChildProcess): void {
  child.unref();
  for (const stream of [child.stdout, child.stderr]) (stream as Socket | null)?.unref();
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
}
