/**
 * The seats of a replica set: a name (that of a pod) and who sits there, by the config and by the pod's own word.
 * All rules that add or remove instances read seats, so that they cannot disagree on who is wanted.
 */
import type { InstanceStatus } from '@tonearm/runtime/contract';
import type { ReplicaSet } from '../api/v1alpha1/replica-set.ts';
import { replicaSetUuidOf } from './identity.ts';
import { podName } from './resources/names.ts';
import type { ClusterSnapshot, InstanceFacts } from './snapshot.ts';
import { statusOf } from './snapshot.ts';
import { type KnownServer, readTopology, serversIn } from './topology.ts';
import { statefulSetOf } from './wanted-sets.ts';

export interface Seat {
  readonly name: string;
  readonly ordinal: number;
  /** Within `spec.replicas`: it should have an instance. */
  readonly wanted: boolean;
  /** The instance that the config knows under this name. */
  readonly server: KnownServer | undefined;
  readonly instance: InstanceFacts | undefined;
  readonly status: InstanceStatus | undefined;
}

/** From ordinal 0 up to the last that is wanted, has a pod or is known. */
export function seatsOf(snapshot: ClusterSnapshot, replicaSet: ReplicaSet): readonly Seat[] {
  const name = replicaSet.metadata.name;
  const servers = serversIn(readTopology(snapshot.config), replicaSetUuidOf(snapshot, replicaSet));
  const instances = snapshot.instances.filter((instance) => instance.replicaSet === name);
  const present = statefulSetOf(snapshot, replicaSet)?.spec.replicas ?? 0;
  const ordinals = [
    replicaSet.spec.replicas,
    present,
    ...instances.map(({ ordinal }) => ordinal + 1),
    ...servers.map((server) => ordinalIn(name, server.alias) + 1),
  ];
  return Array.from({ length: Math.max(...ordinals) }, (_, ordinal): Seat => {
    const seat = podName(name, ordinal);
    const instance = instances.find((one) => one.podName === seat);
    return {
      name: seat,
      ordinal,
      wanted: ordinal < replicaSet.spec.replicas,
      server: servers.find((server) => server.alias === seat),
      instance,
      status: instance === undefined ? undefined : statusOf(instance),
    };
  });
}

/** Waits for its first config: may join, and under this name only. */
export function isBlank(seat: Seat): boolean {
  return seat.status?.state === 'Unconfigured' && seat.status.config.version === 0;
}

/** The instance that the config expects is there and answers. */
export function isPresent(seat: Seat): boolean {
  return seat.server !== undefined && seat.status?.uuid === seat.server.uuid;
}

/** Is nothing to be expected of the pod? One that is ready but silent may only be slow. */
export function isDown(seat: Seat): boolean {
  if (seat.instance === undefined) return true;
  return seat.status === undefined && !seat.instance.ready;
}

function ordinalIn(replicaSet: string, alias: string): number {
  const rest = alias.startsWith(`${replicaSet}-`) ? alias.slice(replicaSet.length + 1) : '';
  return /^\d+$/.test(rest) ? Number(rest) : -1;
}
