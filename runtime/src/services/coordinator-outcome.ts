/** What a round has found for one replica set: whether there is more to do soon, and whether it is led. */
import type { Decision, ReplicaSetSnapshot } from '../core/failover/appointments.ts';
import type { Led } from './voluntary-handovers.ts';

export interface Outcome {
  /** There is nothing to do for this replica set until its lease expires. */
  readonly isQuiet: boolean;
  /** The set, if its leader holds its lease. */
  readonly led?: Led;
}

export function outcomeOf(
  set: ReplicaSetSnapshot,
  decision: Decision,
  isAskedFor: boolean,
): Outcome {
  const { kind, reason } = decision;
  const isLed = kind === 'keep' && reason === 'current-leader-healthy';
  const isWaiting = kind === 'keep' && reason === 'lease-not-expired';
  const { uuid, appointment, members } = set;
  return {
    isQuiet: (isLed || isWaiting) && !isAskedFor,
    ...(isLed && appointment !== undefined ? { led: { uuid, members, appointment } } : {}),
  };
}
