/**
 * Asks the other instances for peer leases while the state provider does not answer, for the leader of a term.
 *
 * It asks all instances of the replica set, not only those whose grants count: one that is not in sync and has granted
 * does not promise a higher term either, for which the leader would have to give way. `core/failover/peer-lease.ts`
 * says what a grant is worth.
 */
import { z } from 'zod';
import type { Topology } from '../contract/cluster-config.ts';
import type { InstanceIdentity } from '../contract/identity.ts';
import { type Seat, seatSchema } from '../contract/provider-records.ts';
import { addressOf, leaderOrder } from '../core/failover/leader-order.ts';
import type { Moment } from '../core/failover/lease-hold.ts';
import {
  isOverdue,
  loneDeadline,
  overdueAfterMs,
  peerDeadline,
  type ReceivedGrant,
} from '../core/failover/peer-lease.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Peers } from '../ports/peers.ts';
import type { LeaseStanding } from './lease-keeper.ts';
import { WakeUp } from './wake-up.ts';

export interface PeerLeaseHolderOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly peers: Peers;
  readonly identity: InstanceIdentity;
  readonly replicaSetUuid: string;
  readonly ttlMs: number;
  /** Of the lease record, as it is now. */
  readonly standing: () => LeaseStanding | undefined;
  /** The seats that acknowledge writes in a term, confirmed and pending. */
  readonly seats: (term: number) => readonly Seat[] | undefined;
  readonly topology: () => Topology | undefined;
  /** Called after each change of what `deadlineMs` would answer, but for the passing of time. */
  readonly onChange: () => void;
}

export const grantAnswerSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('granted'), seat: seatSchema }),
  z.strictObject({ kind: z.literal('refused'), reason: z.string() }),
]);
export type GrantAnswer = z.infer<typeof grantAnswerSchema>;

interface GrantEndBody {
  readonly replicaSetUuid: string;
  readonly term: number;
  readonly holder: string;
  readonly round: number;
}

/** Of the time to live: so long may somebody ask for a promise who has read the record before it was renewed. */
const GRACE = 1 / 2;

interface Asking {
  isUnderWay: boolean;
  nextMs: number;
}

export class PeerLeaseHolder {
  readonly #options: PeerLeaseHolderOptions;
  readonly #wakeUp: WakeUp;
  readonly #grants = new Map<string, ReceivedGrant>();
  readonly #askings = new Map<string, Asking>();
  readonly #refusals = new Map<string, string>();
  #term: number | undefined;
  /** Of the present or the next outage. Never repeated by this process, so never within a term. */
  #round = 1;
  #hasAsked = false;
  #endedMs = Number.NEGATIVE_INFINITY;

  constructor(options: PeerLeaseHolderOptions) {
    this.#options = options;
    this.#wakeUp = new WakeUp(options.clock);
  }

  /** The hold has changed. */
  wake(): void {
    this.#wakeUp.wake();
  }

  /** Until when this instance may lead that term, whatever became of its record; -Infinity when it may not. */
  deadlineMs(term: number): number {
    const { standing, seats, ttlMs } = this.#options;
    const hold = standing();
    const union = seats(term);
    if (hold?.term !== term || union === undefined) return Number.NEGATIVE_INFINITY;
    const others = union.filter(({ uuid }) => uuid !== this.#options.identity.uuid);
    if (others.length === 0) return loneDeadline(hold.unanswered, ttlMs, this.#now());
    const grants = this.#term === term ? [...this.#grants.values()] : [];
    return peerDeadline(grants, others, ttlMs, this.#now());
  }

  /** The record has run out, and this instance leads all the same. */
  isStanding(term: number): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    const hold = this.#options.standing();
    return hold?.term === term && hold.deadlineMs <= nowMs && this.deadlineMs(term) > nowMs;
  }

  /**
   * Until when it must not promise another term: while it stands on peer leases, and for a moment longer. Whoever asks
   * then has read the record before it was renewed, and the others, which have granted, refuse as well.
   */
  noPromiseUntilMs(term: number): number {
    const graceMs = this.#endedMs + GRACE * this.#options.ttlMs;
    return this.isStanding(term) ? Math.max(graceMs, this.deadlineMs(term)) : graceMs;
  }

  /** Has a renewal waited for its answer for so long that the provider may be away? */
  get isInTrouble(): boolean {
    const hold = this.#options.standing();
    return hold !== undefined && this.#isInTrouble(hold);
  }

  /** Why grants are missing, by instance. */
  get refusals(): ReadonlyMap<string, string> {
    return this.#refusals;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const hold = this.#options.standing();
      if (hold?.term !== this.#term) this.#forget(hold?.term);
      if (hold !== undefined) this.#step(hold, signal);
      await this.#wakeUp.sleep(this.#restMs(hold), signal);
    }
  }

  #step(hold: LeaseStanding, signal: AbortSignal): void {
    if (this.#isInTrouble(hold)) {
      for (const uuid of this.#candidates(hold.term)) this.#askIfDue(uuid, hold.term, signal);
    } else if (this.#hasAsked && this.#isSafe(hold)) {
      this.#end(hold.term, signal);
    }
  }

  #isInTrouble({ unanswered: [oldest] }: LeaseStanding): boolean {
    const { clock, ttlMs } = this.#options;
    return oldest !== undefined && isOverdue(oldest.sent.monotonicMs, ttlMs, clock.monotonicMs());
  }

  /** Answers may still take so long that the record alone would not last until the next one. */
  #isSafe({ deadlineMs, unanswered }: LeaseStanding): boolean {
    const { clock, ttlMs } = this.#options;
    return unanswered.length === 0 && deadlineMs > clock.monotonicMs() + ttlMs / 2;
  }

