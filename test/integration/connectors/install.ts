/**
 * Finds or installs the connectors of other languages: each with the client of its language's registry, in one
 * pinned version, into the user's cache directory.
 *
 * Undefined is a connector whose language is not on this machine; in CI that is an error.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

/** A program that is given the port of the server, or those of all servers of a pool, as its last arguments. */
export interface Connector {
  readonly command: string;
  readonly args: readonly string[];
}

const here = import.meta.dirname;
const cache = path.join(
  process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'),
  'tonearm',
  'connectors',
);

export const connectorNames = ['net.box', 'npm', 'pypi', 'go'] as const;
export type ConnectorName = (typeof connectorNames)[number];

const installers: Readonly<Record<ConnectorName, () => Connector | undefined>> = {
  'net.box': netBox,
  npm: tarantoolDriver,
  pypi: tarantoolPython,
  go: goTarantool,
};

export function findConnector(name: ConnectorName): Connector | undefined {
  const connector = installers[name]();
  if (connector === undefined && process.env['CI'] === 'true') {
    throw new Error(`CI demands the connector ${name}, and what it needs is not on this machine.`);
  }
  return connector;
}

export const poolNames = ['pypi', 'go'] as const;

/** A program that works over a pool. */
export function findPool(name: (typeof poolNames)[number]): Connector | undefined {
  const connector = findConnector(name);
  if (connector === undefined) return undefined;
  if (name === 'go') return goProgram('./pool', 'go-tarantool-pool-v2.3.0');
  return { ...connector, args: [...connector.args.slice(0, -1), path.join(here, 'pool.py')] };
}

function netBox(): Connector | undefined {
  if (!isOnPath('tarantool')) installWithApt('tarantool');
  if (!isOnPath('tarantool')) return undefined;
  return { command: 'tarantool', args: [path.join(here, 'net-box.lua')] };
}

function tarantoolDriver(): Connector {
  const folder = once('npm-tarantool-driver-3.1.0', (target) => {
    writeFileSync(path.join(target, 'package.json'), '{"private":true}');
    run('npm', ['install', '--no-audit', '--no-fund', 'tarantool-driver@3.1.0'], target);
  });
  return { command: process.execPath, args: [path.join(here, 'tarantool-driver.cjs'), folder] };
}

function tarantoolPython(): Connector | undefined {
  if (!isOnPath('python3')) return undefined;
  const folder = once('pypi-tarantool-1.3.0', (target) => {
    const packages = path.join(target, 'packages');
    run('python3', ['-m', 'pip', 'install', '--target', packages, 'tarantool==1.3.0'], target);
  });
  const python = `PYTHONPATH=${path.join(folder, 'packages')}`;
  return { command: 'env', args: [python, 'python3', path.join(here, 'tarantool-python.py')] };
}

function goTarantool(): Connector | undefined {
  return isOnPath('go') ? goProgram('.', 'go-tarantool-v2.3.0') : undefined;
}

/** The module's files say the versions; Go keeps what it has built itself. */
function goProgram(folder: string, name: string): Connector {
  mkdirSync(cache, { recursive: true });
  const program = path.join(cache, name);
  run('go', ['build', '-o', program, folder], path.join(here, 'go'));
  return { command: program, args: [] };
}

/** What is there is whole: an installation that is cut off leaves nothing under its name. */
function once(name: string, install: (target: string) => void): string {
  const folder = path.join(cache, name);
  if (existsSync(folder)) return folder;
  const unfinished = `${folder}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  try {
    install(unfinished);
    renameSync(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return folder;
}

function run(command: string, args: readonly string[], cwd: string): void {
  execFileSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'pipe'], timeout: 300_000 });
}

function installWithApt(name: string): void {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    execFileSync('/usr/bin/apt-get', ['install', '-y', name], { stdio: 'ignore', env });
  } catch {
    // The caller looks whether it is there.
  }
}

function isOnPath(command: string): boolean {
  return (process.env['PATH'] ?? '')
    .split(path.delimiter)
    .some((folder) => existsSync(path.join(folder, command)));
}
