/** What can be asked of the object store, and what it answers. */
import type { KubernetesObject } from './kubernetes-object.ts';
import type { SelectorTexts } from './selectors.ts';
import type { ServedResource } from './served-resource.ts';
import type { Subresource } from './write-rules.ts';

export interface StoreSnapshot {
  readonly resourceVersion: number;
  readonly objects: readonly { readonly storageId: string; readonly object: KubernetesObject }[];
}

export interface ObjectTarget {
  /** Empty for cluster-wide resources. */
  readonly namespace: string;
  readonly name: string;
}

export interface WriteOptions {
  readonly manager?: string;
  readonly subresource?: Subresource;
  readonly fieldValidation?: 'Strict' | 'Warn' | 'Ignore';
  readonly dryRun?: boolean;
}

export interface WriteResult {
  readonly object: KubernetesObject;
  readonly isCreated: boolean;
  readonly warnings: readonly string[];
}

export type PatchFormat = 'json' | 'merge' | 'strategic';

export interface ListOptions extends Partial<SelectorTexts> {
  readonly namespace?: string;
  readonly limit?: number;
  /** The key after which the list goes on, as the page before it told. */
  readonly after?: string;
}

export interface ObjectList {
  readonly items: readonly KubernetesObject[];
  readonly resourceVersion: string;
  readonly next: string | undefined;
  readonly remainingCount: number;
}

export interface ApplyOptions extends WriteOptions {
  readonly manager: string;
  /** Takes contested fields from their owners instead of refusing. */
  readonly force?: boolean;
}

export function targetOf(object: KubernetesObject): ObjectTarget {
  return { namespace: object.metadata.namespace ?? '', name: object.metadata.name };
}

export function fieldsOf(resource: ServedResource): readonly string[] {
  return ['metadata.name', 'metadata.namespace', ...resource.selectableFields];
}
