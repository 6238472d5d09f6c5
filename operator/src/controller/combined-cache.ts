/** One cache over several, each of which knows one namespace. */
import type { KubeObject } from '../api/kube-object.ts';
import type { ObjectName } from '../ports/kube.ts';
import type { ObjectCache, ObjectListener } from '../ports/object-cache.ts';

export class CombinedCache<T extends KubeObject> implements ObjectCache<T> {
  /** By namespace; the empty name stands for all. */
  readonly #caches: ReadonlyMap<string, ObjectCache<T>>;

  constructor(caches: ReadonlyMap<string, ObjectCache<T>>) {
    this.#caches = caches;
  }

  hasSynced(): boolean {
    return [...this.#caches.values()].every((cache) => cache.hasSynced());
  }

  get(name: ObjectName): T | undefined {
    return this.#of(name.namespace)?.get(name);
  }

  list(namespace?: string): readonly T[] {
    return [...this.#caches.values()].flatMap((cache) => cache.list(namespace));
  }

  byIndex(index: string, value: string): readonly T[] {
    return [...this.#caches.values()].flatMap((cache) => cache.byIndex(index, value));
  }

  offer(object: T): void {
    this.#of(object.metadata.namespace)?.offer(object);
  }

  subscribe(listener: ObjectListener<T>): () => void {
    const ends = [...this.#caches.values()].map((cache) => cache.subscribe(listener));
    return () => {
      for (const end of ends) end();
    };
  }

  #of(namespace: string | undefined): ObjectCache<T> | undefined {
    return this.#caches.get('') ?? this.#caches.get(namespace ?? 'default');
  }
}
