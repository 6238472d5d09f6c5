/** The two forms of an event: core v1, in which it is kept, and events.k8s.io/v1. */
import { type JsonObject, objectAt, textAt, valueAt, without } from './json.ts';
import type { KubernetesObject, ObjectDraft } from './kubernetes-object.ts';

const CORE_TO_NEW: readonly (readonly [string, string])[] = [
  ['message', 'note'],
  ['involvedObject', 'regarding'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
];

export function toNewEvent(core: KubernetesObject): KubernetesObject {
  const renamed = rename(core, CORE_TO_NEW);
  return { ...renamed, apiVersion: 'events.k8s.io/v1' } as KubernetesObject;
}

export function toCoreEvent(event: ObjectDraft): ObjectDraft {
  const back = CORE_TO_NEW.map(([core, renamed]) => [renamed, core] as const);
  return { ...rename(event, back), apiVersion: 'v1' };
}

function rename(object: JsonObject, names: readonly (readonly [string, string])[]): JsonObject {
  const renamed = without(object, ...names.map(([from]) => from));
  for (const [from, to] of names) {
    if (object[from] !== undefined) renamed[to] = object[from];
  }
  return renamed;
}

/** When the event was last seen: of its series, else its own time, in any of the two styles. */
export function lastSeenAt(core: KubernetesObject): string {
  return (
    textAt(objectAt(core, 'series'), 'lastObservedTime') ||
    textAt(core, 'lastTimestamp') ||
    textAt(core, 'eventTime') ||
    core.metadata.creationTimestamp
  );
}

export function eventCount(core: KubernetesObject): number {
  const count = valueAt(core, 'series', 'count') ?? core['count'];
  return typeof count === 'number' ? count : 1;
}
