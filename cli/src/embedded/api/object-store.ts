/**
 * The Kubernetes objects of one control plane, in memory. Every operation is synchronous and
 * complete when it returns: the change is visible, watchers were told, and what follows from it
 * (garbage collection, definitions served) has been done. Objects handed out are frozen.
 */
import { randomUUID } from 'node:crypto';
import { alreadyExists, badRequest, forbidden, notFound, pathNotFound } from './api-error.ts';
import type { CustomValidation } from './custom-resources.ts';
import { type DeleteOptions, planDeletion } from './deletion.ts';
import { type CollectorStore, collectAfter } from './garbage-collector.ts';
import { deepFreeze, equalJson, objectAt, textAt } from './json.ts';
import {
  finishedObject,
  type KubernetesObject,
  keyOf,
  type ManagedFieldsEntry,
  type ObjectDraft,
  objectKey,
} from './kubernetes-object.ts';
import { ObjectTable } from './object-table.ts';
import { applyJsonPatch, applyMergePatch } from './patches.ts';
import { type ResourceAddress, ResourceRegistry } from './resource-registry.ts';
import { parseSelectors } from './selectors.ts';
import { type ServedResource, storageId } from './served-resource.ts';
import { planApply } from './server-side-apply.ts';
import {
  type ApplyOptions,
  fieldsOf,
  type ListOptions,
  type ObjectList,
  type ObjectTarget,
  type PatchFormat,
  type StoreSnapshot,
  targetOf,
  type WriteOptions,
  type WriteResult,
} from './store-operations.ts';
import { applyStrategicMerge } from './strategic-merge.ts';
import { type Change, type Subscription, WatchHub } from './watch-hub.ts';
import {
  isReadyToGo,
  type Prepared,
  prepareCreate,
  prepareUpdate,
  type Subresource,
} from './write-rules.ts';

export interface ObjectStoreOptions {
  readonly nowMs?: () => number;
  readonly newUid?: () => string;
  /** Verdicts that the schema of a custom resource cannot give. */
  readonly validate?: CustomValidation;
  /** How many changes are kept for watches that resume. */
  readonly watchHistory?: number;
  readonly initial?: StoreSnapshot;
}

/** Versions start above what a client might invent, so that "1" is always too old to watch from. */
const FIRST_VERSION = 100;
/** A restart skips versions that were handed out but not yet on disk when the process ended. */
const RESTART_SKIP = 10_000;
const FIRST_NAMESPACES = ['default', 'kube-system'];
const WATCH_HISTORY = 10_000;

export class ObjectStore {
  readonly registry: ResourceRegistry;
  readonly #nowMs: () => number;
  readonly #newUid: () => string;
  readonly #table = new ObjectTable();
  readonly #hub: WatchHub;
  readonly #pending: Change[] = [];
  #version: number;
  #isCollecting = false;

  constructor(options: ObjectStoreOptions = {}) {
    this.#nowMs = options.nowMs ?? Date.now;
    this.#newUid = options.newUid ?? randomUUID;
    this.registry = new ResourceRegistry(options.validate ?? (() => []));
    const initial = options.initial;
    this.#version = initial === undefined ? FIRST_VERSION : initial.resourceVersion + RESTART_SKIP;
    for (const { storageId: id, object } of initial?.objects ?? []) {
      this.#table.put(id, deepFreeze(object));
      this.#follow(id, object, 'added');
    }
    this.#hub = new WatchHub(options.watchHistory ?? WATCH_HISTORY, this.#version);
    for (const name of FIRST_NAMESPACES) this.#ensureNamespace(name);
  }

  get resourceVersion(): number {
    return this.#version;
  }

  nowMs(): number {
    return this.#nowMs();
  }

  resource(address: ResourceAddress): ServedResource {
    const found = this.registry.find(address);
    if (found === undefined) throw pathNotFound();
    return found;
  }

