/**
 * What becomes of an object on its way into the store. Pure: the time and the uid come from
 * outside. The rules that keep writers apart: identity and bookkeeping belong to the server, status
 * is written only through `/status`, and a write that changes nothing returns the current object.
 */
import {
  badRequest,
  conflict,
  type FieldIssue,
  forbiddenValue,
  invalid,
  invalidValue,
  STALE_OBJECT,
} from './api-error.ts';
import {
  equalJson,
  isList,
  isObject,
  type JsonObject,
  listAt,
  objectAt,
  textAt,
  valueAt,
  without,
} from './json.ts';
import {
  finishedObject,
  groupVersion,
  type KubernetesObject,
  type ManagedFieldsEntry,
  type ObjectDraft,
} from './kubernetes-object.ts';
import { type FieldManager, recordUpdate } from './managed-fields.ts';
import type { Admitted, ServedResource } from './served-resource.ts';

export type Subresource = '' | 'status' | 'scale';

export interface WriteContext {
  readonly manager: string;
  readonly subresource: Subresource;
  readonly fieldValidation: 'Strict' | 'Warn' | 'Ignore';
  readonly time: string;
}

export interface Prepared {
  readonly object: KubernetesObject;
  readonly warnings: readonly string[];
}

interface NewObject {
  readonly draft: ObjectDraft;
  readonly namespace: string;
  readonly uid: string;
  /** Set by an apply, which has worked out the ownership itself. */
  readonly entries: readonly ManagedFieldsEntry[] | undefined;
}

export const DEFINITION_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

export function prepareCreate(
  resource: ServedResource,
  made: NewObject,
  context: WriteContext,
): Prepared {
  checkKind(resource, made.draft);
  const { object: admitted, unknown } = resource.admit(
    resource.hasStatus ? without(made.draft, 'status') : made.draft,
  );
  const warnings = verdictOnUnknown(resource, unknown, context);
  const sent = objectAt(admitted, 'metadata');
  const metadata: JsonObject = {
    ...cleanMetadata(sent),
    name: nameOf(resource, sent, made.uid),
    ...(resource.isNamespaced ? { namespace: made.namespace } : {}),
    uid: made.uid,
    resourceVersion: '',
    creationTimestamp: context.time,
    ...(resource.hasGeneration ? { generation: 1 } : {}),
    ...(resource.kind === 'CustomResourceDefinition' ? { finalizers: [DEFINITION_FINALIZER] } : {}),
  };
  const type = resource.mergeType;
  const entries =
    made.entries ??
    recordUpdate(
      { before: {}, after: { ...admitted, metadata }, type },
      [],
      fieldManager(resource, context),
    );
  const status = resource.hasStatus ? resource.initialStatus(admitted, context.time) : undefined;
  const object = finishedObject({
    ...head(resource),
    ...withoutHead(admitted),
    metadata: { ...metadata, managedFields: entries },
    ...(status === undefined ? {} : { status }),
  });
  refuseInvalid(resource, object, resource.validate(object, undefined));
  return { object, warnings };
}

export interface ChangedObject {
  readonly current: KubernetesObject;
  readonly draft: ObjectDraft;
  readonly entries: readonly ManagedFieldsEntry[] | undefined;
  /** Whether the client sent the whole object, and not a patch or an apply. */
  readonly isReplacement: boolean;
}

/** Returns the current object itself when the write changes nothing. */
export function prepareUpdate(
  resource: ServedResource,
  changed: ChangedObject,
  context: WriteContext,
): Prepared {
  const { current } = changed;
  checkKind(resource, changed.draft);
  checkIdentity(resource, current, objectAt(changed.draft, 'metadata'));
  if (changed.isReplacement) checkVersioned(resource, changed.draft);
  const { object: admitted, unknown } = admitChange(resource, changed, context);
  const warnings = verdictOnUnknown(resource, unknown, context);
  const sent = objectAt(changed.draft, 'metadata');
  const metadata = updatedMetadata(
    current,
    context.subresource === 'status' ? current.metadata : sent,
  );
  const draft: JsonObject = { ...head(resource), ...withoutHead(admitted), metadata };
  const entries =
    changed.entries ??
    recordUpdate(
      { before: current, after: draft, type: resource.mergeType },
      entriesOf(sent, current),
      fieldManager(resource, context),
    );
  const isSame =
    equalJson(withoutBookkeeping(draft), withoutBookkeeping(current)) &&
    equalJson(entries.map(untimed), (current.metadata.managedFields ?? []).map(untimed));
  if (isSame) return { object: current, warnings };
  const generation = nextGeneration(resource, current, draft);
  const object = finishedObject({
    ...draft,
    metadata: {
      ...metadata,
      ...(generation === undefined ? {} : { generation }),
      managedFields: entries,
    },
  });
  refuseInvalid(resource, object, [
    ...finalizerIssues(current, object),
    ...resource.validate(object, current),
  ]);
  return { object, warnings };
}

