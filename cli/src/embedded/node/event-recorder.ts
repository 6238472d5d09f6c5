/** Writes events; the same event again raises its count, so that a crash loop does not fill the API. */
import { createHash } from 'node:crypto';
import type { Clock } from '@tonearm/runtime/foundation';
import { EVENTS, type NodeApi } from './node-api.ts';
import type { NodeObject } from './objects.ts';

export interface NodeEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** As long as an API server keeps events by default. */
const EVENT_LIFE_MS = 3_600_000;

interface StoredEvent extends NodeObject {
  readonly count?: number;
  readonly lastTimestamp?: string;
  readonly source?: { readonly component?: string };
}

export class EventRecorder {
  readonly #api: NodeApi;
  readonly #clock: Clock;
  readonly #component: string;

  constructor(api: NodeApi, clock: Clock, component: string) {
    this.#api = api;
    this.#clock = clock;
    this.#component = component;
  }

  record(object: NodeObject, event: NodeEvent): void {
    const now = this.#clock
      .wallTime()
      .toISOString()
      .replace(/\.\d+Z$/, 'Z');
    const { namespace, name, uid } = object.metadata;
    const key = createHash('sha256').update([uid, event.reason, event.message].join('\n'));
    const eventName = { namespace, name: `${name}.${key.digest('hex').slice(0, 16)}` };
    const known: StoredEvent | undefined = this.#api.get(EVENTS, eventName);
    if (known !== undefined) {
      const body = { count: (known.count ?? 1) + 1, lastTimestamp: now };
      this.#api.patch(EVENTS, eventName, { body });
      return;
    }
    this.#removeOld();
    this.#api.create(EVENTS, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: eventName,
      involvedObject: {
        apiVersion: object.apiVersion,
        kind: object.kind,
        namespace,
        name,
        uid,
        resourceVersion: object.metadata.resourceVersion,
      },
      ...event,
      source: { component: this.#component },
      reportingComponent: this.#component,
      reportingInstance: '',
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    });
  }

  /** Only with a new event: an idle cluster writes nothing. */
  #removeOld(): void {
    const nowMs = this.#clock.wallTime().getTime();
    for (const event of this.#api.list(EVENTS) as readonly StoredEvent[]) {
      if (event.source?.component !== this.#component) continue;
      const last = event.lastTimestamp ?? event.metadata.creationTimestamp;
      if (nowMs - Date.parse(last) > EVENT_LIFE_MS) this.#api.delete(EVENTS, event);
    }
  }
}
