/**
 * How values merge: which lists are keyed, which are sets, which maps are replaced as a whole.
 * Built-in kinds know it by field name, as the API server's own types declare it; custom resources
 * by the `x-kubernetes-list-type` and `x-kubernetes-map-type` of their schema.
 */
import { isObject, type JsonObject, listAt, objectAt, textAt } from './json.ts';

export interface ListKey {
  readonly name: string;
  readonly default?: unknown;
}

export interface MergeType {
  readonly list: 'atomic' | 'set' | readonly ListKey[];
  readonly atomicMap: boolean;
  readonly item: MergeType;
  field(name: string): MergeType;
}

const PROTOCOL: ListKey = { name: 'protocol', default: 'TCP' };

const KEYED_LISTS: Readonly<Record<string, readonly ListKey[]>> = {
  containers: [{ name: 'name' }],
  initContainers: [{ name: 'name' }],
  ephemeralContainers: [{ name: 'name' }],
  env: [{ name: 'name' }],
  volumes: [{ name: 'name' }],
  volumeMounts: [{ name: 'mountPath' }],
  volumeDevices: [{ name: 'devicePath' }],
  imagePullSecrets: [{ name: 'name' }],
  secrets: [{ name: 'name' }],
  conditions: [{ name: 'type' }],
  addresses: [{ name: 'type' }],
  ownerReferences: [{ name: 'uid' }],
  hostAliases: [{ name: 'ip' }],
  topologySpreadConstraints: [{ name: 'topologyKey' }, { name: 'whenUnsatisfiable' }],
};

const ATOMIC_MAPS: ReadonlySet<string> = new Set([
  'selector',
  'labelSelector',
  'nodeSelector',
  'fieldRef',
  'resourceFieldRef',
  'secretKeyRef',
  'configMapKeyRef',
  'involvedObject',
  'regarding',
  'targetRef',
  'claimRef',
  'secretRef',
]);

class BuiltinType implements MergeType {
  readonly list: MergeType['list'];
  readonly atomicMap: boolean;
  readonly #name: string;
  readonly #parent: string;

  constructor(name: string, parent: string) {
    this.#name = name;
    this.#parent = parent;
    this.list = builtinList(name, parent);
    this.atomicMap = ATOMIC_MAPS.has(name);
  }

  get item(): MergeType {
    return new BuiltinType(`${this.#name}[]`, this.#parent);
  }

  field(name: string): MergeType {
    return new BuiltinType(name, this.#name);
  }
}

function builtinList(name: string, parent: string): MergeType['list'] {
  if (name === 'finalizers' && parent === 'metadata') return 'set';
  if (name === 'ports') {
    if (/containers\[\]$/i.test(parent)) return [{ name: 'containerPort' }, PROTOCOL];
    if (parent === 'spec') return [{ name: 'port' }, PROTOCOL];
    return 'atomic';
  }
  return KEYED_LISTS[name] ?? 'atomic';
}

export const BUILTIN_TYPE: MergeType = new BuiltinType('', '');

/** The merge type that the OpenAPI schema of a custom resource declares. */
export function schemaType(schema: JsonObject): MergeType {
  return new SchemaType(schema, true);
}

class SchemaType implements MergeType {
  readonly list: MergeType['list'];
  readonly atomicMap: boolean;
  readonly #schema: JsonObject;
  readonly #isRoot: boolean;

  constructor(schema: JsonObject, isRoot: boolean) {
    this.#schema = schema;
    this.#isRoot = isRoot;
    this.list = schemaList(schema);
    this.atomicMap = schema['x-kubernetes-map-type'] === 'atomic';
  }

  get item(): MergeType {
    return new SchemaType(objectAt(this.#schema, 'items'), false);
  }

  field(name: string): MergeType {
    if (this.#isRoot && name === 'metadata') return BUILTIN_TYPE.field('metadata');
    const known = objectAt(this.#schema, 'properties')[name];
    const found = isObject(known) ? known : objectAt(this.#schema, 'additionalProperties');
    return new SchemaType(found, false);
  }
}

function schemaList(schema: JsonObject): MergeType['list'] {
  const declared = textAt(schema, 'x-kubernetes-list-type');
  if (declared === 'set') return 'set';
  if (declared !== 'map') return 'atomic';
  const properties = objectAt(schema, 'items', 'properties');
  return listAt(schema, 'x-kubernetes-list-map-keys').map((name) => ({
    name: String(name),
    default: objectAt(properties, String(name))['default'],
  }));
}
