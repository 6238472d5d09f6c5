/** One resource as it is served in one version: its names, and what the store must know of it. */
import type { FieldIssue } from './api-error.ts';
import type { Schema } from './crd-schema.ts';
import type { KubernetesObject, ObjectDraft } from './kubernetes-object.ts';
import type { MergeType } from './merge-types.ts';

export interface ScalePaths {
  readonly specReplicas: readonly string[];
  readonly statusReplicas: readonly string[];
  /** Returns the selector in its text form. */
  readonly selectorOf: (object: KubernetesObject) => string;
}

export interface TableColumn {
  readonly name: string;
  readonly type: string;
  readonly format?: string;
  readonly description: string;
  /** 0 is always shown, anything above only with `-o wide`. */
  readonly priority: number;
  readonly cellOf: (object: KubernetesObject, nowMs: number) => unknown;
}

export interface Admitted {
  readonly object: ObjectDraft;
  /** Paths of fields that were dropped because no schema knows them. */
  readonly unknown: readonly string[];
}

export interface ServedResource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly listKind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly isNamespaced: boolean;
  /** Versions of a resource, and the two forms of an event, share one place in the store. */
  readonly storageId: string;
  readonly hasStatus: boolean;
  readonly hasGeneration: boolean;
  readonly scale: ScalePaths | undefined;
  readonly mergeType: MergeType;
  readonly isCustom: boolean;
  /** Whether a PUT without a resource version overwrites whatever is there. */
  readonly allowsBlindReplacement: boolean;
  readonly selectableFields: readonly string[];
  readonly columns: readonly TableColumn[];
  readonly schema: Schema | undefined;
  toServed(stored: KubernetesObject): KubernetesObject;
  toStored(served: ObjectDraft): ObjectDraft;
  /** Prunes and fills in defaults. */
  admit(draft: ObjectDraft): Admitted;
  validate(object: KubernetesObject, old: KubernetesObject | undefined): readonly FieldIssue[];
  /** The status of an object that has just been made. */
  initialStatus(object: ObjectDraft, time: string): ObjectDraft | undefined;
}

export function storageId(group: string, plural: string): string {
  return `${group}/${plural}`;
}
