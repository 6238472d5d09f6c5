/**
 * Sends a call to the replica set that owns its bucket, and waits through a change of leader.
 *
 * A writing call is sent again only after an answer which proves that nothing was executed: the connection was
 * refused, or the instance said that it did not enter the function. Without an answer it is OUTCOME_UNKNOWN.
 */
import type { Topology, VshardGroups } from '../contract/cluster-config.ts';
import { ClusterError } from '../core/errors.ts';
import { isNotExecuted, outcomeUnknown } from '../core/routing/execution-proof.ts';
import {
  addressOf,
  buildRouteTable,
  findOwner,
  ownersOf,
  type RouteTable,
} from '../core/routing/route-table.ts';
import type { Clock } from '../foundation/clock.ts';
import { PeerError, type Peers } from '../ports/peers.ts';

export interface RouterOptions {
  readonly clock: Clock;
  readonly peers: Peers;
  readonly topology: () => Topology;
  readonly groups: () => VshardGroups;
  readonly leaderOf: (
    replicaSetUuid: string,
  ) => { readonly uuid: string; readonly term: number } | undefined;
}

export interface BucketCall {
  readonly bucketId: number;
  readonly mode: 'read' | 'write';
  readonly role: string;
  readonly fn: string;
  readonly args: readonly unknown[];
  readonly timeoutMs: number;
}

/** A leader is found again within a few probes of the coordinator; asking more often only adds load. */
const RETRY_DELAY_MS = 25;
const RETRY_DELAY_MS_MAX = 250;

export class RouterService {
  readonly #options: RouterOptions;

  constructor(options: RouterOptions) {
    this.#options = options;
  }

  get table(): RouteTable {
    return buildRouteTable(this.#options.groups());
  }

  owners(): readonly string[] {
    return ownersOf(this.table);
  }

  async call(call: BucketCall): Promise<unknown> {
    const { bucketCount } = this.table;
    if (!Number.isInteger(call.bucketId) || call.bucketId < 1 || call.bucketId > bucketCount) {
      throw new ClusterError('REQUEST_INVALID', {
        field: 'bucketId',
        message: `bucketId must be a whole number from 1 to ${bucketCount}, not ${String(call.bucketId)}`,
      });
    }
    return this.#retry(call, () => findOwner(this.table, call.bucketId));
  }

  /** The same for one replica set, whatever its buckets: for functions that read all of it. */
  async callReplicaSet(
    replicaSetUuid: string,
    call: Omit<BucketCall, 'bucketId'>,
  ): Promise<unknown> {
    return this.#retry({ ...call, bucketId: 0 }, () => replicaSetUuid);
  }

  async #retry(call: BucketCall, owner: () => string | undefined): Promise<unknown> {
    const { clock } = this.#options;
    const deadlineMs = clock.monotonicMs() + call.timeoutMs;
    let delayMs = RETRY_DELAY_MS;
    for (;;) {
      const leftMs = deadlineMs - clock.monotonicMs();
      const attempt = await this.#attempt(call, owner(), leftMs);
      if (attempt.kind === 'answered') return attempt.value;
      if (attempt.kind === 'failed') throw attempt.error;
      if (clock.monotonicMs() + delayMs >= deadlineMs)
        throw noLeader(attempt.reason, call.timeoutMs);
      await clock.sleep(delayMs);
      delayMs = Math.min(delayMs * 2, RETRY_DELAY_MS_MAX);
    }
  }

  async #attempt(
    call: BucketCall,
    replicaSetUuid: string | undefined,
    leftMs: number,
  ): Promise<Attempt> {
    if (replicaSetUuid === undefined) {
      return { kind: 'again', reason: `no replica set owns bucket ${call.bucketId}` };
    }
    const leader = this.#options.leaderOf(replicaSetUuid);
    if (leader === undefined)
      return { kind: 'again', reason: `replica set ${replicaSetUuid} has no leader` };
    const address = addressOf(this.#options.topology(), leader.uuid);
    if (address === undefined) {
      return {
        kind: 'again',
        reason: `the leader ${leader.uuid} of replica set ${replicaSetUuid} is not in the topology`,
      };
    }
    try {
      const { bucketId, mode, role, fn, args } = call;
      const body = { replicaSetUuid, bucketId, mode, role, fn, args };
      const value = await this.#options.peers.call(address, 'bucket.call', body, {
        timeoutMs: Math.max(1, leftMs),
      });
      return { kind: 'answered', value };
    } catch (error) {
      return judge(error, call);
    }
  }
}

type Attempt =
  | { readonly kind: 'answered'; readonly value: unknown }
  | { readonly kind: 'again'; readonly reason: string }
  | { readonly kind: 'failed'; readonly error: Error };

function judge(error: unknown, call: BucketCall): Attempt {
  if (error instanceof PeerError) {
    if (error.kind === 'not-sent' || call.mode === 'read')
      return { kind: 'again', reason: error.message };
    return { kind: 'failed', error: outcomeUnknown(error) };
  }
  if (!(error instanceof ClusterError)) return { kind: 'failed', error: error as Error };
  const isRepeatable = isNotExecuted(error) || (call.mode === 'read' && error.status === 503);
  return isRepeatable ? { kind: 'again', reason: error.message } : { kind: 'failed', error };
}

function noLeader(reason: string, timeoutMs: number): ClusterError {
  return new ClusterError('NO_LEADER', {
    message: `Nothing was written or read within ${timeoutMs} ms: ${reason}. It is safe to try again.`,
  });
}
