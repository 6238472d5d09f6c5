/** The etcd that the operator runs: made before the instances, which cannot bootstrap without it. */
import type { StatefulSet } from '../../api/kube-object.ts';
import { needsApply } from '../diff/needs-apply.ts';
import { clusterUuidOf } from '../identity.ts';
import { buildEtcdService, buildEtcdStatefulSet } from '../resources/build-etcd.ts';
import { etcdName } from '../resources/names.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { explainManagedEtcd, wantedProvider } from '../state-provider.ts';
import type { Action, Verdict } from '../verdict.ts';
import { act } from '../verdict.ts';

export function keepStateProvider(snapshot: ClusterSnapshot): readonly Verdict[] {
  const provider = wantedProvider(snapshot);
  if (provider.kind !== 'usable' || provider.managedReplicas === undefined) return [];
  const replicas = provider.managedReplicas;
  const name = etcdName(snapshot.cluster.metadata.name);
  const found = snapshot.statefulSets.find((set) => set.metadata.name === name);
  const actions = [...applyService(snapshot), ...applyStatefulSet(snapshot, replicas, found)];
  if (actions.length > 0) {
    return [act(actions, 'ApplyingEtcd', `StatefulSet ${name} with ${replicas} etcd is applied.`)];
  }
  // Before the bootstrap everything waits for it, as a later rule says; afterwards the cluster goes on without it.
  const problem = snapshot.config === undefined ? undefined : explainManagedEtcd(snapshot);
  return problem === undefined ? [] : [{ kind: 'complain', ...problem, reason: 'EtcdNotReady' }];
}

function applyService({ cluster, services }: ClusterSnapshot): readonly Action[] {
  const intent = buildEtcdService(cluster);
  const found = services.find((service) => service.metadata.name === intent.metadata.name);
  return needsApply(intent, found) ? [{ kind: 'apply', resource: 'services', intent }] : [];
}

/**
 * Image and size stay as they are: a new operator with another default must not restart the provider of a cluster that
 * runs, and etcd's own membership is not edited.
 */
function applyStatefulSet(
  snapshot: ClusterSnapshot,
  replicas: number,
  found: StatefulSet | undefined,
): readonly Action[] {
  const { cluster, operator } = snapshot;
  const image = found?.spec.template.spec.containers[0]?.image ?? operator.etcdImage;
  const clusterUuid = clusterUuidOf(snapshot);
  const size = found?.spec.replicas ?? replicas;
  const intent = buildEtcdStatefulSet({ cluster, clusterUuid, replicas: size, image });
  return needsApply(intent, found) ? [{ kind: 'apply', resource: 'statefulSets', intent }] : [];
}
