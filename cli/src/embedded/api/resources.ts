/** The table of built-in kinds. */
import type { FieldIssue } from './api-error.ts';
import { builtinColumns } from './builtin-columns.ts';
import { BUILTIN_DEFAULTS, INITIAL_STATUS } from './builtin-defaults.ts';
import { BUILTIN_VALIDATION } from './builtin-validation.ts';
import { definitionIssues, definitionStatus } from './custom-resources.ts';
import { toCoreEvent, toNewEvent } from './event-forms.ts';
import { objectAt } from './json.ts';
import type { KubernetesObject } from './kubernetes-object.ts';
import { BUILTIN_TYPE } from './merge-types.ts';
import { renderLabelSelector } from './selectors.ts';
import { type ServedResource, storageId } from './served-resource.ts';

interface BuiltinRow {
  readonly group?: string;
  readonly kind: string;
  readonly plural: string;
  readonly short?: readonly string[];
  readonly categories?: readonly string[];
  readonly isClusterWide?: boolean;
  readonly hasStatus?: boolean;
  readonly hasGeneration?: boolean;
  readonly fields?: readonly string[];
}

const EVENT_FIELDS = [
  'involvedObject.kind',
  'involvedObject.namespace',
  'involvedObject.name',
  'involvedObject.uid',
  'involvedObject.apiVersion',
  'involvedObject.resourceVersion',
  'involvedObject.fieldPath',
  'regarding.kind',
  'regarding.namespace',
  'regarding.name',
  'regarding.uid',
  'reason',
  'type',
  'reportingComponent',
  'reportingController',
  'source',
];

const POD_FIELDS = [
  'spec.nodeName',
  'spec.restartPolicy',
  'spec.schedulerName',
  'spec.serviceAccountName',
  'status.phase',
  'status.podIP',
  'status.nominatedNodeName',
];

const APIEXTENSIONS = 'apiextensions.k8s.io';

const ROWS: readonly BuiltinRow[] = [
  { kind: 'ConfigMap', plural: 'configmaps', short: ['cm'] },
  { kind: 'Endpoints', plural: 'endpoints', short: ['ep'] },
  { kind: 'Event', plural: 'events', short: ['ev'], fields: EVENT_FIELDS },
  {
    kind: 'Namespace',
    plural: 'namespaces',
    short: ['ns'],
    isClusterWide: true,
    hasStatus: true,
    fields: ['status.phase'],
  },
  {
    kind: 'Node',
    plural: 'nodes',
    short: ['no'],
    isClusterWide: true,
    hasStatus: true,
    fields: ['spec.unschedulable'],
  },
  {
    kind: 'PersistentVolumeClaim',
    plural: 'persistentvolumeclaims',
    short: ['pvc'],
    hasStatus: true,
  },
  {
    kind: 'Pod',
    plural: 'pods',
    short: ['po'],
    categories: ['all'],
    hasStatus: true,
    fields: POD_FIELDS,
  },
  { kind: 'Secret', plural: 'secrets', fields: ['type'] },
  { kind: 'Service', plural: 'services', short: ['svc'], categories: ['all'], hasStatus: true },
  { kind: 'ServiceAccount', plural: 'serviceaccounts', short: ['sa'] },
  {
    group: 'apps',
    kind: 'StatefulSet',
    plural: 'statefulsets',
    short: ['sts'],
    categories: ['all'],
    hasStatus: true,
    hasGeneration: true,
  },
  { group: 'coordination.k8s.io', kind: 'Lease', plural: 'leases' },
  {
    group: 'policy',
    kind: 'PodDisruptionBudget',
    plural: 'poddisruptionbudgets',
    short: ['pdb'],
    hasStatus: true,
    hasGeneration: true,
  },
  { group: 'events.k8s.io', kind: 'Event', plural: 'events', short: ['ev'], fields: EVENT_FIELDS },
  {
    group: 'discovery.k8s.io',
    kind: 'EndpointSlice',
    plural: 'endpointslices',
    hasGeneration: true,
  },
  {
    group: APIEXTENSIONS,
    kind: 'CustomResourceDefinition',
    plural: 'customresourcedefinitions',
    short: ['crd', 'crds'],
    categories: ['api-extensions'],
    isClusterWide: true,
    hasStatus: true,
    hasGeneration: true,
  },
];

const VERSIONED_KINDS = ['CustomResourceDefinition', 'Lease', 'PodDisruptionBudget'];

const STATEFUL_SET_SCALE = {
  specReplicas: ['spec', 'replicas'],
  statusReplicas: ['status', 'replicas'],
  selectorOf: (object: KubernetesObject): string =>
    renderLabelSelector(objectAt(object, 'spec', 'selector')),
};

export const BUILTIN_RESOURCES: readonly ServedResource[] = ROWS.map(builtinResource);

function builtinResource(row: BuiltinRow): ServedResource {
  const group = row.group ?? '';
  const isNewEvent = group === 'events.k8s.io';
  return {
    group,
    version: 'v1',
    plural: row.plural,
    singular: row.kind.toLowerCase(),
    kind: row.kind,
    listKind: `${row.kind}List`,
    shortNames: row.short ?? [],
    categories: row.categories ?? [],
    isNamespaced: row.isClusterWide !== true,
    storageId: isNewEvent ? storageId('', 'events') : storageId(group, row.plural),
    hasStatus: row.hasStatus ?? false,
    hasGeneration: row.hasGeneration ?? false,
    scale: row.kind === 'StatefulSet' ? STATEFUL_SET_SCALE : undefined,
    mergeType: BUILTIN_TYPE,
    isCustom: false,
    allowsBlindReplacement: !VERSIONED_KINDS.includes(row.kind),
    selectableFields: row.fields ?? [],
    columns: builtinColumns(row.kind),
    schema: undefined,
    toServed: isNewEvent ? toNewEvent : (object) => object,
    toStored: isNewEvent ? toCoreEvent : (object) => object,
    admit: (draft) => ({ object: BUILTIN_DEFAULTS[row.kind]?.(draft) ?? draft, unknown: [] }),
    validate: (object, old) => issuesOf(row.kind, object, old),
    initialStatus: (object, time) =>
      row.group === APIEXTENSIONS ? definitionStatus(object, time) : INITIAL_STATUS[row.kind],
  };
}

function issuesOf(
  kind: string,
  object: KubernetesObject,
  old: KubernetesObject | undefined,
): readonly FieldIssue[] {
  if (kind === 'CustomResourceDefinition') return definitionIssues(object);
  return BUILTIN_VALIDATION[kind]?.(object, old) ?? [];
}
