/**
 * A ReplicaSet object from a template of its Cluster.
 *
 * `replicas` belongs to users and autoscalers from the moment of creation. Server-side apply removes what an applier
 * leaves out, so the intent repeats the number that was found, and names the version in which it was found: whoever
 * scales in between wins, and the operator looks again.
 */
import { API_GROUP_VERSION, FINALIZER, LABELS } from '../../api/names.ts';
import type { Cluster, ReplicaSetTemplate } from '../../api/v1alpha1/cluster.ts';
import type { ReplicaSet } from '../../api/v1alpha1/replica-set.ts';
import type { Intent } from '../verdict.ts';
import { clusterLabels } from './labels.ts';
import { MEMORY, namespaceOf } from './names.ts';
import { ownerReference } from './owner.ts';

export interface ReplicaSetWish {
  readonly cluster: Cluster;
  readonly template: ReplicaSetTemplate;
  readonly name: string;
  readonly found: ReplicaSet | undefined;
  /** Whether it gets a finalizer. */
  readonly guarded: boolean;
}

export function buildReplicaSet(wish: ReplicaSetWish): Intent {
  const { cluster, template, name, found } = wish;
  const initial = template.replicas ?? template.initialReplicas ?? 1;
  const resourceVersion = found?.metadata.resourceVersion;
  return {
    apiVersion: API_GROUP_VERSION,
    kind: 'ReplicaSet',
    metadata: {
      name,
      namespace: namespaceOf(cluster),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      labels: {
        ...clusterLabels(cluster.metadata.name, 'instance'),
        [LABELS.template]: template.name,
      },
      ...(template.replicas === undefined
        ? {}
        : { annotations: { [MEMORY.enforcedReplicas]: String(template.replicas) } }),
      ownerReferences: [ownerReference(cluster)],
      ...(wish.guarded ? { finalizers: [FINALIZER] } : {}),
    },
    spec: {
      clusterName: cluster.metadata.name,
      replicas: found?.spec.replicas ?? initial,
      roles: template.roles,
      weight: template.weight,
      ephemeral: template.ephemeral,
      ...optionalFields(template),
    },
  };
}

/** Absent, not undefined: an applier that sends a field owns it. */
function optionalFields(template: ReplicaSetTemplate): Record<string, unknown> {
  const { zone, resources, env, volume } = template;
  const given = Object.entries({ zone, resources, env, volume });
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}
