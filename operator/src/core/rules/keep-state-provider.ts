/** The etcd that the operator runs: made before the instances, which cannot bootstrap without it. */
import { needsApply } from '../diff/needs-apply.ts';
import { clusterUuidOf } from '../identity.ts';
import { buildEtcdService, buildEtcdStatefulSet } from '../resources/build-etcd.ts';
import { etcdName } from '../resources/names.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { wantedProvider } from '../state-provider.ts';
import type { Action, Verdict } from '../verdict.ts';
import { act, wait } from '../verdict.ts';

export function keepStateProvider(snapshot: ClusterSnapshot): readonly Verdict[] {
  const provider = wantedProvider(snapshot);
  if (provider.kind !== 'usable' || provider.managedReplicas === undefined) return [];
  const replicas = provider.managedReplicas;
  const name = etcdName(snapshot.cluster.metadata.name);
  const found = snapshot.statefulSets.find((set) => set.metadata.name === name);
  const image = found?.spec.template.spec.containers[0]?.image ?? snapshot.operator.etcdImage;
  const { cluster } = snapshot;
  const actions: Action[] = [];

  const service = buildEtcdService(cluster);
  const foundService = snapshot.services.find((one) => one.metadata.name === name);
  if (needsApply(service, foundService)) {
    actions.push({ kind: 'apply', resource: 'services', intent: service });
  }
  const wish = { cluster, clusterUuid: clusterUuidOf(snapshot), replicas, image };
  const statefulSet = buildEtcdStatefulSet(wish);
  if (needsApply(statefulSet, found)) {
    actions.push({ kind: 'apply', resource: 'statefulSets', intent: statefulSet });
  }
  if (actions.length > 0) {
    return [act(actions, 'ApplyingEtcd', `StatefulSet ${name} with ${replicas} etcd is applied.`)];
  }

  const ready = found?.status?.readyReplicas ?? 0;
  if (ready > replicas / 2) return [];
  const message = `${ready} of ${replicas} etcd of StatefulSet ${name} are ready: kubectl describe pods -l tonearm.dev/cluster=${cluster.metadata.name},app.kubernetes.io/component=etcd tells why.`;
  if (snapshot.config === undefined) return [wait('WaitingForEtcd', message)];
  return [{ kind: 'complain', reason: 'EtcdNotReady', message }];
}
