import type { Position } from '../../contract/instance-status.ts';
import type { Seat } from '../../contract/provider-records.ts';

export function sameSeat(a: Seat, b: Seat): boolean {
  return a.uuid === b.uuid && a.incarnation === b.incarnation;
}

/** Both have the same seats, in any order. */
export function sameSeats(a: readonly Seat[], b: readonly Seat[]): boolean {
  return a.length === b.length && a.every((seat) => b.some((other) => sameSeat(seat, other)));
}

/** Every seat of any of the lists once, in order of appearance. */
export function unionOfSeats(...lists: readonly (readonly Seat[])[]): readonly Seat[] {
  const union: Seat[] = [];
  for (const seat of lists.flat()) {
    if (!union.some((other) => sameSeat(seat, other))) union.push(seat);
  }
  return union;
}

/** Negative when `a` is before `b` in a log. */
export function comparePositions(a: Position, b: Position): number {
  return a.term - b.term || a.sequence - b.sequence;
}