function admitChange(
  resource: ServedResource,
  { current, draft }: ChangedObject,
  context: WriteContext,
): Admitted {
  if (context.subresource === 'status') {
    return resource.admit(withStatus(current, draft['status']));
  }
  return resource.admit(resource.hasStatus ? withStatus(draft, current['status']) : draft);
}

function withStatus(object: ObjectDraft, status: unknown): ObjectDraft {
  return status === undefined ? without(object, 'status') : { ...object, status };
}

/** Fields of the metadata that writers may set; the rest is the server's. */
function cleanMetadata(sent: JsonObject): JsonObject {
  const kept: JsonObject = {};
  for (const name of ['labels', 'annotations', 'finalizers', 'ownerReferences', 'generateName']) {
    const value = sent[name];
    if (isEmpty(value)) continue;
    kept[name] = value;
  }
  return kept;
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true;
  if (isList(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

function updatedMetadata(current: KubernetesObject, sent: JsonObject): JsonObject {
  const fixed: JsonObject = {};
  for (const name of [
    'name',
    'generateName',
    'namespace',
    'uid',
    'resourceVersion',
    'generation',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
  ]) {
    if (current.metadata[name] !== undefined) fixed[name] = current.metadata[name];
  }
  return { ...cleanMetadata(sent), ...fixed };
}

function nameOf(resource: ServedResource, sent: JsonObject, uid: string): string {
  const name = textAt(sent, 'name');
  const prefix = textAt(sent, 'generateName');
  const chosen = name === '' && prefix !== '' ? prefix + uid.replaceAll('-', '').slice(-5) : name;
  if (chosen === '') {
    const issue = {
      reason: 'FieldValueRequired',
      field: 'metadata.name',
      message: 'Required value: name or generateName is required',
    };
    throw invalid(resource, chosen, [issue]);
  }
  if (/^[a-z0-9]([a-z0-9.:-]*[a-z0-9])?$/.test(chosen) && chosen.length <= 253) return chosen;
  const why =
    'a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, ' +
    "'-' or '.', and must start and end with an alphanumeric character";
  throw invalid(resource, chosen, [invalidValue('metadata.name', chosen, why)]);
}

function checkKind(resource: ServedResource, draft: ObjectDraft): void {
  const expected = groupVersion(resource.group, resource.version);
  const sent = textAt(draft, 'apiVersion') || expected;
  const kind = textAt(draft, 'kind') || resource.kind;
  if (sent !== expected) {
    throw badRequest(
      `the API version in the data (${sent}) does not match the expected API version (${expected})`,
    );
  }
  if (kind === resource.kind) return;
  if (!resource.isCustom) {
    throw badRequest(
      `${kind} in version "${resource.version}" cannot be handled as a ${resource.kind}`,
    );
  }
  const issue = invalidValue('kind', kind, `must be ${resource.kind}`);
  throw invalid({ group: resource.group, kind }, textAt(draft, 'metadata', 'name'), [issue]);
}

function checkIdentity(
  resource: ServedResource,
  current: KubernetesObject,
  sent: JsonObject,
): void {
  const { name, uid, resourceVersion } = current.metadata;
  const sentName = textAt(sent, 'name') || name;
  if (sentName !== name) {
    throw badRequest(
      `the name of the object (${sentName}) does not match the name on the URL (${name})`,
    );
  }
  const sentUid = textAt(sent, 'uid');
  if (sentUid !== '' && sentUid !== uid) {
    const why = `Precondition failed: UID in precondition: ${sentUid}, UID in object meta: ${uid}`;
    throw conflict(resource, name, why);
  }
  const sentVersion = textAt(sent, 'resourceVersion');
  if (sentVersion !== '' && sentVersion !== resourceVersion) {
    throw conflict(resource, name, STALE_OBJECT);
  }
}

/** Some kinds are replaced only by those who say which version they have seen. */
function checkVersioned(resource: ServedResource, draft: ObjectDraft): void {
  if (resource.allowsBlindReplacement) return;
  if (textAt(draft, 'metadata', 'resourceVersion') !== '') return;
  const issue = invalidValue('metadata.resourceVersion', 0, 'must be specified for an update');
  const { group, plural } = resource;
  throw invalid({ group, kind: plural }, textAt(draft, 'metadata', 'name'), [issue]);
}

/** `[{}]` asks to forget all owners; leaving the list out keeps them. */
function entriesOf(sent: JsonObject, current: KubernetesObject): unknown {
  const given = listAt(sent, 'managedFields');
  return given.length === 0 ? current.metadata.managedFields : given;
}

function fieldManager(resource: ServedResource, context: WriteContext): FieldManager {
  return {
    name: context.manager,
    operation: 'Update',
    apiVersion: groupVersion(resource.group, resource.version),
    subresource: context.subresource,
    time: context.time,
  };
}

function nextGeneration(
  resource: ServedResource,
  current: KubernetesObject,
  draft: ObjectDraft,
): number | undefined {
  if (!resource.hasGeneration) return undefined;
  const ignored = resource.hasStatus ? ['metadata', 'status'] : ['metadata'];
  const isSame = equalJson(without(draft, ...ignored), without(current, ...ignored));
  return (current.metadata.generation ?? 1) + (isSame ? 0 : 1);
}

function finalizerIssues(current: KubernetesObject, next: KubernetesObject): FieldIssue[] {
  if (current.metadata.deletionTimestamp === undefined) return [];
  const known = new Set(current.metadata.finalizers);
  const added = (next.metadata.finalizers ?? []).filter((name) => !known.has(name));
  if (added.length === 0) return [];
  const why =
    'no new finalizers can be added if the object is being deleted, found new finalizers ';
  return [forbiddenValue('metadata.finalizers', `${why}${JSON.stringify(added)}`)];
}

function verdictOnUnknown(
  resource: ServedResource,
  unknown: readonly string[],
  context: WriteContext,
): string[] {
  if (unknown.length === 0 || context.fieldValidation === 'Ignore') return [];
  const messages = unknown.map((path) => `unknown field "${path}"`);
  if (context.fieldValidation === 'Warn') return messages;
  const { kind, version } = resource;
  throw badRequest(
    `${kind} in version "${version}" cannot be handled as a ${kind}: ` +
      `strict decoding error: ${messages.join(', ')}`,
  );
}

function refuseInvalid(
  resource: ServedResource,
  object: KubernetesObject,
  issues: readonly FieldIssue[],
): void {
  if (issues.length > 0) throw invalid(resource, object.metadata.name, issues);
}

function head(resource: ServedResource): JsonObject {
  return { apiVersion: groupVersion(resource.group, resource.version), kind: resource.kind };
}

function withoutHead(object: ObjectDraft): JsonObject {
  return without(object, 'apiVersion', 'kind', 'metadata');
}

function withoutBookkeeping(object: ObjectDraft): JsonObject {
  const metadata = without(objectAt(object, 'metadata'), 'managedFields');
  return { ...object, metadata };
}

function untimed(entry: ManagedFieldsEntry): unknown {
  return without(entry as unknown as JsonObject, 'time');
}

/** Whether a write leaves an object that waits for nothing but its finalizers to be removed. */
export function isReadyToGo(object: KubernetesObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata;
  return (
    deletionTimestamp !== undefined &&
    (deletionGracePeriodSeconds ?? 0) === 0 &&
    (finalizers ?? []).length === 0 &&
    !(object.kind === 'Namespace' && valueAt(object, 'spec', 'finalizers') !== undefined)
  );
}
