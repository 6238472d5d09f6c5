/** The objects themselves, with the two indexes that ownership needs: by uid, and by owner's uid. */
import { type KubernetesObject, keyOf } from './kubernetes-object.ts';

export interface Located {
  readonly storageId: string;
  readonly object: KubernetesObject;
}

export class ObjectTable {
  readonly #kinds = new Map<string, Map<string, KubernetesObject>>();
  readonly #byUid = new Map<string, { readonly storageId: string; readonly key: string }>();
  readonly #dependents = new Map<string, Set<string>>();

  get(storageId: string, key: string): KubernetesObject | undefined {
    return this.#kinds.get(storageId)?.get(key);
  }

  /** Objects of a kind, of one namespace or of all, ordered by namespace and name. */
  list(storageId: string, namespace: string): KubernetesObject[] {
    const kind = [...(this.#kinds.get(storageId) ?? [])];
    const chosen =
      namespace === '' ? kind : kind.filter(([key]) => key.startsWith(`${namespace}/`));
    return chosen.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  put(storageId: string, object: KubernetesObject): void {
    const kind = this.#kinds.get(storageId) ?? new Map<string, KubernetesObject>();
    const key = keyOf(object);
    this.#unlink(kind.get(key));
    kind.set(key, object);
    this.#kinds.set(storageId, kind);
    this.#byUid.set(object.metadata.uid, { storageId, key });
    for (const owner of object.metadata.ownerReferences ?? []) {
      const dependents = this.#dependents.get(owner.uid) ?? new Set();
      dependents.add(object.metadata.uid);
      this.#dependents.set(owner.uid, dependents);
    }
  }

  remove(storageId: string, object: KubernetesObject): void {
    const key = keyOf(object);
    this.#unlink(this.get(storageId, key));
    this.#kinds.get(storageId)?.delete(key);
    this.#byUid.delete(object.metadata.uid);
  }

  byUid(uid: string): Located | undefined {
    const place = this.#byUid.get(uid);
    if (place === undefined) return undefined;
    const object = this.get(place.storageId, place.key);
    return object === undefined ? undefined : { storageId: place.storageId, object };
  }

  dependentsOf(uid: string): Located[] {
    const uids = [...(this.#dependents.get(uid) ?? [])];
    return uids.map((dependent) => this.byUid(dependent)).filter((found) => found !== undefined);
  }

  all(): Located[] {
    return [...this.#kinds].flatMap(([storageId, kind]) =>
      [...kind.values()].map((object) => ({ storageId, object })),
    );
  }

  inNamespace(namespace: string): Located[] {
    return this.all().filter(({ object }) => object.metadata.namespace === namespace);
  }

  #unlink(object: KubernetesObject | undefined): void {
    for (const owner of object?.metadata.ownerReferences ?? []) {
      const dependents = this.#dependents.get(owner.uid);
      dependents?.delete(object?.metadata.uid ?? '');
      if (dependents?.size === 0) this.#dependents.delete(owner.uid);
    }
  }
}
