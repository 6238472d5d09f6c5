/**
 * Labels of the objects that belong to a cluster. Selectors use only the three that never change; none carries a
 * version of the operator, because that would restart every pod with every new operator.
 */
import { LABELS } from '../../api/names.ts';

export const MANAGED_BY = 'tonearm-operator';

export type Component = 'cluster' | 'instance' | 'etcd';

export function clusterLabels(cluster: string, component: Component): Record<string, string> {
  return {
    [LABELS.name]: 'tonearm',
    [LABELS.instance]: cluster,
    [LABELS.component]: component,
    [LABELS.partOf]: cluster,
    [LABELS.managedBy]: MANAGED_BY,
    [LABELS.cluster]: cluster,
  };
}

/** Selects every instance of a cluster, and not its etcd. */
export function instanceSelector(cluster: string): Record<string, string> {
  return { [LABELS.cluster]: cluster, [LABELS.component]: 'instance' };
}

export function replicaSetSelector(cluster: string, replicaSet: string): Record<string, string> {
  return { [LABELS.cluster]: cluster, [LABELS.replicaSet]: replicaSet };
}
