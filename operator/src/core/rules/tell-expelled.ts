/**
 * An expelled instance is told so, with the config that expels it: it took no part in that change, and until it hears
 * of it, it believes in the one before. It then lays its data aside and comes back blank, under a new UUID.
 */
import type { ClusterSnapshot, InstanceFacts } from '../snapshot.ts';
import { statusOf } from '../snapshot.ts';
import { isExpelled, readTopology } from '../topology.ts';
import type { Verdict } from '../verdict.ts';
import { act, wait } from '../verdict.ts';
import { memberSets } from '../wanted-sets.ts';

export function tellExpelled(snapshot: ClusterSnapshot): readonly Verdict[] {
  const { config, instances } = snapshot;
  if (config === undefined) return [];
  const topology = readTopology(config);
  const expelled = instances.filter((instance) => {
    const status = statusOf(instance);
    return status !== undefined && isExpelled(topology, status.uuid);
  });
  return [
    ...expelled.map(({ podName, address }) =>
      act(
        [{ kind: 'tell-expelled', address, instance: podName }],
        'TellingExpelled',
        `Instance ${podName} is told that it was expelled.`,
      ),
    ),
    ...expelled
      .filter((instance) => isWanted(snapshot, instance))
      .map(({ podName }) =>
        wait(
          'ExpelledInstance',
          `Instance ${podName} was expelled and is to lay its data aside; if it does not, delete its claim and then pod ${podName}.`,
        ),
      ),
  ];
}

/** Its seat is wanted again, or still: then it is to come back blank. */
function isWanted(snapshot: ClusterSnapshot, { replicaSet, ordinal }: InstanceFacts): boolean {
  return memberSets(snapshot).some(
    ({ metadata, spec }) => metadata.name === replicaSet && ordinal < spec.replicas,
  );
}
