/**
 * The holder's view of its lease record, which it renews by compare-and-set with a new nonce each time.
 *
 * Safe by these rules: the deadline counts from the moment of *sending* (the coordinator sees the record later than
 * that, and waits longer); all attempts since the last known revision compare with that revision, so that at most one
 * of them ever applies; whoever reads a record that none of the attempts wrote has lost it. Time counts by whichever
 * clock saw more of it pass: the monotonic one stands still while the machine is suspended, however shortly.
 */
import type { Lease } from '../../contract/provider-records.ts';

/** One moment on both clocks: their difference shows a suspended machine. */
export interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

interface Attempt {
  readonly nonce: string;
  readonly sent: Moment;
}

export interface LeaseHold {
  readonly term: number;
  readonly incarnation: number;
  /** Of the record, when it was last known. */
  readonly revision: number;
  /** When the record that is known to hold was sent; undefined before the first success, and after `voidHold`. */
  readonly confirmed: Moment | undefined;
  /** Sent since, outcome unknown. */
  readonly attempts: readonly Attempt[];
}

export interface LeaseEntry {
  readonly lease: Lease;
  readonly revision: number;
}

export type LeaseReading =
  | { readonly kind: 'held'; readonly hold: LeaseHold }
  | { readonly kind: 'lost'; readonly reason: string };

export const LARGEST_CLOCK_JUMP_MS = 200;

/** Of the lease time. Two attempts fit into it, and a cluster that does nothing asks its provider for little. */
const RENEWAL_PERIOD = 0.45;

/** From the beginning of one attempt to the next one. */
export function renewalPeriodMs(ttlMs: number): number {
  return RENEWAL_PERIOD * ttlMs;
}

/** Begins with the record that an appointment of this instance created. */
export function beginHold(entry: LeaseEntry, incarnation: number): LeaseHold {
  return {
    term: entry.lease.term,
    incarnation,
    revision: entry.revision,
    confirmed: undefined,
    attempts: [],
  };
}

export function attemptSent(hold: LeaseHold, nonce: string, sent: Moment): LeaseHold {
  return { ...hold, attempts: [...hold.attempts, { nonce, sent }] };
}

/** The attempt with this nonce was applied; those before it compared with an older revision, and never will be. */
export function attemptApplied(hold: LeaseHold, nonce: string, revision: number): LeaseHold {
  const attempt = hold.attempts.find((sent) => sent.nonce === nonce);
  return { ...hold, revision, confirmed: attempt?.sent ?? hold.confirmed, attempts: [] };
}

/** A linearizable read, after an attempt whose outcome is unknown or that lost its comparison. */
export function recordRead(hold: LeaseHold, entry: LeaseEntry | undefined): LeaseReading {
  if (entry === undefined) return { kind: 'lost', reason: 'the lease record is gone' };
  if (entry.revision === hold.revision) return { kind: 'held', hold };
  const { lease } = entry;
  const own = lease.term === hold.term && lease.incarnation === hold.incarnation;
  const attempt = hold.attempts.find((sent) => sent.nonce === lease.nonce);
  if (own && !lease.released && attempt !== undefined) {
    return { kind: 'held', hold: attemptApplied(hold, attempt.nonce, entry.revision) };
  }
  const reason = lease.released ? 'it was released' : `term ${lease.term} has it`;
  return { kind: 'lost', reason: `the lease record changed: ${reason}` };
}

/** Nothing that was confirmed before counts any more; a later success does. */
export function voidHold(hold: LeaseHold): LeaseHold {
  return { ...hold, confirmed: undefined };
}

/** On the monotonic clock; -Infinity when nothing is held, or when the clocks disagree since it was sent. */
export function deadlineOf(hold: LeaseHold, ttlMs: number, now: Moment): number {
  const { confirmed } = hold;
  return confirmed === undefined ? Number.NEGATIVE_INFINITY : validUntilMs(confirmed, ttlMs, now);
}

/** When what was sent then ends, after a time on its receiver's clock; -Infinity when the clocks disagree since. */
export function validUntilMs(sent: Moment, forMs: number, now: Moment): number {
  const wallPassed = now.wallMs - sent.wallMs;
  const monotonicPassed = now.monotonicMs - sent.monotonicMs;
  if (Math.abs(wallPassed - monotonicPassed) > LARGEST_CLOCK_JUMP_MS) {
    return Number.NEGATIVE_INFINITY;
  }
  // A suspension that is shorter than that has passed for everybody else, and with a short TTL it is much of it.
  return sent.monotonicMs + forMs - Math.max(0, wallPassed - monotonicPassed);
}
