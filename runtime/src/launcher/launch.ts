/**
 * Runs one data process and stays until it is dead, then releases what it held.
 *
 * That the process is dead is known from the kernel, not from a missing answer: its records may be released at once.
 * It is never started again here; that is the business of whoever started the launcher.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { StateProviderConfig } from '../contract/cluster-config.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { StateProvider } from '../ports/state-provider.ts';
import { type Held, heldSchema } from './held.ts';
import { releaseHeld } from './release.ts';

export interface LaunchOptions {
  /** The application's entry file and its arguments. */
  readonly command: readonly string[];
  readonly openProvider: (config: StateProviderConfig) => StateProvider;
  readonly clock: Clock;
  readonly logger: Logger;
}

const RELEASE_LIMIT_MS = 30_000;
const FORWARDED = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** Resolves to the exit code that this process should have. */
export async function launch(options: LaunchOptions): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, ...options.command], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, TONEARM_LAUNCHER: '1' },
  });
  let held: Held | undefined;
  child.on('message', (message) => {
    const parsed = heldSchema.safeParse(message);
    if (parsed.success) held = parsed.data;
    else options.logger.error({ error: parsed.error }, 'the process reported what it cannot hold');
  });
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of FORWARDED) process.on(signal, forward);
  // The channel ends after its last message was read, which may be after the death.
  const disconnected = new Promise<void>((resolve) => child.once('disconnect', resolve));
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (exitCode, signal) => {
      resolve(exitCode ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
  await disconnected;
  for (const signal of FORWARDED) process.off(signal, forward);
  if (held !== undefined) await release(held, options);
  return code;
}

async function release(held: Held, options: LaunchOptions): Promise<void> {
  if (held.provider === null || (held.leases.length === 0 && !held.lock)) return;
  const provider = options.openProvider(held.provider);
  try {
    const { clock, logger } = options;
    const left = await releaseHeld(held, { provider, clock, limitMs: RELEASE_LIMIT_MS });
    if (left.length === 0) logger.info({ ...held, provider: undefined }, 'released what it held');
    else logger.warn({ left }, 'not released in time; others wait until the leases expire');
  } finally {
    await provider.close();
  }
}
