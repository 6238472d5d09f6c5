/**
 * The node's view of the object store in the same process. The store keeps JSON: that it has the shape of its kind
 * is what the API checked when it let it in.
 */
import { ApiError } from '../api/api-error.ts';
import type { ObjectStore } from '../api/object-store.ts';
import type { ServedResource } from '../api/served-resource.ts';
import type { Draft, NodeApi, NodeResource, ObjectName } from './node-api.ts';
import type { NodeObject } from './objects.ts';

const MANAGER = 'tonearm-node';

export class StoreNodeApi implements NodeApi {
  readonly #store: ObjectStore;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  list<Type extends NodeObject>(resource: NodeResource<Type>): readonly Type[] {
    const served = this.#store.registry.find(resource);
    return served === undefined
      ? []
      : (this.#store.list(served).items as unknown as readonly Type[]);
  }

  get<Type extends NodeObject>(
    resource: NodeResource<Type>,
    { namespace, name }: ObjectName,
  ): Type | undefined {
    const found = this.#store.find(this.#served(resource), { namespace, name });
    return found as Type | undefined;
  }

  create<Type extends NodeObject>(resource: NodeResource<Type>, draft: Draft): void {
    const { namespace } = draft.metadata;
    ignoring(['AlreadyExists'], () => {
      this.#store.create(this.#served(resource), namespace, draft, { manager: MANAGER });
    });
  }

  patch<Type extends NodeObject>(
    resource: NodeResource<Type>,
    { namespace, name }: ObjectName,
    patch: { readonly body: object; readonly subresource?: 'status' },
  ): void {
    const { body, subresource } = patch;
    ignoring(['NotFound'], () => {
      this.#store.patch(
        this.#served(resource),
        { namespace, name },
        { format: 'merge', body },
        { manager: MANAGER, ...(subresource === undefined ? {} : { subresource }) },
      );
    });
  }

  delete<Type extends NodeObject>(
    resource: NodeResource<Type>,
    object: NodeObject,
    options: { readonly gracePeriodSeconds?: number } = {},
  ): void {
    const { namespace, name, uid } = object.metadata;
    ignoring(['NotFound', 'Conflict'], () => {
      this.#store.delete(this.#served(resource), { namespace, name }, { uid, ...options });
    });
  }

  subscribe(
    onChange: (plural: string, object: NodeObject, isDeleted: boolean) => void,
  ): () => void {
    const subscription = this.#store.onChange((change) => {
      const served = this.#store.registry.byStorageId(change.storageId);
      if (served === undefined) return;
      onChange(served.plural, change.object as unknown as NodeObject, change.kind === 'deleted');
    });
    return () => subscription.close();
  }

  #served(resource: NodeResource<NodeObject>): ServedResource {
    return this.#store.resource(resource);
  }
}

/** What the node decided a moment ago may have been overtaken; the next round sees it. */
function ignoring(reasons: readonly string[], write: () => void): void {
  try {
    write();
  } catch (error) {
    if (error instanceof ApiError && reasons.includes(error.reason)) return;
    throw error;
  }
}
