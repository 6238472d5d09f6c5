/**
 * What people have asked the active coordinator for, until it is done or its time is over.
 *
 * A leader that holds its lease is asked to hand over; where there is none, the next rounds of the coordinator obey
 * the wish as far as their rules allow (`appointments.ts`).
 */
import type { Topology } from '../contract/cluster-config.ts';
import { ClusterError } from '../core/errors.ts';
import type { Decision, ReplicaSetSnapshot } from '../core/failover/appointments.ts';
import { explainPromotion } from '../core/failover/explain-promotion.ts';
import type { Wish } from '../core/failover/forced-appointment.ts';
import { addressOf } from '../core/failover/leader-order.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Peers } from '../ports/peers.ts';
import type { KnownLeader } from './leadership-engine.ts';
import { handoverTimeoutMs } from './voluntary-handovers.ts';

export interface ManualPromotionsOptions {
  readonly peers: Peers;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly ttlMs: number;
}

export interface PromotionRequest extends Wish {
  readonly replicaSetUuid: string;
  readonly reason: string;
}

interface Pending {
  readonly request: PromotionRequest;
  readonly untilMs: number;
  readonly resolve: (leader: KnownLeader) => void;
  readonly reject: (error: Error) => void;
  isAsking: boolean;
}

/** What a round has come to for a replica set that somebody has asked for. */
export interface RoundOutcome {
  readonly topology: Topology;
  readonly set: ReplicaSetSnapshot;
  readonly decision: Decision;
  /** An appointment was stored. */
  readonly isApplied: boolean;
}

export class ManualPromotions {
  readonly #options: ManualPromotionsOptions;
  readonly #pending = new Map<string, Pending>();

  constructor(options: ManualPromotionsOptions) {
    this.#options = options;
  }

  /** Rejects when there is one for the replica set already. */
  ask(request: PromotionRequest): Promise<KnownLeader> {
    const { replicaSetUuid } = request;
    if (this.#pending.has(replicaSetUuid)) {
      const message = `A promotion in replica set ${replicaSetUuid} is under way already. Ask again when it is done.`;
      return Promise.reject(new ClusterError('STATE_FORBIDS', { message }));
    }
    const { clock, ttlMs } = this.#options;
    const untilMs = clock.monotonicMs() + promotionLimitMs(ttlMs);
    return new Promise((resolve, reject) => {
      this.#pending.set(replicaSetUuid, { request, untilMs, resolve, reject, isAsking: false });
    });
  }

  wishFor(replicaSetUuid: string): Wish | undefined {
    return this.#pending.get(replicaSetUuid)?.request;
  }

  decided(outcome: RoundOutcome, signal: AbortSignal): void {
    const { set, decision } = outcome;
    const pending = this.#pending.get(set.uuid);
    if (pending === undefined || pending.isAsking) return;
    if (decision.kind === 'appoint') {
      if (outcome.isApplied) this.#appointed(pending, decision);
      return;
    }
    const reason = decision.kind === 'keep' ? decision.reason : undefined;
    if (reason === 'current-leader-healthy') this.#handOver(pending, outcome, signal);
    const isFinal = reason === 'force-not-needed' || reason === 'force-needs-stopped';
    if (isFinal || this.#isLate(pending)) {
      const refusal = explainPromotion(set, reason, nameIn(outcome.topology));
      this.#end(pending).reject(new ClusterError(refusal.code, { message: refusal.message }));
    }
  }

  /** This coordinator is active no more. */
  close(error: Error): void {
    for (const pending of [...this.#pending.values()]) this.#end(pending).reject(error);
  }

  #appointed(pending: Pending, decision: Extract<Decision, { kind: 'appoint' }>): void {
    const { leader, term } = decision.appointment;
    const { to, replicaSetUuid } = pending.request;
    const { resolve, reject } = this.#end(pending);
    if (to === undefined || to === leader) {
      resolve({ uuid: leader, term });
      return;
    }
    const message = `Replica set ${replicaSetUuid} had no leader, and instance ${to} did not answer or was not in sync: ${leader} was appointed. Ask again once ${to} is in sync.`;
    reject(new ClusterError('NOT_IN_SYNC', { message, details: { leader, term } }));
  }

  #handOver(pending: Pending, outcome: RoundOutcome, signal: AbortSignal): void {
    const { request } = pending;
    const { appointment } = outcome.set;
    if (appointment === undefined) return;
    if (appointment.leader === request.to) {
      this.#end(pending).resolve({ uuid: appointment.leader, term: appointment.term });
      return;
    }
    const { replicaSetUuid, to, reason } = request;
    const address = addressOf(outcome.topology, appointment.leader) ?? '';
    const body = { replicaSetUuid, reason, ...(to === undefined ? {} : { to }) };
    const timeoutMs = handoverTimeoutMs(this.#options.ttlMs);
    pending.isAsking = true;
    this.#options.peers
      .call(address, 'leadership.handover', body, { timeoutMs, signal })
      .then((leader) => this.#end(pending).resolve(leader as KnownLeader))
      .catch((error: unknown) => {
        pending.isAsking = false;
        // A leader that cannot be reached may be about to lose its lease: the next rounds will tell.
        if (!isRefusal(error) && !this.#isLate(pending)) return;
        this.#end(pending).reject(error instanceof Error ? error : new Error(String(error)));
      });
  }

  #isLate({ untilMs }: Pending): boolean {
    return this.#options.clock.monotonicMs() >= untilMs;
  }

  #end(pending: Pending): Pending {
    this.#pending.delete(pending.request.replicaSetUuid);
    return pending;
  }
}

/** A lease that has just been renewed must run out, and members must be asked. */
export function promotionLimitMs(ttlMs: number): number {
  return 1.1 * ttlMs + 2000;
}

/** A leader that says that it leads no more is about to be replaced. */
function isRefusal(error: unknown): boolean {
  return error instanceof ClusterError && error.code !== 'NOT_LEADER';
}

function nameIn(topology: Topology): (uuid: string) => string {
  return (uuid) => {
    const server = topology.servers[uuid];
    return server === undefined || server === 'expelled' ? uuid : `${server.alias} (${uuid})`;
  };
}
