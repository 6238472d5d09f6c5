/** Objects as the last watch event told them: possibly old, never half. Controllers decide on these. */
import type { KubeObject } from '../api/kube-object.ts';
import type { ObjectName } from './kube.ts';

export interface ObjectChange<T extends KubeObject> {
  readonly kind: 'added' | 'modified' | 'deleted';
  readonly object: T;
  /** What was known before; absent for `added`. */
  readonly old?: T;
}

export type ObjectListener<T extends KubeObject> = (change: ObjectChange<T>) => void;

export interface ObjectCache<T extends KubeObject> {
  /** False until the first list is complete: nothing may be concluded from absence before. */
  hasSynced(): boolean;
  get(name: ObjectName): T | undefined;
  list(namespace?: string): readonly T[];
  /** Objects that the index named so at the making of the cache files under `value`. */
  byIndex(index: string, value: string): readonly T[];
  /** Takes in the answer to a write, so that the writer reads its own write before the watch has brought it. */
  offer(object: T): void;
  /** The listener hears of every change from now on; the answer ends that. */
  subscribe(listener: ObjectListener<T>): () => void;
}
