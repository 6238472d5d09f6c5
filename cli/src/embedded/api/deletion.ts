/**
 * What a DELETE does at once: remove the object, or mark it and wait. An object waits for its
 * finalizers, a running pod for the machine that runs it, a namespace for its content.
 */
import { type ApiError, badRequest, conflict } from './api-error.ts';
import { equalJson, type JsonObject, listAt, numberAt, textAt, valueAt, without } from './json.ts';
import { finishedObject, type KubernetesObject } from './kubernetes-object.ts';
import type { ServedResource } from './served-resource.ts';
import { isReadyToGo } from './write-rules.ts';

export type Propagation = 'Background' | 'Foreground' | 'Orphan';

export interface DeleteOptions {
  readonly propagation?: Propagation;
  readonly gracePeriodSeconds?: number;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly dryRun?: boolean;
}

export type DeletionVerdict =
  | { readonly kind: 'remove' }
  | { readonly kind: 'mark'; readonly object: KubernetesObject }
  | { readonly kind: 'already-marked' };

export const FOREGROUND = 'foregroundDeletion';
export const ORPHAN = 'orphan';

export function planDeletion(
  resource: ServedResource,
  object: KubernetesObject,
  options: DeleteOptions,
  nowMs: number,
): DeletionVerdict {
  checkPreconditions(resource, object, options);
  const graceSeconds = gracePeriod(object, options);
  const { deletionTimestamp, deletionGracePeriodSeconds } = object.metadata;
  const remaining = Math.min(graceSeconds, deletionGracePeriodSeconds ?? graceSeconds);
  const finalizers = finalizersFor(object, options.propagation);
  const deadline = new Date(nowMs + remaining * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
  const isShortened = deletionGracePeriodSeconds !== remaining;
  const metadata: JsonObject = {
    ...without(object.metadata, 'finalizers'),
    deletionTimestamp: isShortened ? deadline : (deletionTimestamp ?? deadline),
    deletionGracePeriodSeconds: remaining,
    ...(finalizers.length === 0 ? {} : { finalizers }),
  };
  if (resource.hasGeneration && deletionTimestamp === undefined) {
    metadata['generation'] = (object.metadata.generation ?? 1) + 1;
  }
  const phase = object.kind === 'Namespace' ? { status: { phase: 'Terminating' } } : {};
  const marked = finishedObject({ ...object, ...phase, metadata });
  if (isReadyToGo(marked)) return { kind: 'remove' };
  return equalJson(marked, object) ? { kind: 'already-marked' } : { kind: 'mark', object: marked };
}

export function parseDeleteOptions(body: unknown, query: URLSearchParams): DeleteOptions {
  const propagation = propagationIn(body, query);
  const grace = numberAt(body, 'gracePeriodSeconds') ?? numberIn(query.get('gracePeriodSeconds'));
  const uid = textAt(body, 'preconditions', 'uid');
  const resourceVersion = textAt(body, 'preconditions', 'resourceVersion');
  return {
    ...(propagation === undefined ? {} : { propagation }),
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
    ...(uid === '' ? {} : { uid }),
    ...(resourceVersion === '' ? {} : { resourceVersion }),
    dryRun: query.get('dryRun') === 'All' || listAt(body, 'dryRun').includes('All'),
  };
}

function propagationIn(body: unknown, query: URLSearchParams): Propagation | undefined {
  const asked = textAt(body, 'propagationPolicy') || (query.get('propagationPolicy') ?? '');
  if (isPropagation(asked)) return asked;
  if (asked !== '') {
    throw badRequest(`propagationPolicy: "${asked}" is none of Background, Foreground, Orphan`);
  }
  // The older spelling of the same wish.
  return valueAt(body, 'orphanDependents') === true ? 'Orphan' : undefined;
}

function numberIn(text: string | null): number | undefined {
  return text === null || text === '' ? undefined : Number(text);
}

function isPropagation(text: string): text is Propagation {
  return text === 'Background' || text === 'Foreground' || text === 'Orphan';
}

function checkPreconditions(
  resource: ServedResource,
  object: KubernetesObject,
  { uid, resourceVersion }: DeleteOptions,
): void {
  const found = object.metadata;
  if (uid !== undefined && uid !== found.uid) {
    const why = `the UID in the precondition (${uid}) does not match the UID in record (${found.uid})`;
    throw refused(
      resource,
      found.name,
      `${why}. The object might have been deleted and then recreated`,
    );
  }
  if (resourceVersion !== undefined && resourceVersion !== found.resourceVersion) {
    const why =
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ` +
      `ResourceVersion in record (${found.resourceVersion})`;
    throw refused(resource, found.name, `${why}. The object might have been modified`);
  }
}

/** The real server names the kind here, where it names the plural elsewhere. */
function refused(resource: ServedResource, name: string, why: string): ApiError {
  return conflict({ group: resource.group, plural: resource.kind }, name, why);
}

/** Only a pod that runs somewhere is given time: nobody else would end the wait. */
function gracePeriod(object: KubernetesObject, options: DeleteOptions): number {
  if (object.kind !== 'Pod' || object.apiVersion !== 'v1') return 0;
  const hasEnded = ['Succeeded', 'Failed'].includes(textAt(object, 'status', 'phase'));
  if (textAt(object, 'spec', 'nodeName') === '' || hasEnded) return 0;
  const own = numberAt(object, 'spec', 'terminationGracePeriodSeconds') ?? 30;
  return Math.max(0, options.gracePeriodSeconds ?? own);
}

function finalizersFor(
  object: KubernetesObject,
  propagation: Propagation | undefined,
): readonly string[] {
  const current = object.metadata.finalizers ?? [];
  if (propagation === undefined) return current;
  const others = current.filter((name) => name !== FOREGROUND && name !== ORPHAN);
  if (propagation === 'Foreground') return [...others, FOREGROUND];
  return propagation === 'Orphan' ? [...others, ORPHAN] : others;
}
