/**
 * Reads the protobuf bodies that kubectl's typed commands send (`create namespace`, `create
 * configmap`, `drain`, `auth can-i`): the messages of those commands, into the JSON that everything else speaks.
 * Answers are always JSON, which every client that sends protobuf accepts.
 */
import { unsupportedMediaType } from './api-error.ts';
import { type JsonObject, textAt } from './json.ts';

type FieldType = 'text' | 'bytes' | 'whole' | 'flag' | 'map' | 'bytes-map' | Message;

interface Field {
  readonly name: string;
  readonly type: FieldType;
  readonly isList?: boolean;
}

type Message = { readonly [number: number]: Field };

/** What stands before every protobuf body of Kubernetes. */
const MAGIC = Buffer.from([0x6b, 0x38, 0x73, 0x00]);

const text = (name: string): Field => ({ name, type: 'text' });
const texts = (name: string): Field => ({ name, type: 'text', isList: true });
const flag = (name: string): Field => ({ name, type: 'flag' });
const whole = (name: string): Field => ({ name, type: 'whole' });
const part = (name: string, type: FieldType): Field => ({ name, type });
const parts = (name: string, type: FieldType): Field => ({ name, type, isList: true });

const OWNER: Message = {
  1: text('kind'),
  3: text('name'),
  4: text('uid'),
  5: text('apiVersion'),
  6: flag('controller'),
  7: flag('blockOwnerDeletion'),
};

const METADATA: Field = part('metadata', {
  1: text('name'),
  2: text('generateName'),
  3: text('namespace'),
  5: text('uid'),
  6: text('resourceVersion'),
  11: part('labels', 'map'),
  12: part('annotations', 'map'),
  13: parts('ownerReferences', OWNER),
  14: texts('finalizers'),
});

const DELETE_OPTIONS: Message = {
  1: whole('gracePeriodSeconds'),
  2: part('preconditions', { 1: text('uid'), 2: text('resourceVersion') }),
  3: flag('orphanDependents'),
  4: text('propagationPolicy'),
  5: texts('dryRun'),
};

const RESOURCE_ATTRIBUTES: Message = {
  1: text('namespace'),
  2: text('verb'),
  3: text('group'),
  4: text('version'),
  5: text('resource'),
  6: text('subresource'),
  7: text('name'),
};

const MESSAGES: Readonly<Record<string, Message>> = {
  'v1 Namespace': { 1: METADATA, 2: part('spec', { 1: texts('finalizers') }) },
  'v1 ConfigMap': {
    1: METADATA,
    2: part('data', 'map'),
    3: part('binaryData', 'bytes-map'),
    4: flag('immutable'),
  },
  'v1 Secret': {
    1: METADATA,
    2: part('data', 'bytes-map'),
    3: text('type'),
    4: part('stringData', 'map'),
    5: flag('immutable'),
  },
  'v1 ServiceAccount': { 1: METADATA, 4: flag('automountServiceAccountToken') },
  'authorization.k8s.io/v1 SelfSubjectAccessReview': {
    1: METADATA,
    2: part('spec', {
      1: part('resourceAttributes', RESOURCE_ATTRIBUTES),
      2: part('nonResourceAttributes', { 1: text('path'), 2: text('verb') }),
    }),
  },
  'authorization.k8s.io/v1 SelfSubjectRulesReview': {
    1: METADATA,
    2: part('spec', { 1: text('namespace') }),
  },
  'policy/v1 Eviction': { 1: METADATA, 2: part('deleteOptions', DELETE_OPTIONS) },
};

/** Every group has its own DeleteOptions, all of one shape. */
function messageOf(apiVersion: string, kind: string): Message | undefined {
  return kind === 'DeleteOptions' ? DELETE_OPTIONS : MESSAGES[`${apiVersion} ${kind}`];
}

const ENVELOPE: Message = {
  1: part('typeMeta', { 1: text('apiVersion'), 2: text('kind') }),
  2: part('raw', 'bytes'),
};

export function readProtobuf(body: Buffer): JsonObject {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) throw refused();
  const envelope = readMessage(body.subarray(MAGIC.length), ENVELOPE);
  const head = envelope['typeMeta'] as { apiVersion?: string; kind?: string } | undefined;
  const { apiVersion = '', kind = '' } = head ?? {};
  const message = messageOf(apiVersion, kind);
  if (message === undefined) throw refused();
  const raw = Buffer.from(textAt(envelope, 'raw'), 'base64');
  return { apiVersion, kind, ...readMessage(raw, message) };
}

function refused(): Error {
  return unsupportedMediaType(['application/json', 'application/yaml']);
}

function readMessage(bytes: Buffer, message: Message): JsonObject {
  const object: JsonObject = {};
  for (const { number, value } of fieldsIn(bytes)) {
    const field = message[number];
    if (field === undefined) continue;
    const read = readValue(value, field.type);
    if (field.isList === true) object[field.name] = [...listOf(object[field.name]), read];
    else if (field.type === 'map' || field.type === 'bytes-map') {
      object[field.name] = { ...(object[field.name] as JsonObject | undefined), ...asObject(read) };
    } else if (read !== '') object[field.name] = read;
  }
  return object;
}

function readValue(value: Buffer | number, type: FieldType): unknown {
  if (typeof value === 'number') return type === 'flag' ? value === 1 : value;
  if (type === 'text') return value.toString('utf8');
  if (type === 'bytes') return value.toString('base64');
  if (type === 'map' || type === 'bytes-map') {
    const entry = readMessage(value, {
      1: text('key'),
      2: part('value', type === 'map' ? 'text' : 'bytes'),
    });
    return { [textAt(entry, 'key')]: entry['value'] ?? '' };
  }
  return typeof type === 'string' ? undefined : readMessage(value, type);
}

function* fieldsIn(bytes: Buffer): Generator<{ number: number; value: Buffer | number }> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw refused();
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const wire = tag & 7;
    const number = Math.floor(tag / 8);
    if (wire === 0) yield { number, value: varint() };
    else if (wire === 2) {
      const length = varint();
      if (at + length > bytes.length) throw refused();
      at += length;
      yield { number, value: bytes.subarray(at - length, at) };
    } else throw refused();
  }
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function asObject(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null ? (value as JsonObject) : {};
}
