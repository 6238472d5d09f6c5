/** The shape that every stored object has, whatever its kind. */
import { isObject, type JsonObject, textAt } from './json.ts';

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface ManagedFieldsEntry {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly time?: string;
  readonly fieldsType: 'FieldsV1';
  readonly fieldsV1: JsonObject;
  readonly subresource?: string;
}

export interface ObjectMeta {
  readonly [field: string]: unknown;
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
  readonly managedFields?: readonly ManagedFieldsEntry[];
}

export interface KubernetesObject {
  readonly [field: string]: unknown;
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** An object on its way in: identity and bookkeeping fields may still be missing. */
export type ObjectDraft = JsonObject;

/** The key of an object among those of its kind; cluster-wide objects have an empty namespace. */
export function objectKey(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

export function keyOf(object: KubernetesObject): string {
  return objectKey(object.metadata.namespace ?? '', object.metadata.name);
}

/** Turns a draft that has all bookkeeping fields into an object; the caller has filled them in. */
export function finishedObject(draft: ObjectDraft): KubernetesObject {
  const metadata = draft['metadata'];
  if (!isObject(metadata) || textAt(metadata, 'name') === '' || textAt(metadata, 'uid') === '') {
    throw new Error('a stored object needs metadata.name and metadata.uid');
  }
  return draft as unknown as KubernetesObject;
}

export function groupVersion(group: string, version: string): string {
  return group === '' ? version : `${group}/${version}`;
}
