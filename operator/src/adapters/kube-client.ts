/**
 * The Kubernetes port over HTTP: raw JSON in and out, server-side apply, Status objects as KubeErrors. It retries
 * nothing: the work queue knows better when. After 429 the whole client waits as long as the server asks.
 */
import type { KubeObject } from '../api/kube-object.ts';
import { groupVersion, RESOURCES, type Resource } from '../api/resources.ts';
import {
  type ApplyOptions,
  type DeleteOptions,
  type Intent,
  type Kube,
  KubeError,
  type ListOptions,
  type ObjectList,
  type ObjectName,
  type Patch,
  type PatchOptions,
  type WatchEvent,
  type WatchOptions,
} from '../ports/kube.ts';
import { errorFromStatus, readError, unreachable } from './kube-errors.ts';
import type { KubeTransport, TransportRequest, TransportResponse } from './kube-transport.ts';
import type { RequestLimiter } from './request-limiter.ts';

export interface KubeClientOptions {
  readonly transport: KubeTransport;
  readonly limiter: RequestLimiter;
  /** Asked before each write: false once this process may have lost its leadership. */
  readonly mayWrite?: () => boolean;
}

const REQUEST_TIMEOUT_MS = 30_000;
/** A server sends a bookmark about once a minute: after more than two lost ones the connection is dead. */
const WATCH_IDLE_TIMEOUT_MS = 150_000;
const JSON_TYPE = 'application/json';

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export class KubeClient implements Kube {
  readonly #options: KubeClientOptions;

  constructor(options: KubeClientOptions) {
    this.#options = options;
  }

  async get<T extends KubeObject>(resource: Resource<T>, name: ObjectName): Promise<T | undefined> {
    return absentWhenNotFound(this.#call<T>({ method: 'GET', path: objectPath(resource, name) }));
  }

  async list<T extends KubeObject>(
    resource: Resource<T>,
    options: ListOptions,
  ): Promise<ObjectList<T>> {
    const query = { ...selectors(options), limit: options.limit, continue: options.continueToken };
    const path = collectionPath(resource, options.namespace) + render(query);
    const answer = await this.#call<{
      readonly items: readonly T[] | null;
      readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
    }>({ method: 'GET', path });
    const { resourceVersion, continue: continueToken } = answer.metadata;
    return {
      // Items of a list carry neither: the list says it once.
      items: (answer.items ?? []).map((item) => ({
        ...item,
        apiVersion: groupVersion(resource),
        kind: resource.kind,
      })),
      resourceVersion,
      ...(continueToken === undefined || continueToken === '' ? {} : { continueToken }),
    };
  }

  async *watch<T extends KubeObject>(
    resource: Resource<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>> {
    const { resourceVersion, timeoutSeconds, signal } = options;
    const watch = { watch: true, allowWatchBookmarks: true, resourceVersion, timeoutSeconds };
    const path = collectionPath(resource, options.namespace);
    const response = await this.#send({
      method: 'GET',
      path: path + render({ ...selectors(options), ...watch }),
      idleTimeoutMs: WATCH_IDLE_TIMEOUT_MS,
      signal,
    });
    try {
      for await (const line of linesOf(response.chunks())) yield parseWatchLine<T>(line);
    } catch (error) {
      if (error instanceof KubeError || signal.aborted) throw error;
      throw unreachable('the watch broke off', error);
    }
  }

  async apply<T extends KubeObject>(
    resource: Resource<T>,
    intent: Intent,
    options: ApplyOptions,
  ): Promise<T> {
    return this.#apply(objectPath(resource, intent.metadata), intent, options);
  }

  async applyStatus<T extends KubeObject>(
    resource: Resource<T>,
    intent: Intent,
    options: ApplyOptions,
  ): Promise<T> {
    return this.#apply(`${objectPath(resource, intent.metadata)}/status`, intent, options);
  }

  async create<T extends KubeObject>(resource: Resource<T>, intent: Intent): Promise<T> {
    const path = collectionPath(resource, intent.metadata.namespace);
    return this.#write({ method: 'POST', path, contentType: JSON_TYPE, body: intent });
  }

  async update<T extends KubeObject>(resource: Resource<T>, object: T): Promise<T> {
    const path = objectPath(resource, object.metadata);
    return this.#write({ method: 'PUT', path, contentType: JSON_TYPE, body: object });
  }

  async patch<T extends KubeObject>(
    resource: Resource<T>,
    name: ObjectName,
    change: { readonly patch: Patch; readonly options: PatchOptions },
  ): Promise<T> {
    const { patch, options } = change;
    const below = options.subresource === undefined ? '' : `/${options.subresource}`;
    return this.#write({
      method: 'PATCH',
      path: objectPath(resource, name) + below + render({ fieldManager: options.fieldManager }),
      contentType:
        patch.kind === 'merge' ? 'application/merge-patch+json' : 'application/json-patch+json',
      body: patch.body,
    });
  }

  async delete(
    resource: Resource,
    name: ObjectName,
    options: DeleteOptions = {},
  ): Promise<boolean> {
    const path = objectPath(resource, name);
    const body = renderDeleteOptions(options);
    const done = this.#write({ method: 'DELETE', path, contentType: JSON_TYPE, body });
    return (await absentWhenNotFound(done)) !== undefined;
  }

  async evict(
    pod: ObjectName,
    options: Pick<DeleteOptions, 'preconditions' | 'gracePeriodSeconds'>,
  ): Promise<boolean> {
    const body = {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: pod,
      deleteOptions: renderDeleteOptions(options),
    };
    const path = `${objectPath(RESOURCES.pods, pod)}/eviction`;
    const done = this.#write({ method: 'POST', path, contentType: JSON_TYPE, body });
    return (await absentWhenNotFound(done)) !== undefined;
  }

  async scale(resource: Resource, name: ObjectName, replicas: number): Promise<void> {
    await this.#write({
      method: 'PATCH',
      path: `${objectPath(resource, name)}/scale`,
      contentType: 'application/merge-patch+json',
      body: { spec: { replicas } },
    });
  }

  async #apply<T>(path: string, intent: Intent, options: ApplyOptions): Promise<T> {
    const { fieldManager, force } = options;
    return this.#write({
      method: 'PATCH',
      path: path + render({ fieldManager, force }),
      contentType: 'application/apply-patch+yaml',
      body: intent,
    });
  }

  async #write<T>(call: {
    readonly method: TransportRequest['method'];
    readonly path: string;
    readonly contentType: string;
    readonly body: unknown;
  }): Promise<T> {
    return this.#call({ ...call, body: JSON.stringify(call.body) });
  }

  async #call<T>(call: Omit<TransportRequest, 'idleTimeoutMs'>): Promise<T> {
    const response = await this.#send({ ...call, idleTimeoutMs: REQUEST_TIMEOUT_MS });
    try {
      return JSON.parse(await response.text()) as T;
    } catch (error) {
      throw unreachable('the answer of the API server broke off', error);
    }
  }

  async #send(request: TransportRequest): Promise<TransportResponse> {
    const { transport, limiter } = this.#options;
    await limiter.take(request.signal);
    this.#refuseWhenNotLeading(request);
    let response: TransportResponse;
    try {
      response = await transport.send(request);
    } catch (error) {
      if (request.signal?.aborted === true) throw error;
      throw unreachable('the API server does not answer', error);
    }
    if (response.status < 300) return response;
    const failure = await readError(response);
    // A disruption budget answers an eviction with 429 too; that concerns one pod, not the client.
    if (failure.status === 429 && !request.path.endsWith('/eviction')) {
      limiter.pauseFor(failure.retryAfterMs ?? 1000);
    }
    throw failure;
  }

  /** After the wait, as the wait may have been long: this is the fence against a second operator. */
  #refuseWhenNotLeading({ method }: TransportRequest): void {
    if (method === 'GET' || this.#options.mayWrite?.() !== false) return;
    throw new KubeError({
      status: 0,
      reason: 'NotLeading',
      message: 'this operator may no longer be the leader, so it writes nothing',
    });
  }
}

