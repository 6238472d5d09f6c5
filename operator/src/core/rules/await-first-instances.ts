/**
 * The first config is made only when every instance of every replica set answers and is blank.
 *
 * Nothing else could tell a new cluster from one whose instances have not all come back: an instance that is silent may
 * hold the config and the rows. So this rule ends the round until the first config may be made; then the rules behind
 * it make it, from an empty draft.
 */

import { isBootstrapped } from '../progress.ts';
import { isBlank, type Seat, seatsOf } from '../seats.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { explainManagedEtcd } from '../state-provider.ts';
import type { Reason, Verdict } from '../verdict.ts';
import { POLL_MS, wait } from '../verdict.ts';
import { isLeaving, memberSets } from '../wanted-sets.ts';

/** Blank instances are never ready, so no event tells of them; and somebody is watching a new cluster come up. */
const FIRST_POLL_MS = 250;
const NEW_MS = 120_000;

export function awaitFirstInstances(snapshot: ClusterSnapshot): readonly Verdict[] {
  if (snapshot.config !== undefined) return [];
  const seats = memberSets(snapshot)
    .filter((replicaSet) => !isLeaving(snapshot, replicaSet))
    .flatMap((replicaSet) => seatsOf(snapshot, replicaSet))
    .filter(({ wanted }) => wanted);
  if (isBootstrapped(snapshot)) return awaitConfig(seats);
  const reason = explainManagedEtcd(snapshot) ?? explainWait(snapshot, seats);
  if (reason === undefined) return [];
  const pollMs = isNew(snapshot) ? FIRST_POLL_MS : POLL_MS;
  return [wait(reason.reason, reason.message, pollMs), { kind: 'stop', refused: false, ...reason }];
}

function isNew({ cluster, nowMs }: ClusterSnapshot): boolean {
  return nowMs - Date.parse(cluster.metadata.creationTimestamp ?? '') < NEW_MS;
}

/** The config is somewhere, and no instance that answers has it. */
function awaitConfig(seats: readonly Seat[]): readonly Verdict[] {
  const blank = seats.filter(isBlank);
  if (seats.length > 0 && blank.length === seats.length) {
    const message =
      'Every instance is blank, but the cluster was bootstrapped: its data is lost. Restore the volumes; or delete the Cluster and its claims, and apply it again to begin anew.';
    return [
      { kind: 'complain', reason: 'DataLost', message },
      { kind: 'stop', refused: false, reason: 'DataLost', message },
    ];
  }
  const silent = seats.filter(({ status }) => status === undefined).map(({ name }) => name);
  const message = `No instance tells the cluster config; ${nameSome(silent)} does not answer: kubectl describe pod and kubectl logs tell why.`;
  return [
    wait('ConfigUnknown', message),
    { kind: 'complain', reason: 'ConfigUnknown', message },
    { kind: 'stop', refused: false, reason: 'ConfigUnknown', message },
  ];
}

function explainWait(snapshot: ClusterSnapshot, seats: readonly Seat[]): Reason | undefined {
  if (seats.length === 0) {
    return {
      reason: 'NoInstances',
      message:
        'The cluster has no instances: give it templates in spec.replicaSets with a count and replicas.',
    };
  }
  const missing = seats.filter((seat) => !isBlank(seat));
  if (missing.length > 0) {
    return {
      reason: 'WaitingForInstances',
      message: `The cluster is bootstrapped when all ${seats.length} instances are up; waiting for ${nameSome(missing.map(explainSeat))}.`,
    };
  }
  if (snapshot.roles === undefined) {
    return {
      reason: 'RolesUnknown',
      message: 'No instance has told the roles of the application.',
    };
  }
  return undefined;
}

function explainSeat({ name, instance, status }: Seat): string {
  if (instance === undefined) return `${name} (no pod)`;
  if (status !== undefined) return `${name} (${status.state})`;
  return `${name} (${instance.answer.kind === 'silent' ? instance.answer.reason : 'no answer'})`;
}

/** A message that fits a condition, whatever the size of the cluster. */
function nameSome(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}
