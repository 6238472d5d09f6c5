/**
 * Removes everything of a run, whatever state it was left in: processes, cgroups, files.
 *
 * One pid namespace holds every process of a run, so ending its first process ends them all, and the mount
 * and network namespaces go with the last of them. Only recorded processes are signalled, and only while
 * their start time proves them to be the recorded ones.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { sweepCgroups } from './cgroups.ts';
import { cgroupName, record, recorded, runFolder } from './layout.ts';
import { endProcess, identify, isAlive, type ProcessIdentity } from './processes.ts';

const here = { run: runFolder };

export async function sweep(): Promise<void> {
  for (const name of ['outer', 'first']) {
    const identity = recorded(here, name) as ProcessIdentity | undefined;
    if (identity !== undefined) await endProcess(identity, 'SIGKILL');
  }
  await sweepCgroups(cgroupName);
  rmSync(runFolder, { recursive: true, force: true, maxRetries: 10 });
}

/**
 * Makes the run folder, which is the lock of the tier: making a folder succeeds for one process only.
 * Waits while another run uses it, and removes what a run left that ended without cleaning up.
 */
export async function claimRun(report: (line: string) => void): Promise<void> {
  let waited = false;
  for (;;) {
    if (tryMake()) {
      record(here, 'owner', identify(process.pid));
      return;
    }
    const owner = recorded(here, 'owner') as ProcessIdentity | undefined;
    const sweeper = recorded(here, 'sweeper') as ProcessIdentity | undefined;
    const holder = [owner, sweeper].find((each) => each !== undefined && isAlive(each));
    if (holder === undefined) {
      report('removing what an earlier run has left …');
      await sweep();
    } else {
      if (!waited) report(`waiting for the run of process ${holder.pid} to end …`);
      waited = true;
      await delay(500);
    }
  }
}

function tryMake(): boolean {
  if (existsSync(runFolder)) return false;
  try {
    mkdirSync(runFolder);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
