/** The CustomResourceDefinitions, built from the schemas. */
import type { z } from 'zod';
import type { CustomResourceDefinition } from './kube-object.ts';
import { ANNOTATIONS, API_GROUP, API_VERSION, SCHEMA_VERSION } from './names.ts';
import { RESOURCES, type Resource } from './resources.ts';
import { type JsonSchema, structuralSchema } from './structural-schema.ts';
import { clusterSchema } from './v1alpha1/cluster.ts';
import { replicaSetSchema } from './v1alpha1/replica-set.ts';

export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly jsonPath: string;
  readonly description: string;
  /** Above 0: only with `-o wide`. */
  readonly priority?: number;
}

export interface CustomResource {
  readonly resource: Resource;
  readonly schema: z.ZodType;
  readonly shortName: string;
  readonly columns: readonly PrinterColumn[];
  readonly scale?: JsonSchema;
  readonly selectableFields?: readonly string[];
}

const AGE: PrinterColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'When the object was made.',
};

function conditionColumn(name: string, type: string, field: string): PrinterColumn {
  return {
    name,
    type: 'string',
    jsonPath: `.status.conditions[?(@.type=="${type}")].${field}`,
    description: `The ${field} of the condition ${type}.`,
    ...(field === 'message' ? { priority: 1 } : {}),
  };
}

function column(name: string, jsonPath: string, description: string): PrinterColumn {
  return { name, type: 'integer', jsonPath, description };
}

export const CUSTOM_RESOURCES: readonly CustomResource[] = [
  {
    resource: RESOURCES.clusters,
    schema: clusterSchema,
    shortName: 'tcl',
    columns: [
      conditionColumn('Ready', 'Ready', 'status'),
      conditionColumn('Reason', 'Ready', 'reason'),
      conditionColumn('UpToDate', 'UpToDate', 'status'),
      column('Instances', '.status.instances', 'Instances that exist.'),
      column('Serving', '.status.readyInstances', 'Instances that serve.'),
      column('Config', '.status.configVersion', 'The version of the cluster config.'),
      conditionColumn('Message', 'Ready', 'message'),
      AGE,
    ],
  },
  {
    resource: RESOURCES.replicaSets,
    schema: replicaSetSchema,
    shortName: 'trs',
    columns: [
      { ...column('Cluster', '.spec.clusterName', 'The cluster.'), type: 'string' },
      column('Replicas', '.spec.replicas', 'Instances that are wanted.'),
      column('Serving', '.status.readyReplicas', 'Instances that serve.'),
      { ...column('Leader', '.status.leader', 'The instance that leads.'), type: 'string' },
      { ...column('Weight', '.spec.weight', 'The share of buckets.'), priority: 1 },
      { ...column('Buckets', '.status.bucketCount', 'Buckets owned.'), priority: 1 },
      conditionColumn('Ready', 'Ready', 'status'),
      conditionColumn('Reason', 'Ready', 'reason'),
      conditionColumn('Message', 'Ready', 'message'),
      AGE,
    ],
    scale: {
      specReplicasPath: '.spec.replicas',
      statusReplicasPath: '.status.replicas',
      labelSelectorPath: '.status.selector',
    },
    selectableFields: ['.spec.clusterName'],
  },
];

export function crds(): readonly CustomResourceDefinition[] {
  return CUSTOM_RESOURCES.map(buildCrd);
}

function buildCrd(custom: CustomResource): CustomResourceDefinition {
  const { plural, kind } = custom.resource;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${API_GROUP}`,
      annotations: { [ANNOTATIONS.schemaVersion]: String(SCHEMA_VERSION) },
      labels: { 'app.kubernetes.io/name': 'tonearm' },
    },
    spec: {
      group: API_GROUP,
      scope: 'Namespaced',
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: [custom.shortName],
        categories: ['tonearm'],
      },
      versions: [buildVersion(custom)],
    },
  };
}

function buildVersion(custom: CustomResource): JsonSchema {
  return {
    name: API_VERSION,
    served: true,
    storage: true,
    subresources: {
      status: {},
      ...(custom.scale === undefined ? {} : { scale: custom.scale }),
    },
    additionalPrinterColumns: custom.columns,
    ...(custom.selectableFields === undefined
      ? {}
      : { selectableFields: custom.selectableFields.map((jsonPath) => ({ jsonPath })) }),
    schema: { openAPIV3Schema: buildObjectSchema(custom.schema) },
  };
}

/** The API server checks the type and the metadata itself: a CRD only says that they are there. */
function buildObjectSchema(schema: z.ZodType): JsonSchema {
  const { properties, ...rest } = structuralSchema(schema);
  return {
    ...rest,
    required: ['spec'],
    properties: {
      ...(properties as JsonSchema),
      apiVersion: { type: 'string', description: 'The group and version of this kind.' },
      kind: { type: 'string', description: 'The kind.' },
      metadata: { type: 'object' },
    },
  };
}
