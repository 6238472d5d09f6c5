/**
 * Sends a call to the replica set that owns its bucket, and waits through a change of leader.
 *
 * A writing call is sent again only after an answer which proves that nothing was executed: the connection was
 * refused, or the instance said that it did not enter the function. Without an answer it is OUTCOME_UNKNOWN. Calls that
 * were not sent yet are held meanwhile, as `ReplicaSetGate` says.
 */
import type { Topology, VshardGroups } from '../contract/cluster-config.ts';
import { ClusterError } from '../core/errors.ts';
import { estimateBytes } from '../core/routing/estimate-bytes.ts';
import { isNotExecuted, leaderInRefusal, outcomeUnknown } from '../core/routing/execution-proof.ts';
import {
  addressOf,
  buildRouteTable,
  findOwner,
  ownersOf,
  type RouteTable,
} from '../core/routing/route-table.ts';
import type { Clock } from '../foundation/clock.ts';
import { PeerError, type Peers } from '../ports/peers.ts';
import type { KnownLeader } from './leadership-engine.ts';
import { type HoldBudget, ReplicaSetGate } from './replica-set-gate.ts';

export interface RouterOptions {
  readonly clock: Clock;
  readonly peers: Peers;
  readonly topology: () => Topology;
  readonly groups: () => VshardGroups;
  readonly leaderOf: (replicaSetUuid: string) => KnownLeader | undefined;
  readonly limits?: Partial<RouterLimits>;
}

/** What calls may take that wait for a leader. */
export interface RouterLimits {
  readonly heldCalls: number;
  readonly heldBytes: number;
}

export const defaultRouterLimits: RouterLimits = {
  heldCalls: 50_000,
  heldBytes: 64 * 1024 * 1024,
};

export interface BucketCall {
  readonly bucketId: number;
  readonly mode: 'read' | 'write';
  readonly role: string;
  readonly fn: string;
  readonly args: readonly unknown[];
  readonly timeoutMs: number;
}

/** For what no news is heard of, such as a bucket that is being created. */
const RETRY_DELAY_MS = 25;
const RETRY_DELAY_MS_MAX = 250;

export class RouterService {
  readonly #options: RouterOptions;
  readonly #gates = new Map<string, ReplicaSetGate>();
  readonly #budget: HoldBudget;

  constructor(options: RouterOptions) {
    this.#options = options;
    const { heldCalls, heldBytes } = { ...defaultRouterLimits, ...options.limits };
    this.#budget = { maxCalls: heldCalls, maxBytes: heldBytes, calls: 0, bytes: 0 };
  }

  get table(): RouteTable {
    return buildRouteTable(this.#options.groups());
  }

  owners(): readonly string[] {
    return ownersOf(this.table);
  }

  /** To be called when the leader of any replica set may have changed. */
  leadersChanged(): void {
    for (const gate of this.#gates.values()) gate.leadersChanged();
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
      const attempt = await this.#attempt(call, owner(), deadlineMs);
      if (attempt.kind === 'answered') return attempt.value;
      if (attempt.kind === 'failed') throw attempt.error;
      if (attempt.kind === 'late') throw noLeader(attempt.reason, call.timeoutMs);
      if (attempt.kind === 'again') continue;
      if (clock.monotonicMs() + delayMs >= deadlineMs)
        throw noLeader(attempt.reason, call.timeoutMs);
      await clock.sleep(delayMs);
      delayMs = Math.min(delayMs * 2, RETRY_DELAY_MS_MAX);
    }
  }

  async #attempt(
    call: BucketCall,
    replicaSetUuid: string | undefined,
    deadlineMs: number,
  ): Promise<Attempt> {
    if (replicaSetUuid === undefined)
      return { kind: 'later', reason: `no replica set owns bucket ${call.bucketId}` };
    const gate = this.#gate(replicaSetUuid);
    if (deadlineMs <= this.#options.clock.monotonicMs())
      return { kind: 'late', reason: gate.reason };
    const over = await gate.pass(deadlineMs, () => estimateBytes(call.args));
    if (over === undefined) return { kind: 'late', reason: gate.reason };
    try {
      return await this.#send(call, { gate, replicaSetUuid, deadlineMs });
    } finally {
      over();
    }
  }

  async #send(
    call: BucketCall,
    to: {
      readonly gate: ReplicaSetGate;
      readonly replicaSetUuid: string;
      readonly deadlineMs: number;
    },
  ): Promise<Attempt> {
    const { gate, replicaSetUuid, deadlineMs } = to;
    const { leader } = gate;
    const address = leader && addressOf(this.#options.topology(), leader.uuid);
    if (leader === undefined || address === undefined) {
      const reason = `the leader ${leader?.uuid} of replica set ${replicaSetUuid} is not in the topology`;
      return { kind: 'later', reason };
    }
    const sentMs = this.#options.clock.monotonicMs();
    const { bucketId, mode, role, fn, args } = call;
    const body = { replicaSetUuid, bucketId, mode, role, fn, args };
    const timeoutMs = Math.max(1, deadlineMs - sentMs);
    return new Promise((resolve) => {
      const landed = gate.sent({
        ...{ leader, sentMs, mode },
        // Whatever it answers now is not waited for.
        overtaken: (by) => resolve(overtaken(call, leader, by)),
      });
      this.#options.peers.call(address, 'bucket.call', body, { timeoutMs }).then(
        (value) => {
          landed();
          gate.heard();
          resolve({ kind: 'answered', value });
        },
        (error: unknown) => {
          landed();
          resolve(judge(error, call, { gate, leader }));
        },
      );
    });
  }

