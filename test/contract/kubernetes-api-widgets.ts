/** The kind that the contract suite defines for itself, and objects of it. */
import type { Json } from './kubernetes-connection.ts';

const spec = {
  type: 'object',
  required: ['image'],
  properties: {
    image: { type: 'string', minLength: 1 },
    owner: { type: 'string' },
    replicas: { type: 'integer', minimum: 0, maximum: 9, default: 1 },
    mode: { type: 'string', enum: ['Fast', 'Safe'], default: 'Safe' },
    name: { type: 'string', pattern: '^[a-z]+$' },
    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    parts: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: {
        type: 'object',
        required: ['name'],
        properties: { name: { type: 'string' }, size: { type: 'integer', default: 5 } },
      },
    },
  },
};

const status = {
  type: 'object',
  properties: {
    replicas: { type: 'integer' },
    selector: { type: 'string' },
    phase: { type: 'string' },
  },
};

export const WIDGET_DEFINITION: Json = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.contract.tonearm.dev' },
  spec: {
    group: 'contract.tonearm.dev',
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', shortNames: ['ctw'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: {
          status: {},
          scale: {
            specReplicasPath: '.spec.replicas',
            statusReplicasPath: '.status.replicas',
            labelSelectorPath: '.status.selector',
          },
        },
        selectableFields: [{ jsonPath: '.spec.owner' }],
        additionalPrinterColumns: [
          { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas' },
          { name: 'Mode', type: 'string', jsonPath: '.spec.mode', priority: 1 },
        ],
        schema: { openAPIV3Schema: { type: 'object', properties: { spec, status } } },
      },
    ],
  },
};

export function widget(name: string, widgetSpec: Json = {}, metadata: Json = {}): Json {
  return {
    apiVersion: 'contract.tonearm.dev/v1',
    kind: 'Widget',
    metadata: { name, ...metadata },
    spec: { image: 'x', ...widgetSpec },
  };
}

export function configMap(name: string, data: Json = {}, metadata: Json = {}): Json {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata }, data };
}
