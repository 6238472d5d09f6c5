/** What is wrong with instances that are wanted. Nothing is repaired here: failover is the instances' own affair. */
import { isPresent, type Seat, seatsOf } from '../seats.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import type { Verdict } from '../verdict.ts';
import { memberSets } from '../wanted-sets.ts';

const BROKEN_STATES = ['InitError', 'BootError', 'OperationError', 'ReloadError'];

export function reportHealth(snapshot: ClusterSnapshot): readonly Verdict[] {
  if (snapshot.config === undefined) return [];
  return memberSets(snapshot)
    .flatMap((replicaSet) => seatsOf(snapshot, replicaSet))
    .filter((seat) => seat.wanted && seat.server !== undefined)
    .flatMap((seat) => [...reportSeat(seat)]);
}

function* reportSeat(seat: Seat): Generator<Verdict> {
  const { name, status, instance } = seat;
  if (instance === undefined) {
    yield complain(
      'InstanceMissing',
      `Instance ${name} has no pod: kubectl describe sts tells why.`,
    );
  } else if (status === undefined) {
    yield complain(
      'InstanceSilent',
      `Instance ${name} does not answer: kubectl describe pod ${name} and kubectl logs ${name} tell why.`,
    );
  } else if (BROKEN_STATES.includes(status.state)) {
    yield complain(
      'InstanceBroken',
      `Instance ${name} is in ${status.state}: ${status.error ?? 'no reason given'}.`,
    );
  } else if (isPresent(seat)) {
    const critical = status.issues.find(({ level }) => level === 'critical');
    if (critical !== undefined)
      yield complain('CriticalIssue', `Instance ${name}: ${critical.message}`);
  }
}

function complain(reason: string, message: string): Verdict {
  return { kind: 'complain', reason, message };
}
