/** What the API server refuses of the built-in kinds and clients of ours rely on being refused. */
import { type FieldIssue, forbiddenValue, invalidValue, requiredValue } from './api-error.ts';
import { equalJson, isObject, listAt, objectAt, textAt, valueAt, without } from './json.ts';
import type { KubernetesObject } from './kubernetes-object.ts';

type Validation = (
  object: KubernetesObject,
  old: KubernetesObject | undefined,
) => readonly FieldIssue[];

export const BUILTIN_VALIDATION: Readonly<Record<string, Validation>> = {
  ConfigMap: immutableData,
  PersistentVolumeClaim: persistentVolumeClaim,
  Pod: (object) => containers(object, 'spec'),
  Secret: immutableData,
  Service: service,
  StatefulSet: statefulSet,
};

const MUTABLE_STATEFUL_SET_FIELDS = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
];

function statefulSet(
  object: KubernetesObject,
  old: KubernetesObject | undefined,
): readonly FieldIssue[] {
  const issues: FieldIssue[] = [];
  const replicas = valueAt(object, 'spec', 'replicas');
  if (typeof replicas !== 'number' || replicas < 0) {
    const why = 'must be greater than or equal to 0';
    issues.push(invalidValue('spec.replicas', replicas, why));
  }
  const selected = Object.entries(objectAt(object, 'spec', 'selector', 'matchLabels'));
  const labels = objectAt(object, 'spec', 'template', 'metadata', 'labels');
  if (selected.length === 0) issues.push(requiredValue('spec.selector'));
  if (selected.some(([name, value]) => labels[name] !== value)) {
    const why = '`selector` does not match template `labels`';
    issues.push(invalidValue('spec.template.metadata.labels', labels, why));
  }
  issues.push(...containers(object, 'spec', 'template', 'spec'));
  if (old === undefined) return issues;
  const fixed = without(objectAt(object, 'spec'), ...MUTABLE_STATEFUL_SET_FIELDS);
  const before = without(objectAt(old, 'spec'), ...MUTABLE_STATEFUL_SET_FIELDS);
  if (!equalJson(fixed, before)) {
    const why =
      "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', " +
      "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and " +
      "'minReadySeconds' are forbidden";
    issues.push(forbiddenValue('spec', why));
  }
  return issues;
}

function containers(object: KubernetesObject, ...path: readonly string[]): FieldIssue[] {
  const field = [...path, 'containers'].join('.');
  const list = listAt(object, ...path, 'containers');
  if (list.length === 0) return [requiredValue(field)];
  return list.flatMap((item, at) => [
    ...(textAt(item, 'name') === '' ? [requiredValue(`${field}[${at}].name`)] : []),
    ...(textAt(item, 'image') === '' ? [requiredValue(`${field}[${at}].image`)] : []),
  ]);
}

function service(object: KubernetesObject): FieldIssue[] {
  const ports = listAt(object, 'spec', 'ports');
  return ports.flatMap((port, at) => {
    const number = isObject(port) ? port['port'] : undefined;
    const field = `spec.ports[${at}].port`;
    if (number === undefined) return [requiredValue(field)];
    if (typeof number === 'number' && number >= 1 && number <= 65535) return [];
    return [invalidValue(field, number, 'must be between 1 and 65535, inclusive')];
  });
}

function persistentVolumeClaim(
  object: KubernetesObject,
  old: KubernetesObject | undefined,
): FieldIssue[] {
  if (listAt(object, 'spec', 'accessModes').length === 0) {
    return [requiredValue('spec.accessModes', 'at least 1 access mode is required')];
  }
  if (old === undefined) return [];
  const isBound = textAt(old, 'status', 'phase') === 'Bound';
  const ignored = isBound
    ? ['resources', 'volumeName', 'volumeAttributesClassName']
    : ['volumeName'];
  const fixed = without(objectAt(object, 'spec'), ...ignored);
  if (equalJson(fixed, without(objectAt(old, 'spec'), ...ignored))) return [];
  const why =
    'spec is immutable after creation except resources.requests and volumeAttributesClassName ' +
    'for bound claims';
  return [forbiddenValue('spec', why)];
}

function immutableData(object: KubernetesObject, old: KubernetesObject | undefined): FieldIssue[] {
  if (old?.['immutable'] !== true) return [];
  const isSame = equalJson(object['data'], old['data']) && object['immutable'] === true;
  return isSame ? [] : [forbiddenValue('data', 'field is immutable when `immutable` is set')];
}
