/** What an instance says of itself, gathered from its services. */
import type { InstanceIdentity } from '../contract/identity.ts';
import type {
  GossipView,
  InstanceStatus,
  Issue,
  ReplicaSetView,
} from '../contract/instance-status.ts';
import { versionOf } from '../core/config/apply-patch.ts';
import type { InstanceOptions } from '../core/options/instance-options.ts';
import type { ConfigService } from './config-service.ts';
import type { FailoverService } from './failover-service.ts';
import type { InstanceLifecycle } from './instance-lifecycle.ts';
import type { RoleHost } from './role-host.ts';
import type { StorageService } from './storage-service.ts';

export interface DescribedReplicaSet {
  readonly replicaSetUuid: string;
  readonly storage: StorageService;
  readonly failover: FailoverService;
  readonly buckets: { count(): Promise<number> };
  readonly changes: { readonly isPaused: boolean; readonly suppressed: readonly string[] };
  readonly coordinator: { readonly active: boolean };
  issues(): readonly Issue[];
}

export interface DescribedInstance {
  readonly options: InstanceOptions;
  readonly identity: InstanceIdentity;
  readonly runtimeVersion: string;
  readonly lifecycle: InstanceLifecycle;
  readonly config: ConfigService;
  readonly roles: RoleHost;
  readonly replicaSet: DescribedReplicaSet | undefined;
  readonly membership: { view(): GossipView[] };
}

export async function describeInstance(instance: DescribedInstance): Promise<InstanceStatus> {
  const { options, identity, lifecycle, config, roles, replicaSet } = instance;
  const own = replicaSet?.replicaSetUuid ?? options.replicaSetUuid;
  return {
    name: options.instanceName,
    uuid: identity.uuid,
    incarnation: identity.incarnation,
    clusterUuid: identity.clusterUuid,
    replicaSetUuid: own === '' ? null : own,
    replicaSetName: options.replicaSetName === '' ? null : options.replicaSetName,
    uri: options.uri,
    httpUri: options.httpUri,
    runtimeVersion: instance.runtimeVersion,
    state: lifecycle.state.name,
    error: lifecycle.state.error,
    config: versionOf(config.active),
    preparedChangeId: config.lock?.change.changeId ?? null,
    replicaSet: replicaSet === undefined ? null : await describeReplicaSet(replicaSet),
    ...describeFailover(replicaSet),
    roles: [...roles.runningRoles],
    issues: [...config.issues(), ...(replicaSet?.issues() ?? [])],
    membership: instance.membership.view(),
  };
}

function describeFailover(
  replicaSet: DescribedReplicaSet | undefined,
): Pick<InstanceStatus, 'isFailoverPaused' | 'isActiveCoordinator' | 'suppressedReplicaSets'> {
  return {
    isFailoverPaused: replicaSet?.changes.isPaused ?? false,
    isActiveCoordinator: replicaSet?.coordinator.active ?? false,
    suppressedReplicaSets: [...(replicaSet?.changes.suppressed ?? [])],
  };
}

async function describeReplicaSet(replicaSet: DescribedReplicaSet): Promise<ReplicaSetView> {
  const { replicaSetUuid, storage, failover, buckets } = replicaSet;
  const report = storage.report();
  const leader = failover.leaderOf(replicaSetUuid);
  const current = failover.current();
  // A leader knows who acknowledges now; anyone else knows what it was told last.
  const seats = current.kind === 'leader' ? current.inSync : report.inSync.seats;
  return {
    uuid: replicaSetUuid,
    leader: leader?.uuid ?? null,
    term: leader?.term ?? 0,
    writable: storage.isWritable,
    peerLeases: current.kind === 'leader' && current.byPeerLeases === true,
    position: report.position,
    acknowledged: report.acknowledged,
    promisedTerm: report.promisedTerm,
    inSync: seats.map((seat) => seat.uuid),
    bucketCount: await buckets.count(),
    followers: [...storage.figures().followers],
  };
}
