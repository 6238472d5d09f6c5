/**
 * `node scripts/run.mjs test/containers/enter.ts [--only=TEXT]`
 *
 * Runs the container tier on a Docker engine: one that answers already (`DOCKER_HOST`, or the default socket), or
 * Debian's, started here in network, mount and pid namespaces of its own that end with this process. Images are built
 * from the repository and loaded; nothing is pulled, unless `EMPLOYEES_IMAGE`, `ETCD_IMAGE` or `NODE_IMAGE` name others.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { sweepCgroups } from '../kubernetes/box/cgroups.ts';
import { run } from '../kubernetes/box/processes.ts';
import { findEtcd } from '../support/etcd.ts';
import { isAlive } from '../support/processes.ts';
import { cgroupName, isEngineThere } from './engine.ts';

const root = path.resolve(import.meta.dirname, '..', '..');
const cacheFolder = path.join(
  process.env['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache'),
  ...['tonearm', 'containers'],
);
const { values } = parseArgs({
  options: { only: { type: 'string' } },
  allowPositionals: true,
});
const inside = [
  ...[process.execPath, '--conditions=source', path.join(import.meta.dirname, 'inside.ts')],
  values.only ?? '',
];

/** What runs inside ends with this process, however it ends. */
const namespaces = [
  ...['setpriv', '--pdeathsig', 'KILL', 'unshare', '--net', '--mount', '--pid', '--fork'],
  ...['--kill-child=SIGKILL', '--mount-proc', '--propagation', 'private'],
  // A shell, because the first process of a pid namespace has to reap.
  ...['bash', '-c', 'ip link set lo up; "$@" & wait $!; exit $?', 'bash'],
];

const hasEngine = isEngineThere();
const missing = hasEngine ? undefined : await missingNeeds();
const etcd = findEtcd();
if (missing !== undefined) skip(missing);
else if (etcd === undefined)
  skip('it needs etcd: install etcd-server, or set ETCD_BIN to its binary');
else await enter(etcd);

/** Absence is a failure where absence would go unnoticed. */
function skip(reason: string): void {
  process.stdout.write(`skipped: the container tier cannot run here: ${reason}\n`);
  if (process.env['CI'] === 'true') process.exitCode = 1;
}

async function missingNeeds(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'no Docker engine answers, and to start one it needs Linux and root';
  const commands = {
    dockerd: 'docker.io',
    docker: 'docker.io',
    ip: 'iproute2',
    unshare: 'util-linux',
  };
  const packages = new Set(
    Object.entries(commands).flatMap(([command, name]) => (isOnPath(command) ? [] : [name])),
  );
  if (packages.size === 0) return undefined;
  if (!isOnPath('apt-get'))
    return `it needs ${[...packages].join(', ')} (names of Debian's packages)`;
  process.stdout.write(`installing ${[...packages].join(', ')} …\n`);
  const options = { env: { DEBIAN_FRONTEND: 'noninteractive' }, deadlineMs: 10 * 60_000 };
  try {
    await run('apt-get', ['update', '-qq'], options);
    await run('apt-get', ['install', '-qq', '--no-install-recommends', ...packages], options);
    return undefined;
  } catch (error) {
    return `installing ${[...packages].join(', ')} failed: ${(error as Error).message}`;
  }
}

function isOnPath(command: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  return folders.some((folder) => existsSync(path.join(folder, command)));
}

async function enter(etcdBinary: string): Promise<void> {
  mkdirSync(cacheFolder, { recursive: true });
  await sweep();
  await compile();
  const folder = path.join(cacheFolder, `run-${process.pid}`);
  mkdirSync(folder);
  const environment = {
    ...process.env,
    TONEARM_CONTAINERS: JSON.stringify({
      ...{ folder, etcd: etcdBinary, images: path.join(cacheFolder, 'images') },
      startsEngine: !hasEngine,
    }),
    // It would have to be pulled; whatever a run makes is removed by its end.
    TESTCONTAINERS_RYUK_DISABLED: 'true',
  };
  const command = hasEngine ? inside : [...namespaces, ...inside];
  const [program = '', ...args] = command;
  const child = spawn(program, args, { cwd: root, stdio: 'inherit', env: environment });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => void child.kill(hasEngine ? signal : 'SIGKILL'));
  process.exitCode = await exitOf(child);
  await remove(folder);
}

async function compile(): Promise<void> {
  await run('tsc', ['-b', 'examples/employees'], { cwd: root, deadlineMs: 300_000 });
}

/** What runs have left that were ended before they could clean up. */
async function sweep(): Promise<void> {
  for (const name of readdirSync(cacheFolder)) {
    const pid = /^run-(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) await remove(path.join(cacheFolder, name));
  }
}

async function remove(folder: string): Promise<void> {
  await sweepCgroups(cgroupName(folder));
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}

async function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once('exit', (code) => resolve(code ?? 1));
    child.once('error', () => resolve(1));
  });
}
