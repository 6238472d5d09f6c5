/**
 * The cache behind a reflector. An object never goes back to an older version, whether it comes from a list, a watch
 * or the answer to a write; and an answer that is older than what the watch has already passed is dropped, or it
 * would bring back an object that has been deleted meanwhile.
 */
import type { Logger } from '@tonearm/runtime/foundation';
import type { KubeObject } from '../api/kube-object.ts';
import type { ObjectName } from '../ports/kube.ts';
import type { ObjectCache, ObjectChange, ObjectListener } from '../ports/object-cache.ts';

export type Indexers<T extends KubeObject> = Readonly<
  Record<string, (object: T) => readonly string[]>
>;

export class ObjectStore<T extends KubeObject> implements ObjectCache<T> {
  readonly #logger: Logger;
  readonly #indexers: Indexers<T>;
  readonly #objects = new Map<string, T>();
  /** Index name → value → keys. */
  readonly #indexes = new Map<string, Map<string, Set<string>>>();
  readonly #listeners = new Set<ObjectListener<T>>();
  #synced = false;
  /** How far list and watch have come. */
  #seenVersion = '0';

  constructor(logger: Logger, indexers: Indexers<T> = {}) {
    this.#logger = logger;
    this.#indexers = indexers;
    for (const name of Object.keys(indexers)) this.#indexes.set(name, new Map());
  }

  hasSynced(): boolean {
    return this.#synced;
  }

  get(name: ObjectName): T | undefined {
    return this.#objects.get(keyOf(name));
  }

  list(namespace?: string): readonly T[] {
    const all = [...this.#objects.values()];
    return namespace === undefined
      ? all
      : all.filter(({ metadata }) => metadata.namespace === namespace);
  }

  byIndex(index: string, value: string): readonly T[] {
    const values = this.#indexes.get(index);
    if (values === undefined) throw new Error(`there is no index "${index}"`);
    const keys = values.get(value) ?? new Set<string>();
    return [...keys].flatMap((key) => this.#objects.get(key) ?? []);
  }

  subscribe(listener: ObjectListener<T>): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  offer(object: T): void {
    if (isNewer(object.metadata.resourceVersion, this.#seenVersion)) this.upsert(object);
  }

  /** From a watch. */
  upsert(received: T): void {
    const object = withoutManagedFields(received);
    const key = keyOf(object.metadata);
    const old = this.#objects.get(key);
    const version = object.metadata.resourceVersion;
    if (old !== undefined && !isNewer(version, old.metadata.resourceVersion)) return;
    if (old !== undefined) this.#unindex(key, old);
    this.#objects.set(key, object);
    this.#index(key, object);
    this.#notify(old === undefined ? { kind: 'added', object } : { kind: 'modified', object, old });
  }

  /** From a watch. The object is as it was last. */
  remove(received: T): void {
    const key = keyOf(received.metadata);
    const old = this.#objects.get(key);
    if (old === undefined) return;
    // The known object was made after this one was deleted.
    if (isNewer(old.metadata.resourceVersion, received.metadata.resourceVersion)) return;
    this.#drop(key, old, withoutManagedFields(received));
  }

  /** From a watch: everything up to this version has been seen. */
  advance(resourceVersion: string | undefined): void {
    if (resourceVersion !== undefined && isNewer(resourceVersion, this.#seenVersion)) {
      this.#seenVersion = resourceVersion;
    }
  }

  /** From a complete list: what is not in it was deleted while nobody watched. */
  replace(objects: readonly T[], resourceVersion: string): void {
    // An API server restored from a backup has gone back; its word counts.
    this.#seenVersion = resourceVersion;
    const listed = new Set(objects.map(({ metadata }) => keyOf(metadata)));
    for (const [key, old] of [...this.#objects]) {
      const fromOwnWrite = isNewer(old.metadata.resourceVersion, resourceVersion);
      if (!listed.has(key) && !fromOwnWrite) this.#drop(key, old, old);
    }
    for (const object of objects) this.upsert(object);
    this.#synced = true;
  }

  #drop(key: string, old: T, last: T): void {
    this.#unindex(key, old);
    this.#objects.delete(key);
    this.#notify({ kind: 'deleted', object: last, old });
  }

  #notify(change: ObjectChange<T>): void {
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        // One listener's bug must not end the watch that others live on.
        this.#logger.error({ error, object: keyOf(change.object.metadata) }, 'a listener failed');
      }
    }
  }

  #index(key: string, object: T): void {
    for (const [name, valuesOf] of Object.entries(this.#indexers)) {
      const values = this.#indexes.get(name);
      for (const value of valuesOf(object)) {
        const keys = values?.get(value) ?? new Set<string>();
        keys.add(key);
        values?.set(value, keys);
      }
    }
  }

  #unindex(key: string, object: T): void {
    for (const [name, valuesOf] of Object.entries(this.#indexers)) {
      const values = this.#indexes.get(name);
      for (const value of valuesOf(object)) {
        const keys = values?.get(value);
        keys?.delete(key);
        if (keys?.size === 0) values?.delete(value);
      }
    }
  }
}

function keyOf({ namespace, name }: ObjectName): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/**
 * Versions of one resource are numbers that grow. A server whose versions are not numbers is taken at its word: the
 * later arrival is the newer.
 */
function isNewer(version: string | undefined, than: string | undefined): boolean {
  if (version === undefined || than === undefined) return true;
  if (!/^\d+$/.test(version) || !/^\d+$/.test(than)) return version !== than;
  return BigInt(version) > BigInt(than);
}

/** They are about as large as the rest of the object, and nobody here reads them. */
function withoutManagedFields<T extends KubeObject>(object: T): T {
  if (!('managedFields' in object.metadata)) return object;
  const kept = Object.entries(object.metadata).filter(([field]) => field !== 'managedFields');
  const metadata = Object.fromEntries(kept) as unknown as T['metadata'];
  return { ...object, metadata };
}
