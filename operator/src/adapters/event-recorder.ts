/**
 * Events of events.k8s.io/v1. The first of its kind is written at once; repetitions are counted and the count is
 * written now and then, so that a loop that fails each second is one object, not thousands.
 */
import type { Clock, Logger, Random } from '@tonearm/runtime/foundation';
import type { ObjectReference } from '../api/kube-object.ts';
import { FIELD_MANAGERS } from '../api/names.ts';
import { RESOURCES } from '../api/resources.ts';
import type { EventRecorder, RecordedEvent } from '../ports/events.ts';
import { type Kube, KubeError } from '../ports/kube.ts';
import { microTime } from './leader-elector.ts';

export interface KubeEventRecorderOptions {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The pod of the operator. */
  readonly instance: string;
}

interface Series {
  readonly event: RecordedEvent;
  /** Set once the event has been written. */
  name: string | undefined;
  count: number;
  writtenCount: number;
  seenAtMs: number;
  writtenAtMs: number;
}

const CONTROLLER = 'tonearm.dev/operator';
/** Afterwards the same event is told anew. As long as in other Kubernetes components. */
const SERIES_QUIET_MS = 360_000;
const SERIES_WRITE_MS = 30_000;
/** Different notes of one object and reason; what comes beyond is only counted. */
const NOTES_MAX = 10;
const SERIES_MAX = 1000;
const NOTE_LENGTH_MAX = 1024;

export class KubeEventRecorder implements EventRecorder {
  readonly #options: KubeEventRecorderOptions;
  readonly #series = new Map<string, Series>();
  #wake: AbortController | undefined;

  constructor(options: KubeEventRecorderOptions) {
    this.#options = options;
  }

  record(event: RecordedEvent): void {
    const nowMs = this.#options.clock.monotonicMs();
    const known = this.#find(event);
    if (known === undefined) {
      if (this.#series.size >= SERIES_MAX) return;
      const written = { name: undefined, writtenCount: 0, writtenAtMs: nowMs };
      this.#series.set(keyOf(event), { event, count: 1, seenAtMs: nowMs, ...written });
    } else {
      known.count += 1;
      known.seenAtMs = nowMs;
    }
    this.#wake?.abort(new Error('woken'));
  }

  /** Writes what was recorded, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const [key, series] of [...this.#series]) await this.#write(key, series);
      if (this.#hasNew()) continue;
      this.#wake = new AbortController();
      try {
        const woken = AbortSignal.any([signal, this.#wake.signal]);
        await this.#options.clock.sleep(SERIES_WRITE_MS, woken);
      } catch {
        // Woken or stopped; the loop looks which.
      }
      this.#wake = undefined;
    }
  }

  #hasNew(): boolean {
    return [...this.#series.values()].some((series) => series.writtenCount === 0);
  }

  #find(event: RecordedEvent): Series | undefined {
    const known = this.#series.get(keyOf(event));
    if (known !== undefined) return known;
    const similar = [...this.#series.values()].filter((other) => isSimilar(other.event, event));
    return similar.length < NOTES_MAX ? undefined : similar.at(-1);
  }

  async #write(key: string, series: Series): Promise<void> {
    const { clock, logger } = this.#options;
    const nowMs = clock.monotonicMs();
    const isNew = series.writtenCount === 0;
    const isCounted = series.count > series.writtenCount;
    if (!isCounted && nowMs - series.seenAtMs >= SERIES_QUIET_MS) this.#series.delete(key);
    if (!isCounted || (!isNew && nowMs - series.writtenAtMs < SERIES_WRITE_MS)) return;
    const { count } = series;
    series.writtenAtMs = nowMs;
    series.writtenCount = count;
    try {
      if (series.name === undefined) await this.#create(series);
      else await this.#count(series, series.name);
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      // An event that is gone (they live for an hour) or was refused is told anew when it comes again.
      this.#series.delete(key);
      const { status, reason, message } = error;
      logger.debug({ status, reason, error: message, event: series.event.reason }, 'event lost');
    }
  }

  async #create(series: Series): Promise<void> {
    const { kube, clock, random, instance } = this.#options;
    const { regarding, type, reason, action, note } = series.event;
    const name = `${regarding.name}.${random.uuid().replaceAll('-', '').slice(0, 16)}`;
    await kube.create(RESOURCES.events, {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name, namespace: namespaceOf(regarding) },
      eventTime: microTime(clock.wallTime()),
      reportingController: CONTROLLER,
      reportingInstance: instance,
      regarding,
      type,
      reason,
      action,
      note: note.slice(0, NOTE_LENGTH_MAX),
    });
    series.name = name;
  }

  async #count(series: Series, name: string): Promise<void> {
    const { kube, clock } = this.#options;
    const lastObservedTime = microTime(clock.wallTime());
    await kube.patch(
      RESOURCES.events,
      { namespace: namespaceOf(series.event.regarding), name },
      {
        patch: { kind: 'merge', body: { series: { count: series.count, lastObservedTime } } },
        options: { fieldManager: FIELD_MANAGERS.status },
      },
    );
  }
}

function keyOf({ regarding, type, reason, action, note }: RecordedEvent): string {
  const { kind, namespace, name, uid } = regarding;
  return JSON.stringify([kind, namespace, name, uid, type, reason, action, note]);
}

function isSimilar(one: RecordedEvent, other: RecordedEvent): boolean {
  return keyOf({ ...one, action: '', note: '' }) === keyOf({ ...other, action: '', note: '' });
}

/** Events about objects without a namespace live in `default`. */
function namespaceOf(regarding: ObjectReference): string {
  return regarding.namespace ?? 'default';
}