  /** When something may be due; whatever changes the hold wakes it. */
  #restMs(hold: LeaseStanding | undefined): number {
    const { clock, ttlMs } = this.#options;
    if (hold === undefined) return 10 * ttlMs;
    const nowMs = clock.monotonicMs();
    const due = [...this.#askings.values()].flatMap(({ isUnderWay, nextMs }) =>
      isUnderWay ? [] : [nextMs],
    );
    const overdueMs = overdueAfterMs(ttlMs);
    const [oldest] = hold.unanswered;
    if (oldest !== undefined) due.push(oldest.sent.monotonicMs + overdueMs);
    const nextMs = Math.min(...due.filter((atMs) => atMs > nowMs), nowMs + overdueMs);
    return Math.max(nextMs - nowMs, 1);
  }

  /** Whoever is in sync, and the rest of the replica set. */
  #candidates(term: number): ReadonlySet<string> {
    const { topology, replicaSetUuid, seats, identity } = this.#options;
    const known = topology();
    const members = known === undefined ? [] : leaderOrder(known, replicaSetUuid);
    const uuids = [...(seats(term) ?? []), ...members].map(({ uuid }) => uuid);
    return new Set(uuids.filter((uuid) => uuid !== identity.uuid));
  }

  #askIfDue(uuid: string, term: number, signal: AbortSignal): void {
    const { clock, topology } = this.#options;
    const known = topology();
    const address = known && addressOf(known, uuid);
    const asking = this.#askings.get(uuid) ?? { isUnderWay: false, nextMs: 0 };
    if (address === undefined || asking.isUnderWay || asking.nextMs > clock.monotonicMs()) return;
    this.#askings.set(uuid, asking);
    asking.isUnderWay = true;
    this.#hasAsked = true;
    void this.#ask({ uuid, address, term, round: this.#round }, signal).then((restMs) => {
      asking.isUnderWay = false;
      asking.nextMs = clock.monotonicMs() + restMs;
      this.#wakeUp.wake();
    });
  }

  /** Resolves to how long to wait before the next time. */
  async #ask(
    to: {
      readonly uuid: string;
      readonly address: string;
      readonly term: number;
      readonly round: number;
    },
    signal: AbortSignal,
  ): Promise<number> {
    const { peers, ttlMs, identity, replicaSetUuid, logger, onChange } = this.#options;
    const { uuid, address, term, round } = to;
    const body = { replicaSetUuid, term, holder: identity.uuid, round, ttlMs };
    // Before it is sent: the grantor counts from later.
    const sent = this.#now();
    let answer: GrantAnswer;
    try {
      const options = { timeoutMs: ttlMs / 3, signal };
      answer = grantAnswerSchema.parse(
        await peers.call(address, 'leadership.grant', body, options),
      );
    } catch (error) {
      logger.debug({ error, uuid }, 'a peer lease was not granted');
      answer = { kind: 'refused', reason: error instanceof Error ? error.message : '' };
    }
    // After the end of its round the grantor may promise again.
    if (this.#term !== term || this.#round !== round) return 0;
    if (answer.kind === 'refused') {
      this.#refusals.set(uuid, answer.reason);
      return ttlMs / 10;
    }
    this.#refusals.delete(uuid);
    if (this.#grants.size === 0) logger.warn({ term }, 'the state provider does not answer');
    this.#grants.set(uuid, { seat: answer.seat, sent });
    onChange();
    return Math.max(0, sent.monotonicMs + ttlMs / 3 - this.#now().monotonicMs);
  }

  /** First nothing of the round counts here any more; the others are told when nobody asks for promises any more. */
  #end(term: number, signal: AbortSignal): void {
    const { ttlMs, identity, replicaSetUuid, logger, clock } = this.#options;
    const body = { replicaSetUuid, term, holder: identity.uuid, round: this.#round };
    const told = this.#candidates(term);
    this.#forget(term);
    this.#endedMs = clock.monotonicMs();
    logger.info({ term }, 'the state provider answers again');
    // Whoever does not hear of it learns it from the time.
    clock.sleep(GRACE * ttlMs, signal).then(
      () => Promise.allSettled([...told].map((uuid) => this.#tell(uuid, body, signal))),
      () => undefined,
    );
  }

  async #tell(uuid: string, body: GrantEndBody, signal: AbortSignal): Promise<void> {
    const { peers, ttlMs, topology } = this.#options;
    const known = topology();
    const address = known && addressOf(known, uuid);
    if (address === undefined) return;
    await peers.call(address, 'leadership.endGrant', body, { timeoutMs: ttlMs / 3, signal });
  }

  #forget(term: number | undefined): void {
    this.#term = term;
    this.#endedMs = Number.NEGATIVE_INFINITY;
    this.#round++;
    this.#hasAsked = false;
    this.#grants.clear();
    this.#askings.clear();
    this.#refusals.clear();
  }

  #now(): Moment {
    const { clock } = this.#options;
    return { monotonicMs: clock.monotonicMs(), wallMs: clock.wallTime().getTime() };
  }
}