  #gate(replicaSetUuid: string): ReplicaSetGate {
    const known = this.#gates.get(replicaSetUuid);
    if (known !== undefined) return known;
    const { clock, peers, leaderOf, topology } = this.#options;
    const gate = new ReplicaSetGate({
      ...{ clock, peers, replicaSetUuid, budget: this.#budget },
      mappedLeader: () => leaderOf(replicaSetUuid),
      addressOf: (uuid) => addressOf(topology(), uuid),
    });
    this.#gates.set(replicaSetUuid, gate);
    return gate;
  }
}

type Attempt =
  | { readonly kind: 'answered'; readonly value: unknown }
  /** As soon as the gate lets it pass. */
  | { readonly kind: 'again'; readonly reason: string }
  /** After a while: no news of it will be heard. */
  | { readonly kind: 'later'; readonly reason: string }
  /** It has waited for a leader until its deadline. */
  | { readonly kind: 'late'; readonly reason: string }
  | { readonly kind: 'failed'; readonly error: Error };

function judge(
  error: unknown,
  call: BucketCall,
  { gate, leader }: { readonly gate: ReplicaSetGate; readonly leader: KnownLeader },
): Attempt {
  if (error instanceof PeerError) {
    const isSafe = error.kind === 'not-sent' || call.mode === 'read';
    if (!isSafe) return { kind: 'failed', error: outcomeUnknown(error) };
    gate.refused(leader, error.message);
    return { kind: 'again', reason: error.message };
  }
  if (!(error instanceof ClusterError)) return { kind: 'failed', error: error as Error };
  gate.heard();
  const isRepeatable = isNotExecuted(error) || (call.mode === 'read' && error.status === 503);
  if (!isRepeatable) return { kind: 'failed', error };
  const isOfLeader = error.code === 'NOT_LEADER' || error.code === 'NO_LEADER';
  if (!isOfLeader || !isNotExecuted(error)) return { kind: 'later', reason: error.message };
  const successor = leaderInRefusal(error);
  if (successor !== undefined) gate.learn(successor);
  gate.refused(leader, error.message);
  return { kind: 'again', reason: error.message };
}

function overtaken(call: BucketCall, leader: KnownLeader, by: KnownLeader): Attempt {
  const reason = `instance ${leader.uuid} did not answer, and ${by.uuid} leads in term ${by.term}`;
  if (call.mode === 'read') return { kind: 'again', reason };
  return { kind: 'failed', error: outcomeUnknown(new Error(reason)) };
}

function noLeader(reason: string, timeoutMs: number): ClusterError {
  return new ClusterError('NO_LEADER', {
    message: `Nothing was written or read within ${timeoutMs} ms: ${reason}. It is safe to try again.`,
  });
}
