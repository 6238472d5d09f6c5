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

export async function startStateboard(): Promise<Stateboard> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tonearm-stateboard-'));
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
  return {
    provider: (prefix) => ({ kind: 'stateboard', uri: `127.0.0.1:${port}`, prefix, password: '' }),
    stop: async (signal = 'SIGTERM') => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.ref();
      child.kill(signal);
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
