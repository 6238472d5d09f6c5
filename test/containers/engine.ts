/**
 * The Docker engine of this tier: one that answers already, or Debian's, started below a folder of the run.
 *
 * The engine of a run has everything of its own: socket, images, networks, cgroups. Nothing of it is left afterwards.
 */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import { run, waitUntil } from '../kubernetes/box/processes.ts';
import type { Image, ImageStore } from '../kubernetes/images/image-store.ts';

/** What commands and libraries need to find the engine. */
export interface EngineEnvironment {
  readonly DOCKER_HOST?: string;
}

export const cgroupName = (folder: string): string => `tonearm-${path.basename(folder)}`;

/** Does an engine answer, as the environment or the default socket name it? */
export function isEngineThere(): boolean {
  try {
    execFileSync('docker', ['version'], { stdio: 'ignore', timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}

/** Starts an engine that ends with this process's pid namespace. Needs root. */
export async function startEngine(folder: string): Promise<EngineEnvironment> {
  mkdirSync(folder, { recursive: true });
  const socket = `unix://${path.join(folder, 'docker.sock')}`;
  const log = openSync(path.join(folder, 'dockerd.log'), 'a');
  const engine = spawn(
    'dockerd',
    [
      ...['--host', socket, '--pidfile', path.join(folder, 'docker.pid')],
      ...['--data-root', path.join(folder, 'data'), '--exec-root', path.join(folder, 'exec')],
      ...['--cgroup-parent', cgroupName(folder)],
    ],
    { stdio: ['ignore', log, log], detached: true },
  );
  closeSync(log);
  engine.unref();
  await waitUntil(
    'the Docker engine answers',
    async () => {
      if (engine.exitCode !== null) throw new Error(`it ended with ${engine.exitCode}`);
      await run('docker', ['version'], { env: { DOCKER_HOST: socket }, deadlineMs: 5_000 });
      return true;
    },
    60_000,
  );
  return { DOCKER_HOST: socket };
}

export async function loadImages(
  store: ImageStore,
  images: readonly Image[],
  place: { readonly scratch: string; readonly environment: EngineEnvironment },
): Promise<void> {
  const [tar = '', ...args] = store.dockerArchiveCommand(images, place.scratch);
  const packing = spawn(tar, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const loading = spawn('docker', ['load', '--quiet'], {
    stdio: [packing.stdout, 'ignore', 'inherit'],
    env: { ...process.env, ...place.environment },
  });
  const code = await new Promise((resolve, reject) => {
    packing.once('error', reject);
    loading.once('error', reject);
    loading.once('exit', resolve);
  });
  if (code !== 0) throw new Error(`\`docker load\` failed (exit ${String(code)})`);
}
