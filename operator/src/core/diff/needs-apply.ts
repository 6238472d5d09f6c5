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

/**
 * Lists whose entries the server keeps apart by these fields, or, where there are none, by themselves. Entries that
 * somebody else has added stay there whatever is applied, so they are no difference.
 */
const SHARED_LISTS: Readonly<Record<string, readonly string[]>> = {
  containers: ['name'],
  initContainers: ['name'],
  volumes: ['name'],
  env: ['name'],
  imagePullSecrets: ['name'],
  volumeMounts: ['mountPath'],
  ports: ['containerPort', 'port', 'protocol'],
  roles: [],
};

/** Is everything that is wanted also there? Lists that belong to one writer must have the same length. */
function contains(found: unknown, wanted: unknown, field = ''): boolean {
  if (wanted === undefined) return true;
  // The server drops empty texts.
  if (wanted === '' && found === undefined) return true;
  if (Array.isArray(wanted)) {
    const keys = SHARED_LISTS[field];
    return keys === undefined ? containsList(found, wanted) : containsEntries(found, wanted, keys);
  }
  if (isRecord(wanted)) {
    if (!isRecord(found)) return Object.keys(wanted).length === 0;
    return Object.entries(wanted).every(([key, value]) => contains(found[key], value, key));
  }
  return found === wanted || sameQuantity(found, wanted);
}

function containsList(found: unknown, wanted: readonly unknown[]): boolean {
  if (!Array.isArray(found)) return wanted.length === 0;
  if (found.length !== wanted.length) return false;
  return wanted.every((value, i) => contains(found[i], value));
}

/** The order is the server's. */
function containsEntries(
  found: unknown,
  wanted: readonly unknown[],
  keys: readonly string[],
): boolean {
  if (!Array.isArray(found)) return wanted.length === 0;
  return wanted.every((one) =>
    found.some((other) => isSameEntry(other, one, keys) && contains(other, one)),
  );
}

function isSameEntry(found: unknown, wanted: unknown, keys: readonly string[]): boolean {
  if (!isRecord(found) || !isRecord(wanted)) return true;
  return keys.every((key) => wanted[key] === undefined || found[key] === wanted[key]);
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
