/** The `/scale` subresource: a view of the replicas of an object, in the form of autoscaling/v1. */
import { badRequest, internalError, invalid, invalidValue, pathNotFound } from './api-error.ts';
import { numberAt, objectAt, textAt, withValueAt } from './json.ts';
import type { KubernetesObject, ObjectDraft } from './kubernetes-object.ts';
import type { ObjectStore } from './object-store.ts';
import { applyJsonPatch, applyMergePatch } from './patches.ts';
import type { ScalePaths, ServedResource } from './served-resource.ts';
import type { ObjectTarget, WriteOptions } from './store-operations.ts';

export function readScale(
  store: ObjectStore,
  resource: ServedResource,
  target: ObjectTarget,
): KubernetesObject {
  return scaleOf(store.get(resource, target), pathsOf(resource));
}

export function replaceScale(
  store: ObjectStore,
  resource: ServedResource,
  target: ObjectTarget,
  change: { readonly scale: ObjectDraft; readonly options: WriteOptions },
): KubernetesObject {
  const paths = pathsOf(resource);
  const current = store.get(resource, target);
  const replicas = numberAt(change.scale, 'spec', 'replicas') ?? 0;
  if (!Number.isInteger(replicas) || replicas < 0) {
    const why = 'must be greater than or equal to 0';
    const issue = invalidValue('spec.replicas', replicas, why);
    throw invalid({ group: 'autoscaling', kind: 'Scale' }, target.name, [issue]);
  }
  const draft = withValueAt({ ...current }, paths.specReplicas, replicas);
  const metadata = {
    ...current.metadata,
    resourceVersion: textAt(change.scale, 'metadata', 'resourceVersion'),
    uid: textAt(change.scale, 'metadata', 'uid'),
  };
  const options: WriteOptions = { ...change.options, subresource: 'scale' };
  const written = store.update(resource, target, { ...draft, metadata }, options);
  return scaleOf(written.object, paths);
}

export function patchScale(
  store: ObjectStore,
  resource: ServedResource,
  target: ObjectTarget,
  change: { readonly format: string; readonly body: unknown; readonly options: WriteOptions },
): KubernetesObject {
  if (change.format === 'apply')
    throw badRequest('apply is not served for /scale, use a merge patch');
  const current = readScale(store, resource, target);
  const isJson = change.format === 'json';
  const patch = isJson ? applyJsonPatch : applyMergePatch;
  const scale = objectAt({ scale: patch(current, change.body) }, 'scale');
  return replaceScale(store, resource, target, { scale, options: change.options });
}

function pathsOf(resource: ServedResource): ScalePaths {
  if (resource.scale === undefined) throw pathNotFound();
  return resource.scale;
}

function scaleOf(object: KubernetesObject, paths: ScalePaths): KubernetesObject {
  const replicas = numberAt(object, ...paths.specReplicas);
  if (replicas === undefined) {
    const path = paths.specReplicas.map((name) => `.${name}`).join('');
    throw internalError(`the spec replicas field "${path}" does not exist`);
  }
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = paths.selectorOf(object);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      uid,
      resourceVersion,
      creationTimestamp,
    },
    spec: { replicas },
    status: {
      replicas: numberAt(object, ...paths.statusReplicas) ?? 0,
      ...(selector === '' ? {} : { selector }),
    },
  };
}
