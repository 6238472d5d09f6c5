/**
 * A Kubernetes API of a few objects, for tests of the controllers: it gives what was put there and writes down what it
 * is asked to write. Conflicts, watches and defaults are the affair of the contract suite and of a real server.
 */
import type { KubeObject } from '../api/kube-object.ts';
import type { Resource } from '../api/resources.ts';
import type { ApplyOptions, Intent, Kube, ObjectName } from '../ports/kube.ts';
import type { ObjectCache } from '../ports/object-cache.ts';

export interface Write {
  readonly verb: string;
  readonly kind: string;
  readonly name: string;
  readonly sent: unknown;
}

export class MemoryKube implements Kube {
  readonly writes: Write[] = [];
  /** Names of objects that were read from here, `Kind/name`. */
  readonly reads: string[] = [];
  readonly #objects = new Map<string, KubeObject>();

  put(...objects: readonly KubeObject[]): this {
    for (const object of objects) {
      this.#objects.set(`${object.kind}/${object.metadata.name}`, object);
    }
    return this;
  }

  get: Kube['get'] = async <T extends KubeObject>({ kind }: Resource<T>, { name }: ObjectName) => {
    this.reads.push(`${kind}/${name}`);
    return this.#objects.get(`${kind}/${name}`) as T | undefined;
  };

  list: Kube['list'] = async <T extends KubeObject>({ kind }: Resource<T>) => {
    this.reads.push(kind);
    const all = [...this.#objects.values()].filter((object) => object.kind === kind);
    return { items: all as T[], resourceVersion: '1' };
  };

  apply: Kube['apply'] = async <T extends KubeObject>(
    resource: Resource<T>,
    intent: Intent,
    options: ApplyOptions,
  ) => this.#write('apply', resource, intent.metadata.name, { intent, options }) as T;

  applyStatus: Kube['applyStatus'] = async <T extends KubeObject>(
    resource: Resource<T>,
    intent: Intent,
    options: ApplyOptions,
  ) => this.#write('apply-status', resource, intent.metadata.name, { intent, options }) as T;

  create: Kube['create'] = async <T extends KubeObject>(resource: Resource<T>, intent: Intent) =>
    this.#write('create', resource, intent.metadata.name, intent) as T;

  patch: Kube['patch'] = async <T extends KubeObject>(
    resource: Resource<T>,
    { name }: ObjectName,
    change: Parameters<Kube['patch']>[2],
  ) => this.#write('patch', resource, name, change) as T;

  delete: Kube['delete'] = async (resource, { name }, options) => {
    this.#write('delete', resource, name, options);
    return true;
  };

  scale: Kube['scale'] = async (resource, { name }, replicas) => {
    this.#write('scale', resource, name, replicas);
  };

  update: Kube['update'] = unused;
  evict: Kube['evict'] = unused;
  watch: Kube['watch'] = unused;

  /** The answer has the name of what was sent, and a version. */
  #write(verb: string, { kind }: Resource, name: string, sent: unknown): KubeObject {
    this.writes.push({ verb, kind, name, sent });
    return { apiVersion: '', kind, metadata: { name, resourceVersion: 'written' } };
  }
}

/** What a watch would have told, in the order in which it is given. Every object is of the one cluster. */
export class GivenCache<T extends KubeObject> implements ObjectCache<T> {
  readonly offered: T[] = [];
  readonly #objects: readonly T[];

  constructor(objects: readonly T[] = []) {
    this.#objects = objects;
  }

  hasSynced(): boolean {
    return true;
  }

  get({ name }: ObjectName): T | undefined {
    return this.#objects.find(({ metadata }) => metadata.name === name);
  }

  list(): readonly T[] {
    return this.#objects;
  }

  byIndex(): readonly T[] {
    return this.#objects;
  }

  offer(object: T): void {
    this.offered.push(object);
  }

  subscribe(): () => void {
    return () => undefined;
  }
}

function unused(): never {
  throw new Error('the controllers have no use for it');
}
