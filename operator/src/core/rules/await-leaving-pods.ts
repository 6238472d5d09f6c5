/** A pod whose instance was expelled is on its way out: until it has gone, the spec is not realised. */
import { seatsOf } from '../seats.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import type { Verdict } from '../verdict.ts';
import { wait } from '../verdict.ts';
import { memberSets } from '../wanted-sets.ts';

export function awaitLeavingPods(snapshot: ClusterSnapshot): readonly Verdict[] {
  return memberSets(snapshot)
    .flatMap((replicaSet) => seatsOf(snapshot, replicaSet))
    .filter(({ wanted, server, instance }) => !wanted && !server && instance !== undefined)
    .map(({ name }) => wait('InstanceLeaving', `Pod ${name} is being removed.`));
}