  get(resource: ServedResource, target: ObjectTarget): KubernetesObject {
    return resource.toServed(this.#found(resource, target));
  }

  find(resource: ServedResource, target: ObjectTarget): KubernetesObject | undefined {
    const stored = this.#table.get(resource.storageId, objectKey(target.namespace, target.name));
    return stored === undefined ? undefined : resource.toServed(stored);
  }

  list(resource: ServedResource, options: ListOptions = {}): ObjectList {
    const { labelSelector = '', fieldSelector = '', limit = 0, after = '' } = options;
    const matches = parseSelectors({ labelSelector, fieldSelector }, fieldsOf(resource));
    const chosen = this.#table
      .list(resource.storageId, options.namespace ?? '')
      .filter((object) => after === '' || keyOf(object) > after)
      .map((object) => resource.toServed(object))
      .filter(matches);
    const items = limit > 0 ? chosen.slice(0, limit) : chosen;
    const last = items.at(-1);
    const remainingCount = chosen.length - items.length;
    return {
      items,
      resourceVersion: String(this.#version),
      next: remainingCount > 0 && last !== undefined ? keyOf(last) : undefined,
      remainingCount,
    };
  }

  create(
    resource: ServedResource,
    namespace: string,
    draft: ObjectDraft,
    options: WriteOptions = {},
  ): WriteResult {
    return this.#create(resource, { namespace, draft, entries: undefined }, options);
  }

  update(
    resource: ServedResource,
    target: ObjectTarget,
    draft: ObjectDraft,
    options: WriteOptions = {},
  ): WriteResult {
    return this.#change(resource, target, { draft: () => draft, options, isReplacement: true });
  }

  patch(
    resource: ServedResource,
    target: ObjectTarget,
    patch: { readonly format: PatchFormat; readonly body: unknown },
    options: WriteOptions = {},
  ): WriteResult {
    const draft = (current: KubernetesObject): unknown => {
      if (patch.format === 'json') return applyJsonPatch(current, patch.body);
      if (patch.format === 'merge') return applyMergePatch(current, patch.body);
      return applyStrategicMerge(current, patch.body, resource.mergeType);
    };
    return this.#change(resource, target, { draft, options });
  }

  /** Server-side apply: makes the object if it is missing. */
  apply(
    resource: ServedResource,
    target: ObjectTarget,
    config: ObjectDraft,
    options: ApplyOptions,
  ): WriteResult {
    const current = this.find(resource, target);
    const applied = planApply({ resource, target, current }, config, options, this.#time());
    const { object: draft, entries } = applied;
    return current === undefined
      ? this.#create(resource, { namespace: target.namespace, draft, entries }, options)
      : this.#change(resource, target, { draft: () => draft, options, entries });
  }

  /** Returns the removed object, or the marked one if something still holds it. */
  delete(
    resource: ServedResource,
    target: ObjectTarget,
    options: DeleteOptions = {},
  ): { readonly object: KubernetesObject; readonly isRemoved: boolean } {
    const stored = this.#found(resource, target);
    const verdict = planDeletion(resource, stored, options, this.#nowMs());
    if (verdict.kind === 'already-marked' || options.dryRun === true) {
      return { object: resource.toServed(stored), isRemoved: verdict.kind === 'remove' };
    }
    if (verdict.kind === 'remove') {
      this.#remove(resource.storageId, stored);
      return { object: resource.toServed(stored), isRemoved: true };
    }
    const marked = this.#put(resource.storageId, verdict.object);
    // What held it may be gone by now; the answer tells what this deletion itself did.
    return { object: resource.toServed(marked), isRemoved: false };
  }

  /** Calls back for each change of the resource after a version; throws 410 if that is too old. */
  watch(
    resource: ServedResource,
    afterVersion: number,
    listener: (change: Change) => void,
  ): Subscription {
    const isOwn = (change: Change): boolean => change.storageId === resource.storageId;
    this.#hub.changesAfter(afterVersion, this.#version).filter(isOwn).forEach(listener);
    return this.#hub.subscribe((change) => {
      if (isOwn(change)) listener(change);
    });
  }

  onChange(listener: (change: Change) => void): Subscription {
    return this.#hub.subscribe(listener);
  }

  snapshot(): StoreSnapshot {
    return { resourceVersion: this.#version, objects: this.#table.all() };
  }

  #create(
    resource: ServedResource,
    made: {
      namespace: string;
      draft: ObjectDraft;
      entries: readonly ManagedFieldsEntry[] | undefined;
    },
    options: WriteOptions,
  ): WriteResult {
    const context = { ...this.#context(options), subresource: '' as const };
    const prepared = prepareCreate(resource, { ...made, uid: this.#newUid() }, context);
    const { metadata } = prepared.object;
    const sentNamespace = textAt(made.draft, 'metadata', 'namespace');
    if (resource.isNamespaced) this.#checkNamespace(resource, made.namespace, sentNamespace);
    const key = objectKey(resource.isNamespaced ? made.namespace : '', metadata.name);
    if (this.#table.get(resource.storageId, key) !== undefined) {
      throw alreadyExists(resource, metadata.name);
    }
    const { object, warnings } = this.#commit(resource, prepared, options);
    return { object, isCreated: true, warnings };
  }

  #change(
    resource: ServedResource,
    target: ObjectTarget,
    change: {
      readonly draft: (current: KubernetesObject) => unknown;
      readonly options: WriteOptions;
      readonly entries?: readonly ManagedFieldsEntry[];
      readonly isReplacement?: boolean;
    },
  ): WriteResult {
    const current = resource.toServed(this.#found(resource, target));
    const draft = objectAt({ draft: change.draft(current) }, 'draft');
    const { entries, isReplacement = false } = change;
    const changed = { current, draft, entries, isReplacement };
    const prepared = prepareUpdate(resource, changed, this.#context(change.options));
    const { object, warnings } = prepared;
    if (object === current) return { object, isCreated: false, warnings };
    return { ...this.#commit(resource, prepared, change.options), isCreated: false };
  }

  #commit(resource: ServedResource, prepared: Prepared, options: WriteOptions): Prepared {
    if (options.dryRun === true) return prepared;
    const stored = finishedObject(resource.toStored(prepared.object));
    const object = resource.toServed(this.#put(resource.storageId, stored));
    return { object, warnings: prepared.warnings };
  }

  #context(options: WriteOptions): {
    manager: string;
    subresource: Subresource;
    fieldValidation: 'Strict' | 'Warn' | 'Ignore';
    time: string;
  } {
    return {
      manager: options.manager ?? 'unknown',
      subresource: options.subresource ?? '',
      fieldValidation: options.fieldValidation ?? 'Warn',
      time: this.#time(),
    };
  }

  /** API timestamps have whole seconds. */
  #time(): string {
    return new Date(this.#nowMs()).toISOString().replace(/\.\d+Z$/, 'Z');
  }

  #found(resource: ServedResource, target: ObjectTarget): KubernetesObject {
    const found = this.#table.get(resource.storageId, objectKey(target.namespace, target.name));
    if (found === undefined) throw notFound(resource, target.name);
    return found;
  }

  #checkNamespace(resource: ServedResource, namespace: string, sent: string): void {
    if (sent !== '' && sent !== namespace) {
      throw badRequest(
        `the namespace of the provided object does not match the namespace sent on the request`,
      );
    }
    const home = this.#table.get(storageId('', 'namespaces'), objectKey('', namespace));
    if (home === undefined) throw notFound({ group: '', plural: 'namespaces' }, namespace);
    if (home.metadata.deletionTimestamp !== undefined) {
      const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
      throw forbidden(resource, '', why);
    }
  }

  #put(id: string, next: KubernetesObject): KubernetesObject {
    const previous = this.#table.get(id, keyOf(next));
    if (isReadyToGo(next)) {
      this.#remove(id, next);
      return next;
    }
    this.#version += 1;
    const metadata = { ...next.metadata, resourceVersion: String(this.#version) };
    const object = deepFreeze(finishedObject({ ...next, metadata }));
    this.#table.put(id, object);
    const kind = previous === undefined ? 'added' : 'modified';
    this.#publish({ kind, storageId: id, resourceVersion: this.#version, object, previous });
    return object;
  }

  #remove(id: string, last: KubernetesObject): void {
    const previous = this.#table.get(id, keyOf(last));
    this.#version += 1;
    const metadata = { ...last.metadata, resourceVersion: String(this.#version) };
    const object = deepFreeze(finishedObject({ ...last, metadata }));
    this.#table.remove(id, object);
    const resourceVersion = this.#version;
    this.#publish({ kind: 'deleted', storageId: id, resourceVersion, object, previous });
  }

  /** What follows from a change is worked off in order, not within the change that causes it. */
  #publish(change: Change): void {
    this.#follow(change.storageId, change.object, change.kind);
    this.#hub.publish(change);
    this.#pending.push(change);
    if (this.#isCollecting) return;
    this.#isCollecting = true;
    try {
      for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) {
        collectAfter(next, this.#collector());
      }
    } finally {
      this.#isCollecting = false;
    }
  }

  #collector(): CollectorStore {
    return {
      table: this.#table,
      remove: ({ storageId: id, object }, options) => {
        const resource = this.registry.byStorageId(id);
        if (resource === undefined || this.#table.get(id, keyOf(object)) === undefined) return;
        this.delete(resource, targetOf(object), options);
      },
      replace: ({ storageId: id }, next) => {
        if (!equalJson(this.#table.get(id, keyOf(next)), next)) this.#put(id, next);
      },
    };
  }

  #follow(id: string, object: KubernetesObject, kind: Change['kind']): void {
    if (id !== storageId('apiextensions.k8s.io', 'customresourcedefinitions')) return;
    if (kind === 'deleted') this.registry.undefine(object.metadata.name);
    else this.registry.define(object);
  }

  #ensureNamespace(name: string): void {
    const resource = this.resource({ group: '', version: 'v1', plural: 'namespaces' });
    if (this.find(resource, { namespace: '', name }) !== undefined) return;
    this.create(resource, '', { metadata: { name } }, { manager: 'tonearm' });
  }
}
