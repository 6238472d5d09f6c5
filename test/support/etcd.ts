/**
 * Real etcd for integration tests: servers on free loopback ports, their data in temporary folders.
 *
 * The binary is `ETCD_BIN`, else `etcd` on the PATH, else Debian's package (as root), else `.tools/etcd`.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Etcd3 } from 'etcd3';

export interface RealEtcd {
  readonly endpoint: string;
  /** Freezes the server, so that it accepts connections and answers nothing. */
  pause(): void;
  resume(): void;
  /** Takes away the history up to the present. */
  compact(): Promise<void>;
  /** Ends it, and starts another at the same place, without data. */
  wipe(): Promise<void>;
  stop(): Promise<void>;
}

export interface EtcdMember {
  readonly endpoint: string;
  pause(): void;
  resume(): void;
  kill(): Promise<void>;
  start(): Promise<void>;
}

export interface EtcdCluster {
  readonly members: readonly EtcdMember[];
  readonly endpoints: readonly string[];
  /** Which of the members leads; fails if none does. */
  leader(): Promise<number>;
  /** From now on only `root` with this password may do anything. */
  enableAuthentication(password: string): Promise<void>;
  stop(): Promise<void>;
}

/** The path of the binary, or undefined. In CI its absence is an error. */
export function findEtcd(): string | undefined {
  const found = fromEnvironment() ?? onPath() ?? fromDebian() ?? fromTools();
  if (found === undefined && process.env['CI'] === 'true') {
    throw new Error(
      'No etcd was found, and CI demands one: install etcd-server, or set ETCD_BIN to its binary.',
    );
  }
  return found;
}

export async function startEtcd(binary: string): Promise<RealEtcd> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tonearm-etcd-'));
  const endpoint = `http://127.0.0.1:${await freePort()}`;
  const peer = `http://127.0.0.1:${await freePort()}`;
  const start = (): Promise<ChildProcess> =>
    startMember(binary, endpoint, [
      ...['--name', 'one', '--data-dir', folder],
      ...['--listen-client-urls', endpoint, '--advertise-client-urls', endpoint],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--initial-cluster', `one=${peer}`],
    ]);
  const stop = async (): Promise<void> => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  let child = await start();
  return {
    endpoint,
    pause: () => child.kill('SIGSTOP'),
    resume: () => child.kill('SIGCONT'),
    compact: () => compact(endpoint),
    wipe: async () => {
      await stop();
      child = await start();
    },
    stop,
  };
}

export async function startEtcdCluster(binary: string, size: number): Promise<EtcdCluster> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tonearm-etcd-'));
  const urls: { readonly endpoint: string; readonly peer: string }[] = [];
  for (let index = 0; index < size; index++) {
    const [endpoint, peer] = [await freePort(), await freePort()];
    urls.push({ endpoint: `http://127.0.0.1:${endpoint}`, peer: `http://127.0.0.1:${peer}` });
  }
  const initial = urls.map(({ peer }, index) => `m${index}=${peer}`).join(',');
  const members = urls.map(({ endpoint, peer }, index) => {
    let child: ChildProcess | undefined;
    return {
      endpoint,
      pause: () => child?.kill('SIGSTOP'),
      resume: () => child?.kill('SIGCONT'),
      kill: async () => {
        if (child !== undefined) await ended(child);
      },
      start: async () => {
        child = await startMember(binary, endpoint, [
          ...['--name', `m${index}`, '--data-dir', path.join(folder, `m${index}`)],
          ...['--listen-client-urls', endpoint, '--advertise-client-urls', endpoint],
          ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
          ...['--initial-cluster', initial, '--initial-cluster-token', folder],
          ...['--heartbeat-interval', '50', '--election-timeout', '500'],
          ...['--auth-token-ttl', '1'],
        ]);
      },
    };
  });
  const endpoints = urls.map(({ endpoint }) => endpoint);
  const stop = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.kill()));
    rmSync(folder, { recursive: true, force: true });
  };
  await Promise.all(members.map((member) => member.start())).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {
    members,
    endpoints,
    leader: () => leaderOf(endpoints),
    enableAuthentication: (password) => enableAuthentication(endpoints, password),
    stop,
  };
}

async function leaderOf(endpoints: readonly string[]): Promise<number> {
  for (const [index, endpoint] of endpoints.entries()) {
    const client = new Etcd3({ hosts: [endpoint] });
    try {
      const { header, leader } = await client.maintenance.status();
      if (header.member_id === leader) return index;
    } finally {
      client.close();
    }
  }
  throw new Error('no member of etcd leads');
}

async function enableAuthentication(endpoints: readonly string[], password: string): Promise<void> {
  const client = new Etcd3({ hosts: [...endpoints] });
  try {
    await client.role('root').create();
    const user = await client.user('root').create(password);
    await user.addRole('root');
    await client.auth.authEnable();
  } finally {
    client.close();
  }
}

async function startMember(
  binary: string,
  endpoint: string,
  options: readonly string[],
): Promise<ChildProcess> {
  const child = spawn(binary, ['--log-level', 'error', ...options], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-4000);
  });
  try {
    await answering(endpoint, child);
  } catch (error) {
    await ended(child);
    throw new Error(`etcd did not start: ${String(error)}\n${log}`);
  }
  return child;
}

async function compact(endpoint: string): Promise<void> {
  const client = new Etcd3({ hosts: [endpoint] });
  try {
    const { header } = await client.kv.range({ key: Buffer.from('any') });
    await client.kv.compact({ revision: header.revision, physical: true });
  } finally {
    client.close();
  }
}

async function answering(endpoint: string, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (child.exitCode !== null) throw new Error(`it exited with ${child.exitCode}`);
    const healthy = await fetch(`${endpoint}/health`).then(
      (response) => response.ok,
      () => false,
    );
    if (healthy) return;
    await delay(50);
  }
  throw new Error('it was not healthy within 10 s');
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function fromEnvironment(): string | undefined {
  const binary = process.env['ETCD_BIN'];
  if (binary === undefined || binary === '') return undefined;
  if (!executable(binary)) throw new Error(`ETCD_BIN names ${binary}, which cannot be executed`);
  return binary;
}

function onPath(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  return folders.map((folder) => path.join(folder, 'etcd')).find(executable);
}

function fromDebian(): string | undefined {
  if (process.getuid?.() !== 0 || !executable('/usr/bin/apt-get')) return undefined;
  try {
    execFileSync('/usr/bin/apt-get', ['install', '-y', 'etcd-server', 'etcd-client'], {
      stdio: 'ignore',
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  } catch {
    return undefined;
  }
  return onPath();
}

function fromTools(): string | undefined {
  const binary = path.resolve(import.meta.dirname, '../../.tools/etcd');
  return executable(binary) ? binary : undefined;
}

function executable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
