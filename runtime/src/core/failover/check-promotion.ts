/** Whether a leader that somebody asks for may be one at all, by the config alone (FO-47). */
import type { Topology } from '../../contract/cluster-config.ts';
import { ClusterError } from '../errors.ts';

export interface WantedLeader {
  readonly replicaSetUuid: string;
  /** Left out: any other that is fit. */
  readonly to?: string | undefined;
}

/** @throws what is wrong, with what to do about it */
export function checkPromotion(topology: Topology, { replicaSetUuid, to }: WantedLeader): void {
  const replicaSet = topology.replicasets[replicaSetUuid];
  if (replicaSet === undefined) {
    const known = Object.entries(topology.replicasets).map(
      ([uuid, { alias }]) => `${alias} (${uuid})`,
    );
    throw new ClusterError('NOT_FOUND', {
      field: 'replicaSetUuid',
      message: `There is no replica set ${replicaSetUuid}. There are ${known.join(', ')}.`,
    });
  }
  if (to === undefined) return;
  const server = topology.servers[to];
  if (server === undefined || server === 'expelled') {
    const was = server === undefined ? 'There is no instance' : 'Expelled was instance';
    const known = Object.entries(topology.servers).flatMap(([uuid, other]) =>
      other !== 'expelled' && other.replicaset_uuid === replicaSetUuid
        ? [`${other.alias} (${uuid})`]
        : [],
    );
    throw new ClusterError('NOT_FOUND', {
      field: 'to',
      message: `${was} ${to}. Replica set ${replicaSet.alias} has ${known.join(', ')}.`,
    });
  }
  const name = `Instance ${server.alias} (${to})`;
  if (server.replicaset_uuid !== replicaSetUuid) {
    const own = topology.replicasets[server.replicaset_uuid]?.alias ?? server.replicaset_uuid;
    throw new ClusterError('REQUEST_INVALID', {
      field: 'to',
      message: `${name} belongs to replica set ${own}, not to ${replicaSet.alias}: it can lead its own alone.`,
    });
  }
  if (!server.electable) {
    throw new ClusterError('STATE_FORBIDS', {
      field: 'to',
      message: `${name} is not electable: set electable to true in the topology first.`,
    });
  }
  if (server.disabled) {
    throw new ClusterError('STATE_FORBIDS', {
      field: 'to',
      message: `${name} is disabled: enable it in the topology first.`,
    });
  }
}
