/**
 * What follows from a change: dependents of a removed owner go, owners that wait for their
 * dependents go after them, a namespace or a definition takes its content along. It runs to its end
 * within the request that caused it, so that a reader never sees half of it.
 */
import { type DeleteOptions, FOREGROUND, ORPHAN } from './deletion.ts';
import { textAt, without } from './json.ts';
import { finishedObject, type KubernetesObject, type OwnerReference } from './kubernetes-object.ts';
import type { Located, ObjectTable } from './object-table.ts';
import { storageId } from './served-resource.ts';
import type { Change } from './watch-hub.ts';
import { DEFINITION_FINALIZER } from './write-rules.ts';

const NAMESPACES = storageId('', 'namespaces');
const DEFINITIONS = storageId('apiextensions.k8s.io', 'customresourcedefinitions');

/** The two ways in which the collector changes the store. */
export interface CollectorStore {
  readonly table: ObjectTable;
  remove(located: Located, options: DeleteOptions): void;
  replace(located: Located, next: KubernetesObject): void;
}

export function collectAfter(change: Change, store: CollectorStore): void {
  if (change.kind === 'deleted') collectDependents(change.object, store);
  else {
    collectIfOrphaned(change, store);
    continueDeletion({ storageId: change.storageId, object: change.object }, store);
  }
  if (change.kind === 'deleted') collectContainers(change, store);
}

function collectDependents(owner: KubernetesObject, store: CollectorStore): void {
  for (const dependent of store.table.dependentsOf(owner.metadata.uid)) {
    dropOwner(dependent, owner.metadata.uid, store);
  }
  for (const reference of owner.metadata.ownerReferences ?? []) {
    const waiting = store.table.byUid(reference.uid);
    if (waiting !== undefined) continueDeletion(waiting, store);
  }
}

function dropOwner(dependent: Located, uid: string, store: CollectorStore): void {
  const references = dependent.object.metadata.ownerReferences ?? [];
  const others = references.filter((reference) => reference.uid !== uid);
  if (!others.some((reference) => store.table.byUid(reference.uid) !== undefined)) {
    store.remove(dependent, { propagation: 'Background' });
  } else store.replace(dependent, withOwners(dependent.object, others));
}

function withOwners(
  object: KubernetesObject,
  ownerReferences: readonly OwnerReference[],
): KubernetesObject {
  const metadata = without(object.metadata, 'ownerReferences');
  const owners = ownerReferences.length === 0 ? {} : { ownerReferences };
  return finishedObject({ ...object, metadata: { ...metadata, ...owners } });
}

function collectIfOrphaned(change: Change, store: CollectorStore): void {
  const references = change.object.metadata.ownerReferences ?? [];
  if (references.length === 0 || change.object.metadata.deletionTimestamp !== undefined) return;
  if (references.some((reference) => store.table.byUid(reference.uid) !== undefined)) return;
  store.remove(change, { propagation: 'Background' });
}

function continueDeletion(located: Located, store: CollectorStore): void {
  const { object } = located;
  if (object.metadata.deletionTimestamp === undefined) return;
  const finalizers = object.metadata.finalizers ?? [];
  if (finalizers.includes(ORPHAN)) {
    for (const dependent of store.table.dependentsOf(object.metadata.uid)) {
      const references = dependent.object.metadata.ownerReferences ?? [];
      const others = references.filter((reference) => reference.uid !== object.metadata.uid);
      store.replace(dependent, withOwners(dependent.object, others));
    }
    dropFinalizer(located, ORPHAN, store);
  } else if (finalizers.includes(FOREGROUND)) deleteForeground(located, store);
  else if (located.storageId === NAMESPACES) emptyNamespace(located, store);
  else if (located.storageId === DEFINITIONS) emptyDefinition(located, store);
}

function deleteForeground(owner: Located, store: CollectorStore): void {
  const { uid } = owner.object.metadata;
  for (const dependent of store.table.dependentsOf(uid)) {
    if (dependent.object.metadata.deletionTimestamp !== undefined) continue;
    store.remove(dependent, {
      propagation: isBlocking(dependent, uid) ? 'Foreground' : 'Background',
    });
  }
  const blocking = store.table.dependentsOf(uid).filter((dependent) => isBlocking(dependent, uid));
  if (blocking.length === 0) dropFinalizer(owner, FOREGROUND, store);
}

function isBlocking(dependent: Located, uid: string): boolean {
  const references = dependent.object.metadata.ownerReferences ?? [];
  return references.some((owner) => owner.uid === uid && owner.blockOwnerDeletion === true);
}

function dropFinalizer(located: Located, finalizer: string, store: CollectorStore): void {
  const found = store.table.byUid(located.object.metadata.uid);
  const finalizers = found?.object.metadata.finalizers ?? [];
  if (found === undefined || !finalizers.includes(finalizer)) return;
  const rest = finalizers.filter((name) => name !== finalizer);
  const metadata = without(found.object.metadata, 'finalizers');
  const kept = rest.length === 0 ? {} : { finalizers: rest };
  store.replace(found, finishedObject({ ...found.object, metadata: { ...metadata, ...kept } }));
}

/** The last object of a namespace or definition that is being deleted lets it go. */
function collectContainers(change: Change, store: CollectorStore): void {
  const { namespace } = change.object.metadata;
  const home = namespace === undefined ? undefined : store.table.get(NAMESPACES, `/${namespace}`);
  if (home !== undefined) continueDeletion({ storageId: NAMESPACES, object: home }, store);
  const definition = definitionOf(change.storageId, store);
  if (definition !== undefined) continueDeletion(definition, store);
}

function definitionOf(id: string, store: CollectorStore): Located | undefined {
  const [group = '', plural = ''] = id.split('/');
  const object = store.table.get(DEFINITIONS, `/${plural}.${group}`);
  return object === undefined ? undefined : { storageId: DEFINITIONS, object };
}

function emptyNamespace(located: Located, store: CollectorStore): void {
  const { name } = located.object.metadata;
  for (const content of store.table.inNamespace(name)) {
    if (content.object.metadata.deletionTimestamp === undefined) store.remove(content, {});
  }
  const found = store.table.get(NAMESPACES, `/${name}`);
  if (found === undefined || store.table.inNamespace(name).length > 0) return;
  store.replace({ storageId: NAMESPACES, object: found }, finishedObject(without(found, 'spec')));
}

function emptyDefinition(located: Located, store: CollectorStore): void {
  const group = textAt(located.object, 'spec', 'group');
  const plural = textAt(located.object, 'spec', 'names', 'plural');
  const id = storageId(group, plural);
  for (const object of store.table.list(id, '')) {
    if (object.metadata.deletionTimestamp === undefined)
      store.remove({ storageId: id, object }, {});
  }
  if (store.table.list(id, '').length === 0) dropFinalizer(located, DEFINITION_FINALIZER, store);
}
