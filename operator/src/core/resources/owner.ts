import type { KubeObject, OwnerReference } from '../../api/kube-object.ts';
import { LABELS } from '../../api/names.ts';
import { MANAGED_BY } from './labels.ts';

export function ownerReference(owner: KubeObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** Was the object made by the operator for this cluster? Anything else under a name of ours is foreign. */
export function isOurs(object: KubeObject, cluster: string): boolean {
  const labels = object.metadata.labels ?? {};
  return labels[LABELS.managedBy] === MANAGED_BY && labels[LABELS.cluster] === cluster;
}
