/** What the node needs of the Kubernetes API beside it in this process: reads and writes answer at once. */
import type { Claim, KeyedData, NodeObject, Pod, Service, StatefulSet } from './objects.ts';

/** A resource by the names of its API; `Type` carries the kind of object for the compiler. */
export interface NodeResource<Type extends NodeObject> {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly type?: Type;
}

export const PODS: NodeResource<Pod> = core('pods', 'Pod');
export const SERVICES: NodeResource<Service> = core('services', 'Service');
export const SECRETS: NodeResource<KeyedData> = core('secrets', 'Secret');
export const CONFIG_MAPS: NodeResource<KeyedData> = core('configmaps', 'ConfigMap');
export const CLAIMS: NodeResource<Claim> = core('persistentvolumeclaims', 'PersistentVolumeClaim');
export const NODES: NodeResource<NodeObject> = core('nodes', 'Node');
export const EVENTS: NodeResource<NodeObject> = core('events', 'Event');
export const STATEFUL_SETS: NodeResource<StatefulSet> = {
  group: 'apps',
  version: 'v1',
  plural: 'statefulsets',
  kind: 'StatefulSet',
};
export const ENDPOINT_SLICES: NodeResource<NodeObject> = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  kind: 'EndpointSlice',
};

export interface ObjectName {
  readonly namespace: string;
  readonly name: string;
}

export type Draft = Readonly<Record<string, unknown>> & {
  readonly metadata: Readonly<Record<string, unknown>> & ObjectName;
};

export interface NodeApi {
  /** Objects of all namespaces. */
  list<Type extends NodeObject>(resource: NodeResource<Type>): readonly Type[];
  get<Type extends NodeObject>(resource: NodeResource<Type>, name: ObjectName): Type | undefined;
  /** Nothing happens when there is an object of that name already. */
  create<Type extends NodeObject>(resource: NodeResource<Type>, draft: Draft): void;
  /** A JSON merge patch; nothing happens when the object is gone. */
  patch<Type extends NodeObject>(
    resource: NodeResource<Type>,
    name: ObjectName,
    patch: { readonly body: object; readonly subresource?: 'status' },
  ): void;
  /** Nothing happens when there is no such object of that uid. */
  delete<Type extends NodeObject>(
    resource: NodeResource<Type>,
    object: NodeObject,
    options?: { readonly gracePeriodSeconds?: number },
  ): void;
  /** Calls back after every change, with the plural name of the resource. Returns how to stop it. */
  subscribe(onChange: (plural: string, object: NodeObject, isDeleted: boolean) => void): () => void;
}

function core<Type extends NodeObject>(plural: string, kind: string): NodeResource<Type> {
  return { group: '', version: 'v1', plural, kind };
}
