/**
 * For how long a lease is renewed beside a main loop that says nothing.
 *
 * The main loop permits renewals until a moment, anew in each round in which it would renew itself. So one that stands
 * still for up to two lease times leads on, as leaving it would take as long. One that stands still for ever is
 * renewed for the last time within the permission, and is followed by another leader once that record has expired.
 */
import { renewalPeriodMs } from './lease-hold.ts';

/** Of the lease time: a main loop that stands still no longer than this keeps its lease. */
export const TOLERATED_STALL_TTLS = 2;

/** A round of the main loop may just have been due. */
export function permittedUntilMs(nowMs: number, ttlMs: number): number {
  return nowMs + renewalPeriodMs(ttlMs) + TOLERATED_STALL_TTLS * ttlMs;
}

/** May an attempt be sent now? */
export function isPermitted(untilMs: number, nowMs: number): boolean {
  return nowMs < untilMs;
}
