import type { InstanceStatus } from '@tonearm/runtime/contract';

export interface StatusFacts {
  readonly pod: string;
  readonly replicaSet: string;
  readonly uuid: string;
  readonly clusterUuid: string;
  /** 0: it has no config. */
  readonly version: number;
  readonly checksum: string;
  readonly replicaSetUuid?: string | undefined;
  readonly leader?: string | undefined;
  readonly inSync?: readonly string[];
}

/** What an instance in this position says of itself. */
export function describeStatus(facts: StatusFacts): InstanceStatus {
  const { pod, uuid, version, replicaSetUuid, leader } = facts;
  const position = { term: 1, sequence: 1 };
  return {
    name: pod,
    uuid,
    incarnation: 1,
    clusterUuid: facts.clusterUuid,
    replicaSetUuid: null,
    replicaSetName: facts.replicaSet,
    uri: `${pod}:3301`,
    httpUri: `${pod}:8081`,
    runtimeVersion: '0.1.0',
    state: version === 0 ? 'Unconfigured' : 'RolesConfigured',
    error: null,
    config: { version, checksum: facts.checksum },
    preparedChangeId: null,
    isFailoverPaused: false,
    isActiveCoordinator: false,
    suppressedReplicaSets: [],
    replicaSet:
      replicaSetUuid === undefined
        ? null
        : {
            uuid: replicaSetUuid,
            leader: leader ?? null,
            term: 1,
            writable: leader === uuid,
            peerLeases: false,
            position,
            acknowledged: position,
            promisedTerm: 1,
            inSync: [...(facts.inSync ?? [])],
            bucketCount: 0,
            followers: [],
          },
    roles: [],
    issues: [],
    membership: [],
  };
}
