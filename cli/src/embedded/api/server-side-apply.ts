/** Server-side apply of a configuration to an object that may not exist yet. */
import { ApiError, badRequest, notFound } from './api-error.ts';
import { type JsonObject, objectAt, textAt, without } from './json.ts';
import { groupVersion, type KubernetesObject, type ObjectDraft } from './kubernetes-object.ts';
import { type AppliedObject, applyConfiguration } from './managed-fields.ts';
import type { ServedResource } from './served-resource.ts';
import type { ApplyOptions, ObjectTarget } from './store-operations.ts';
import type { Subresource } from './write-rules.ts';

export interface AppliedTo {
  readonly resource: ServedResource;
  readonly target: ObjectTarget;
  /** Undefined if the object is to be made. */
  readonly current: KubernetesObject | undefined;
}

export function planApply(
  { resource, target, current }: AppliedTo,
  config: ObjectDraft,
  options: ApplyOptions,
  time: string,
): AppliedObject {
  if (objectAt(config, 'metadata')['managedFields'] !== undefined) {
    throw badRequest('metadata.managedFields must be nil');
  }
  const sentName = textAt(config, 'metadata', 'name') || target.name;
  if (sentName !== target.name) {
    throw badRequest(
      `the name of the object (${sentName}) does not match the name on the URL (${target.name})`,
    );
  }
  refuseUndeclared(resource, config, target);
  const { namespace, name } = target;
  const apiVersion = groupVersion(resource.group, resource.version);
  const subresource = options.subresource ?? '';
  if (current === undefined && subresource !== '') throw notFound(resource, name);
  const manager = {
    name: options.manager,
    operation: 'Apply',
    apiVersion,
    subresource,
    time,
  } as const;
  const live = current ?? { apiVersion, kind: resource.kind, metadata: { name, namespace } };
  const own = ownPart(resource, config, subresource);
  const change = { live, config: own, type: resource.mergeType };
  const { object, entries } = applyConfiguration(change, manager, options.force ?? false);
  if (current === undefined) return { object, entries };
  const sent = preconditions(objectAt(config, 'metadata'));
  return { object: { ...object, metadata: { ...objectAt(object, 'metadata'), ...sent } }, entries };
}

function preconditions(sent: JsonObject): JsonObject {
  const { uid, resourceVersion } = sent;
  return {
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}

/** Through `/status` only the status is applied, and elsewhere everything but it. */
function ownPart(
  resource: ServedResource,
  config: ObjectDraft,
  subresource: Subresource,
): ObjectDraft {
  if (!resource.hasStatus) return config;
  if (subresource !== 'status') return without(config, 'status');
  return config['status'] === undefined ? {} : { status: config['status'] };
}

/** An apply is typed: unlike other writes, it refuses fields that the schema does not declare. */
function refuseUndeclared(
  resource: ServedResource,
  config: ObjectDraft,
  target: ObjectTarget,
): void {
  const { unknown } = resource.admit(config);
  if (unknown.length === 0) return;
  const where = `${target.namespace}/${target.name}; ${groupVersion(resource.group, resource.version)}`;
  const fields = unknown.map((path) => `.${path}: field not declared in schema`).join(', ');
  throw new ApiError({
    code: 500,
    reason: '',
    message: `failed to create typed patch object (${where}, Kind=${resource.kind}): ${fields}`,
  });
}
