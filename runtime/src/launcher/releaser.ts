/**
 * Everything that the launcher needs to release what a dead process held. Loaded when there is something to release
 * and not before: the clients of state providers are most of what a launcher would be, in memory and in time to start.
 */
import { createStateProvider, loadStateProvider } from '../adapters/create-state-provider.ts';
import { systemClock } from '../foundation/clock.ts';
import { createLogger } from '../foundation/logger.ts';
import { type Held, heldSchema } from './held.ts';
import { releaseHeld } from './release.ts';

/**
 * Until the records no longer name the dead process: while the state provider is away its replica set waits for that.
 * This long, and not for ever, because whoever starts the launcher again starts the instance again only then.
 */
const RELEASE_LIMIT_MS = 600_000;
/** One that was told to end has less time: a pod that is deleted is killed after 30 s. */
const TOLD_LIMIT_MS = 30_000;

const logger = createLogger({ level: 'info', fields: { service: 'launcher' } });

/** After this, the release of what is reported reads no file any more. */
export async function prepareRelease(report: unknown): Promise<void> {
  const held = readReport(report);
  if (held?.provider != null) await loadStateProvider(held.provider);
}

export interface ReleaseManner {
  /** It was told to end, and its process with it. */
  readonly isTold: boolean;
  /** Told to end now. */
  readonly signal: AbortSignal;
}

/** Only for a process that is known to be dead. */
export async function releaseReported(report: unknown, manner: ReleaseManner): Promise<void> {
  const held = readReport(report);
  if (held?.provider == null) return;
  const provider = createStateProvider(held.provider);
  try {
    const limitMs = manner.isTold ? TOLD_LIMIT_MS : RELEASE_LIMIT_MS;
    const limits = { provider, clock: systemClock, limitMs, signal: manner.signal };
    const left = await releaseHeld(held, limits);
    if (left.length === 0) logger.info({ ...held, provider: undefined }, 'released what it held');
    else logger.warn({ left }, 'not released in time; others wait until the leases expire');
  } finally {
    await provider.close();
  }
}

function readReport(report: unknown): Held | undefined {
  const parsed = heldSchema.safeParse(report);
  if (parsed.success) return parsed.data;
  logger.error({ error: parsed.error }, 'the process reported what it cannot hold');
  return undefined;
}
