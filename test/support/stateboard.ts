/** A real stateboard process on loopback, with its data in a temporary folder. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { StateProviderConfig } from '@tonearm/runtime/contract';
import { freePorts } from './ports.ts';
import { endWithTheTest } from './processes.ts';
import { waitUntil } from './wait-until.ts';

const root = path.resolve(import.meta.dirname, '../..');

export interface Stateboard {
  provider(prefix: string): StateProviderConfig;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** In a folder that stays, for a process that is killed. */
export async function startStateboardIn(folder: string): Promise<{
  readonly uri: string;
  readonly child: ChildProcess;
  readonly kill: (signal?: NodeJS.Signals) => Promise<void>;
}> {
  const [port] = await freePorts(1);
  const main = path.join(root, 'runtime/src/stateboard/main.ts');
  const child: ChildProcess = spawn(
    process.execPath,
    ['--conditions=source', main, '--listen', `127.0.0.1:${port}`, '--workdir', folder],
    { stdio: 'ignore' },
  );
  endWithTheTest(child);
  await waitUntil('the stateboard answers', async () => {
    await fetch(`http://127.0.0.1:${port}/`);
    return true;
  });
  const kill = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.ref();
    child.kill(signal);
    await ended;
  };
  return { uri: `127.0.0.1:${port}`, child, kill };
}

export async function startStateboard(): Promise<Stateboard> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tonearm-stateboard-'));
  const { uri, kill } = await startStateboardIn(folder);
  return {
    provider: (prefix) => ({ kind: 'stateboard', uri, prefix, password: '' }),
    stop: async (signal = 'SIGTERM') => {
      await kill(signal);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
