/**
 * Does an object have to be applied again?
 *
 * Applying always would be correct, but not quiet: an idle cluster gets no writes at all. So the intent is compared
 * with what was found. The server adds fields of its own, so every field of the intent must be in the object, not the
 * other way round; what the intent no longer has is noticed by the hash of the last intent, kept as an annotation.
 */
import { hashJson } from '@tonearm/runtime/config';
import type { KubeObject } from '../../api/kube-object.ts';
import { parseBytes } from '../../api/quantity.ts';
import { toJson } from '../config-draft.ts';
import { MEMORY } from '../resources/names.ts';
import type { Intent } from '../verdict.ts';

/** The intent with the annotation that `needsApply` compares later. */
export function withMemory(intent: Intent): Intent {
  const annotations = intent.metadata['annotations'] as Record<string, string> | undefined;
  return {
    ...intent,
    metadata: {
      ...intent.metadata,
      annotations: { ...annotations, [MEMORY.intent]: hashIntent(intent) },
    },
  };
}

export function needsApply(intent: Intent, found: KubeObject | undefined): boolean {
  if (found === undefined) return true;
  if (found.metadata.annotations?.[MEMORY.intent] !== hashIntent(intent)) return true;
  const { metadata, ...rest } = withoutLock(intent);
  return !(containsMetadata(found, metadata) && contains(found, rest));
}

/** Others add owners and finalizers of their own; ours have to be among them. */
function containsMetadata(found: KubeObject, wanted: Intent['metadata']): boolean {
  const { ownerReferences = [], finalizers = [], ...rest } = wanted;
  const isAmong = (list: unknown, one: unknown): boolean =>
    Array.isArray(list) && list.some((other) => contains(other, one));
  return (
    (ownerReferences as readonly unknown[]).every((owner) =>
      isAmong(found.metadata.ownerReferences, owner),
    ) &&
    (finalizers as readonly unknown[]).every((name) => isAmong(found.metadata.finalizers, name)) &&
    contains(found.metadata, rest)
  );
}

/** Short, since it is only compared; without the number and the version that were taken from the object itself. */
function hashIntent(intent: Intent): string {
  const spec = (intent['spec'] ?? {}) as Readonly<Record<string, unknown>>;
  const own = intent.kind === 'ReplicaSet' ? without(spec, 'replicas') : spec;
  return hashJson(toJson({ ...withoutLock(intent), spec: own })).slice(0, 16);
}

function withoutLock(intent: Intent): Intent {
  const metadata = without(intent.metadata, 'resourceVersion');
  return { ...intent, metadata: metadata as Intent['metadata'] };
}

function without(
  fields: Readonly<Record<string, unknown>>,
  left: string,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => name !== left));
}

/** Is everything that is wanted also there? Lists must have the same length: an extra port is a difference. */
function contains(found: unknown, wanted: unknown): boolean {
  if (wanted === undefined) return true;
  // The server drops empty texts.
  if (wanted === '' && found === undefined) return true;
  if (Array.isArray(wanted)) return containsList(found, wanted);
  if (isRecord(wanted)) {
    if (!isRecord(found)) return Object.keys(wanted).length === 0;
    return Object.entries(wanted).every(([key, value]) => contains(found[key], value));
  }
  return found === wanted || sameQuantity(found, wanted);
}

function containsList(found: unknown, wanted: readonly unknown[]): boolean {
  if (!Array.isArray(found)) return wanted.length === 0;
  if (found.length !== wanted.length) return false;
  return wanted.every((value, i) => contains(found[i], value));
}

/** The server writes quantities in its own way: `1024Mi` comes back as `1Gi`, `1000m` as `1`. */
function sameQuantity(found: unknown, wanted: unknown): boolean {
  const a = quantity(found);
  const b = quantity(wanted);
  return a !== undefined && a === b;
}

function quantity(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return undefined;
  if (/^\d+m$/.test(value)) return Number(value.slice(0, -1)) / 1000;
  const bytes = parseBytes(value);
  return Number.isNaN(bytes) ? undefined : bytes;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
