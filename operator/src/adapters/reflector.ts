/**
 * Keeps a store equal to what the API server has: list once, then watch from there, for ever.
 *
 * A watch that ends or breaks is resumed from the last version that was seen. Only when the server no longer has that
 * version (410) everything is listed again, and the store tells what was deleted meanwhile. No error ends it.
 */
import type { Clock, Logger, Random } from '@tonearm/runtime/foundation';
import type { KubeObject } from '../api/kube-object.ts';
import type { Resource } from '../api/resources.ts';
import { type Kube, KubeError, type WatchEvent } from '../ports/kube.ts';
import type { ObjectStore } from './store.ts';

export interface ReflectorOptions<T extends KubeObject> {
  readonly kube: Kube;
  readonly resource: Resource<T>;
  readonly store: ObjectStore<T>;
  readonly scope: {
    readonly namespace?: string | undefined;
    readonly labelSelector?: string | undefined;
    readonly fieldSelector?: string | undefined;
  };
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const PAGE_SIZE = 500;
/** Random, so that the watches of many operators do not all come back in the same second. */
const WATCH_SECONDS_MIN = 300;
const WATCH_SECONDS_MAX = 600;
const BACKOFF_MS_MIN = 800;
const BACKOFF_MS_MAX = 30_000;
/** A watch of this length ends a series of failures. */
const HEALTHY_WATCH_MS = 120_000;
/** A server that ends watches sooner than this is not asked again at once. */
const SHORT_WATCH_MS = 1000;

export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  /** Where to resume; nothing: list. */
  #version: string | undefined;
  #backoffMs = BACKOFF_MS_MIN;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs();
      const failure = await this.#round(signal);
      const lastedMs = clock.monotonicMs() - startedMs;
      if (lastedMs >= HEALTHY_WATCH_MS) this.#backoffMs = BACKOFF_MS_MIN;
      if (failure !== undefined || lastedMs < SHORT_WATCH_MS) await this.#pause(failure, signal);
    }
  }

  /** One watch, with a list before it where there is nothing to resume from. */
  async #round(signal: AbortSignal): Promise<KubeError | undefined> {
    try {
      this.#version ??= await this.#list();
      await this.#watch(this.#version, signal);
      return undefined;
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!(error instanceof KubeError)) throw error;
      const { resource, logger } = this.#options;
      const { status, reason, message } = error;
      if (status === 410) this.#version = undefined;
      logger.warn({ resource: resource.plural, status, reason, error: message }, 'watch failed');
      return error;
    }
  }

  async #list(): Promise<string> {
    const { kube, resource, scope, store } = this.#options;
    const objects: T[] = [];
    let continueToken: string | undefined;
    for (;;) {
      const page = await kube.list(resource, { ...scope, limit: PAGE_SIZE, continueToken });
      objects.push(...page.items);
      continueToken = page.continueToken;
      if (continueToken === undefined) {
        store.replace(objects, page.resourceVersion);
        return page.resourceVersion;
      }
    }
  }

  async #watch(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const { kube, resource, scope, random } = this.#options;
    const span = WATCH_SECONDS_MAX - WATCH_SECONDS_MIN;
    const timeoutSeconds = Math.round(WATCH_SECONDS_MIN + random.fraction() * span);
    const options = { ...scope, resourceVersion, timeoutSeconds, signal };
    for await (const event of kube.watch(resource, options)) this.#take(event);
  }

  #take(event: WatchEvent<T>): void {
    const { store } = this.#options;
    if (event.kind === 'deleted') store.remove(event.object);
    else if (event.kind !== 'bookmark') store.upsert(event.object);
    const version =
      event.kind === 'bookmark' ? event.resourceVersion : event.object.metadata.resourceVersion;
    store.advance(version);
    this.#version = version ?? this.#version;
  }

  async #pause(failure: KubeError | undefined, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    const jittered = this.#backoffMs * (0.5 + random.fraction());
    this.#backoffMs = Math.min(BACKOFF_MS_MAX, this.#backoffMs * 2);
    try {
      await clock.sleep(Math.max(jittered, failure?.retryAfterMs ?? 0), signal);
    } catch {
      // Only the signal interrupts a sleep, and the loop looks at it next.
    }
  }
}
