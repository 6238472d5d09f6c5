/**
 * The cgroups below which the pods of a node run, for both versions of cgroups: in version 1 one folder in
 * every hierarchy, in version 2 one folder with its controllers switched on.
 */
import {
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const root = '/sys/fs/cgroup';
const unified = path.join(root, 'cgroup.controllers');

const hierarchies = [
  ...['cpu', 'cpuacct', 'cpuset', 'memory', 'devices', 'freezer', 'blkio', 'pids', 'systemd'],
  ...['hugetlb', 'net_cls', 'net_prio', 'perf_event', 'rdma', 'misc'],
];

/** Makes `name` (a path of one or more parts) in every hierarchy that this machine has. */
export function makeNodeCgroups(name: string): void {
  const parts = name.split('/');
  if (existsSync(unified)) {
    makeUnified(parts);
    raiseShare(path.join(root, parts[0]!), 'cpu.weight');
    return;
  }
  for (const hierarchy of hierarchies) {
    const top = path.join(root, hierarchy);
    if (!existsSync(top)) continue;
    for (const depth of parts.keys()) {
      const folder = path.join(top, ...parts.slice(0, depth + 1));
      mkdirSync(folder, { recursive: true });
      if (hierarchy === 'cpuset') inheritProcessors(folder);
    }
    if (hierarchy === 'cpu') raiseShare(path.join(top, parts[0]!), 'cpu.shares');
  }
}

/**
 * All pods together would weigh as much as one process of the control plane beside them, and starve.
 * Both files begin with what one process weighs.
 */
function raiseShare(folder: string, file: 'cpu.shares' | 'cpu.weight'): void {
  const share = Number(readFileSync(path.join(folder, file), 'utf8'));
  const unit = file === 'cpu.shares' ? 1024 : 100;
  if (share === unit) writeFileSync(path.join(folder, file), String(share * 16));
}

/** Ends what still runs below `name` and removes it, as far as it exists. */
export async function sweepCgroups(name: string): Promise<void> {
  const tops = [path.join(root, name), ...globSync(path.join(root, '*', name))].filter((top) =>
    existsSync(top),
  );
  const patience = Date.now() + 10_000;
  for (const top of tops) {
    while (existsSync(top) && !removed(top)) {
      if (Date.now() > patience)
        throw new Error(`${top} cannot be removed: it still has processes`);
      await delay(20);
    }
  }
}

function makeUnified(parts: readonly string[]): void {
  let folder = root;
  for (const part of parts) {
    const controllers = readFileSync(path.join(folder, 'cgroup.controllers'), 'utf8').trim();
    for (const controller of controllers.split(' ')) {
      writeFileSync(path.join(folder, 'cgroup.subtree_control'), `+${controller}`);
    }
    folder = path.join(folder, part);
    mkdirSync(folder, { recursive: true });
  }
}

/** A new cpuset is empty, and nothing can run in it. */
function inheritProcessors(folder: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    writeFileSync(path.join(folder, file), readFileSync(path.join(folder, '..', file)));
  }
}

/** One attempt, from the leaves up. Everything below is ours, so whatever still runs there is ended. */
function removed(folder: string): boolean {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory() && !removed(path.join(folder, entry.name))) return false;
  }
  for (const pid of readFileSync(path.join(folder, 'cgroup.procs'), 'utf8').split('\n')) {
    if (pid !== '' && pid !== '0') endQuietly(Number(pid));
  }
  try {
    rmdirSync(folder);
    return true;
  } catch {
    // Busy until the kernel has buried the last process: the caller tries again.
    return false;
  }
}

function endQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
