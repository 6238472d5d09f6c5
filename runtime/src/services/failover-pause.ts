/** Pauses automatic failover on every instance that can be reached, or resumes it (FO-60). */
import { z } from 'zod';
import type { Topology } from '../contract/cluster-config.ts';
import { enabledServers } from '../core/config/read-sections.ts';
import { ClusterError } from '../core/errors.ts';
import type { InternalHandler, Peers } from '../ports/peers.ts';
import type { AutomaticChanges } from './automatic-changes.ts';

export interface PauseAnswer {
  readonly isPaused: boolean;
  /** UUIDs of the instances that obey. */
  readonly instances: readonly string[];
}

const TIMEOUT_MS = 3000;
export const PAUSE_METHOD = 'failover.pause';
const pauseSchema = z.strictObject({ isPaused: z.boolean() });

export function pauseHandler(changes: AutomaticChanges): InternalHandler {
  return async (body) => {
    changes.pause(pauseSchema.parse(body).isPaused);
    return {};
  };
}

/** Resuming is never refused: the mode may have changed since. */
export async function pauseFailover(
  peers: Peers,
  topology: Topology,
  isPaused: boolean,
): Promise<PauseAnswer> {
  if (isPaused && topology.failover.mode === 'raft') {
    throw new ClusterError('STATE_FORBIDS', {
      message:
        'With failover mode "raft" the instances of a replica set elect their leader, which cannot be paused.',
    });
  }
  const outcomes = await Promise.all(
    enabledServers(topology).map(async ([uuid, { alias, http_uri: address }]) => {
      const options = { timeoutMs: TIMEOUT_MS };
      const missed = await peers.call(address, PAUSE_METHOD, { isPaused }, options).then(
        () => undefined,
        (error: unknown) => ({ alias, why: error instanceof Error ? error.message : '' }),
      );
      return { uuid, missed };
    }),
  );
  const instances = outcomes.flatMap(({ uuid, missed }) => (missed === undefined ? [uuid] : []));
  const missed = outcomes.flatMap((one) => one.missed ?? []);
  if (missed.length === 0) return { isPaused, instances };
  const names = missed.map(({ alias, why }) => `${alias} (${why})`).join(', ');
  throw new ClusterError('PARTLY_DONE', {
    message: `Failover is ${isPaused ? 'paused' : 'resumed'} on ${instances.length} instances, but not on ${names}. Repeat the request when they answer, or disable or expel them.`,
    details: { instances, missed },
  });
}
