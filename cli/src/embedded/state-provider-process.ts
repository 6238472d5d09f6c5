/**
 * Runs the state provider of the local clusters: the stateboard, or an etcd that is installed here. Its address and
 * password stay the same over restarts, because they are part of the cluster config: at another address its clusters
 * would not find it, or find the one of another folder.
 */
import { randomBytes } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { DefaultStateProvider } from '@tonearm/operator';
import { conditions, runtimeFile } from './node/pods/images.ts';
import { type LocalPorts, PortInUseError } from './node/processes/local-ports.ts';
import type { ProcessSpec } from './node/processes/process-host.ts';
import type { StateDirectory } from './state-directory.ts';

export interface PlannedProvider {
  readonly name: string;
  readonly provider: DefaultStateProvider;
  readonly spec: ProcessSpec;
}

export async function planStateboard(
  state: StateDirectory,
  ports: LocalPorts,
): Promise<PlannedProvider> {
  const directory = madeFolder(state.folderOf('stateboard'));
  const listen = `127.0.0.1:${await claimForLife(ports, 'stateboard')}`;
  const passwordFile = path.join(directory, 'password');
  if (!existsSync(passwordFile)) {
    writeFileSync(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 });
  }
  const password = readFileSync(passwordFile, 'utf8');
  const workdir = madeFolder(path.join(directory, 'data'));
  const options = ['--listen', listen, '--workdir', workdir, '--password-file', passwordFile];
  return {
    name: 'stateboard',
    provider: { kind: 'Stateboard', uri: listen, password },
    spec: {
      command: process.execPath,
      args: [...conditions(), runtimeFile('stateboard/main'), ...options],
      environment: {},
      directory,
      logFile: path.join(state.logs, 'stateboard.log'),
    },
  };
}

export async function planEtcd(state: StateDirectory, ports: LocalPorts): Promise<PlannedProvider> {
  const command = findEtcd();
  if (command === undefined) throw new Error('there is no etcd on the PATH any more');
  const directory = madeFolder(state.folderOf('etcd'));
  const client = `http://127.0.0.1:${await claimForLife(ports, 'etcd/client')}`;
  const peer = `http://127.0.0.1:${await claimForLife(ports, 'etcd/peer')}`;
  const addresses = {
    'data-dir': path.join(directory, 'data'),
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `local=${peer}`,
  };
  const args = Object.entries(addresses).flatMap(([name, value]) => [`--${name}`, value]);
  return {
    name: 'etcd',
    provider: { kind: 'Etcd', endpoints: [client] },
    spec: {
      command,
      args: ['--name', 'local', ...args],
      environment: {},
      directory,
      logFile: path.join(state.logs, 'etcd.log'),
    },
  };
}

async function claimForLife(ports: LocalPorts, owner: string): Promise<number> {
  try {
    return await ports.claimForLife(owner);
  } catch (error) {
    if (!(error instanceof PortInUseError)) throw error;
    const [program] = owner.split('/');
    throw new Error(
      `${error.message}, and the ${program} of this state directory needs it, because its clusters know no other address: stop the program that listens there ("lsof -i :${error.port}" names it; it may be "tonearm up" in another folder), or start anew after "tonearm down --purge"`,
      { cause: error },
    );
  }
}

export function findEtcd(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter).filter((part) => part !== '');
  return folders.map((folder) => path.join(folder, 'etcd')).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    // Absent, or not a program for this user.
    return false;
  }
}

function madeFolder(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}