async function absentWhenNotFound<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    // Absence is an answer, not a failure.
    if (error instanceof KubeError && error.status === 404) return undefined;
    throw error;
  }
}

function renderDeleteOptions(options: DeleteOptions): Readonly<Record<string, unknown>> {
  const { preconditions, propagation, gracePeriodSeconds } = options;
  return {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    preconditions,
    propagationPolicy: propagation,
    gracePeriodSeconds,
  };
}

function collectionPath(resource: Resource, namespace: string | undefined): string {
  const root =
    resource.group === ''
      ? `/api/${resource.version}`
      : `/apis/${resource.group}/${resource.version}`;
  const scope = resource.namespaced && namespace !== undefined ? `/namespaces/${namespace}` : '';
  return `${root}${scope}/${resource.plural}`;
}

function objectPath(resource: Resource, name: ObjectName): string {
  return `${collectionPath(resource, name.namespace)}/${name.name}`;
}

function selectors(options: Pick<ListOptions, 'labelSelector' | 'fieldSelector'>): Query {
  return { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector };
}

function render(query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  if (given.length === 0) return '';
  const pairs = given.map(([name, value]): [string, string] => [name, String(value)]);
  return `?${new URLSearchParams(pairs).toString()}`;
}

async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines.filter((line) => line !== '');
  }
  if (rest.trim() !== '') throw new Error('the stream ended in the middle of an event');
}

interface WireEvent<T> {
  readonly type: string;
  readonly object: T;
}

function parseWatchLine<T extends KubeObject>(line: string): WatchEvent<T> {
  const { type, object } = JSON.parse(line) as WireEvent<T>;
  switch (type) {
    case 'ADDED':
      return { kind: 'added', object };
    case 'MODIFIED':
      return { kind: 'modified', object };
    case 'DELETED':
      return { kind: 'deleted', object };
    case 'BOOKMARK':
      return { kind: 'bookmark', resourceVersion: object.metadata.resourceVersion ?? '' };
    default:
      throw errorFromStatus(object, 500);
  }
}
