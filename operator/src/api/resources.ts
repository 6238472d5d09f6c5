/**
 * The resources that the operator touches: a static table, because discovery costs requests at start and tells
 * nothing that is not known here.
 */
import type {
  ConfigMap,
  CustomResourceDefinition,
  KubeEvent,
  KubeObject,
  Lease,
  Namespace,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  Secret,
  Service,
  StatefulSet,
} from './kube-object.ts';
import { API_GROUP, API_VERSION } from './names.ts';
import type { Cluster } from './v1alpha1/cluster.ts';
import type { ReplicaSet } from './v1alpha1/replica-set.ts';

export interface Resource<T extends KubeObject = KubeObject> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Carries the type of the objects; there is no value. */
  readonly objects?: T;
}

function namespaced<T extends KubeObject>(
  names: Omit<Resource, 'namespaced' | 'objects'>,
): Resource<T> {
  return { ...names, namespaced: true };
}

export const RESOURCES = {
  clusters: namespaced<Cluster>({
    group: API_GROUP,
    version: API_VERSION,
    plural: 'clusters',
    kind: 'Cluster',
  }),
  replicaSets: namespaced<ReplicaSet>({
    group: API_GROUP,
    version: API_VERSION,
    plural: 'replicasets',
    kind: 'ReplicaSet',
  }),
  statefulSets: namespaced<StatefulSet>({
    group: 'apps',
    version: 'v1',
    plural: 'statefulsets',
    kind: 'StatefulSet',
  }),
  pods: namespaced<Pod>({ group: '', version: 'v1', plural: 'pods', kind: 'Pod' }),
  services: namespaced<Service>({ group: '', version: 'v1', plural: 'services', kind: 'Service' }),
  secrets: namespaced<Secret>({ group: '', version: 'v1', plural: 'secrets', kind: 'Secret' }),
  configMaps: namespaced<ConfigMap>({
    group: '',
    version: 'v1',
    plural: 'configmaps',
    kind: 'ConfigMap',
  }),
  claims: namespaced<PersistentVolumeClaim>({
    group: '',
    version: 'v1',
    plural: 'persistentvolumeclaims',
    kind: 'PersistentVolumeClaim',
  }),
  disruptionBudgets: namespaced<PodDisruptionBudget>({
    group: 'policy',
    version: 'v1',
    plural: 'poddisruptionbudgets',
    kind: 'PodDisruptionBudget',
  }),
  leases: namespaced<Lease>({
    group: 'coordination.k8s.io',
    version: 'v1',
    plural: 'leases',
    kind: 'Lease',
  }),
  events: namespaced<KubeEvent>({
    group: 'events.k8s.io',
    version: 'v1',
    plural: 'events',
    kind: 'Event',
  }),
  namespaces: {
    group: '',
    version: 'v1',
    plural: 'namespaces',
    kind: 'Namespace',
    namespaced: false,
  } as Resource<Namespace>,
  nodes: {
    group: '',
    version: 'v1',
    plural: 'nodes',
    kind: 'Node',
    namespaced: false,
  } as Resource,
  customResourceDefinitions: {
    group: 'apiextensions.k8s.io',
    version: 'v1',
    plural: 'customresourcedefinitions',
    kind: 'CustomResourceDefinition',
    namespaced: false,
  } as Resource<CustomResourceDefinition>,
} as const;

/** As in the field `apiVersion`. */
export function groupVersion(resource: Pick<Resource, 'group' | 'version'>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}
