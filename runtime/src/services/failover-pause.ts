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

export async function pauseFailover(
  peers: Peers,
  topology: Topology,
  isPaused: boolean,
): Promise<PauseAnswer> {
  const outcomes = await Promise.all(
    enabledServers(topology).map(async ([uuid, { alias, http_uri: address }]) => {
      const options = { timeoutMs: TIMEOUT_MS };
      const isDone = await peers.call(address, PAUSE_METHOD, { isPaused }, options).then(
        () => true,
        () => false,
      );
      return { uuid, alias, isDone };
    }),
  );
  const done = outcomes.filter((one) => one.isDone).map(({ uuid }) => uuid);
  const missed = outcomes.filter((one) => !one.isDone).map(({ alias }) => alias);
  if (missed.length === 0) return { isPaused, instances: done };
  throw new ClusterError('PEER_UNREACHABLE', {
    message: `Failover is ${isPaused ? 'paused' : 'resumed'} on ${done.length} instances, but not on ${missed.join(', ')}, which did not answer. Repeat the request when they do, or expel them.`,
    details: { executed: true, missed },
  });
}
