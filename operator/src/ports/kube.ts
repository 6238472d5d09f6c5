/**
 * What the operator needs of a Kubernetes API server. Objects are raw JSON; every failure is a KubeError, so that
 * callers decide by status and reason and never by a message.
 */
import type { KubeObject } from '../api/kube-object.ts';
import type { Resource } from '../api/resources.ts';

export interface ObjectName {
  readonly name: string;
  /** Left out for resources without namespaces. */
  readonly namespace?: string | undefined;
}

export interface ListOptions {
  /** Left out: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** The page size; the caller follows `continueToken`. */
  readonly limit?: number | undefined;
  readonly continueToken?: string | undefined;
}

export interface ObjectList<T extends KubeObject> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  readonly continueToken?: string | undefined;
}

export interface WatchOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly resourceVersion: string;
  /** The server ends the watch after this time. */
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
}

export type WatchEvent<T extends KubeObject> =
  | { readonly kind: 'added' | 'modified' | 'deleted'; readonly object: T }
  | { readonly kind: 'bookmark'; readonly resourceVersion: string };

/** An object as sent: what is not in it is not owned by the sender. */
export interface Intent {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

export interface ApplyOptions {
  readonly fieldManager: string;
  /** Take fields over from other managers. */
  readonly force: boolean;
}

export type Patch =
  | { readonly kind: 'merge'; readonly body: Readonly<Record<string, unknown>> }
  | { readonly kind: 'json'; readonly body: readonly JsonPatchOperation[] };

export interface JsonPatchOperation {
  readonly op: 'add' | 'remove' | 'replace' | 'test';
  readonly path: string;
  readonly value?: unknown;
}

export interface PatchOptions {
  readonly fieldManager: string;
  readonly subresource?: 'status' | undefined;
}

export interface Preconditions {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

export interface DeleteOptions {
  readonly preconditions?: Preconditions | undefined;
  /** `Orphan` keeps the dependents running. */
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan' | undefined;
  readonly gracePeriodSeconds?: number | undefined;
}

export interface Kube {
  /** Nothing, when there is no such object. */
  get<T extends KubeObject>(resource: Resource<T>, name: ObjectName): Promise<T | undefined>;
  list<T extends KubeObject>(resource: Resource<T>, options: ListOptions): Promise<ObjectList<T>>;
  /** Ends when the server ends it; throws a KubeError, of status 410 when `resourceVersion` is too old. */
  watch<T extends KubeObject>(
    resource: Resource<T>,
    options: WatchOptions,
  ): AsyncIterable<WatchEvent<T>>;
  /** Server-side apply: sends the whole intent of this field manager, and creates what is absent. */
  apply<T extends KubeObject>(
    resource: Resource<T>,
    intent: Intent,
    options: ApplyOptions,
  ): Promise<T>;
  applyStatus<T extends KubeObject>(
    resource: Resource<T>,
    intent: Intent,
    options: ApplyOptions,
  ): Promise<T>;
  /** Throws a KubeError of reason AlreadyExists when there is one. */
  create<T extends KubeObject>(resource: Resource<T>, intent: Intent): Promise<T>;
  /** Replaces the whole object; the resource version in it must be the present one. */
  update<T extends KubeObject>(resource: Resource<T>, object: T): Promise<T>;
  patch<T extends KubeObject>(
    resource: Resource<T>,
    name: ObjectName,
    change: { readonly patch: Patch; readonly options: PatchOptions },
  ): Promise<T>;
  /** Says whether there was an object. */
  delete(resource: Resource, name: ObjectName, options?: DeleteOptions): Promise<boolean>;
  /** By the Eviction API, so that disruption budgets count it; status 429 when a budget forbids it. */
  evict(
    pod: ObjectName,
    options: Pick<DeleteOptions, 'preconditions' | 'gracePeriodSeconds'>,
  ): Promise<boolean>;
  /** Sets `replicas` through the scale subresource. */
  scale(resource: Resource, name: ObjectName, replicas: number): Promise<void>;
}

export interface KubeErrorDetails {
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** The `reason` of the Status object, such as `Conflict`; `Unreachable` when there was no answer. */
  readonly reason: string;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
  /** What the server said about single fields. */
  readonly causes?: readonly { readonly field: string; readonly message: string }[] | undefined;
  readonly cause?: unknown;
}

export class KubeError extends Error {
  readonly status: number;
  readonly reason: string;
  readonly retryAfterMs: number | undefined;
  readonly causes: readonly { readonly field: string; readonly message: string }[];

  constructor(details: KubeErrorDetails) {
    super(details.message, { cause: details.cause });
    this.name = 'KubeError';
    this.status = details.status;
    this.reason = details.reason;
    this.retryAfterMs = details.retryAfterMs;
    this.causes = details.causes ?? [];
  }
}
