/**
 * The system spaces in which connectors look up names: their rows are made from the definitions of spaces.
 *
 * Ids, index numbers and the shape of rows are Tarantool's, because connectors have them built in.
 */
import { ClusterError } from '../errors.ts';
import type { FieldFormat } from '../schema/field-types.ts';
import type { IndexDefinition, SpaceDefinition } from '../schema/space-definition.ts';
import { compareValues, type Tuple, type Value } from '../schema/values.ts';
import { errorNumber } from './error-numbers.ts';

/** Spaces of users have ids from here on. */
export const FIRST_USER_SPACE = 512;

interface ViewIndex {
  readonly id: number;
  readonly name: string;
  readonly unique: boolean;
  readonly fields: readonly number[];
}

interface View {
  readonly ids: readonly (readonly [id: number, name: string])[];
  readonly format: readonly (readonly [name: string, type: string])[];
  readonly indexes: readonly ViewIndex[];
  rows(spaces: readonly SpaceDefinition[]): readonly Tuple[];
}

const ADMIN = 1;
const named = (fields: readonly number[]): ViewIndex => ({
  id: 2,
  name: 'name',
  unique: true,
  fields,
});
const primary = (fields: readonly number[]): ViewIndex => ({
  id: 0,
  name: 'primary',
  unique: true,
  fields,
});
const owner: ViewIndex = { id: 1, name: 'owner', unique: false, fields: [1] };

const views: readonly View[] = [
  {
    ids: [[272, '_schema']],
    format: [
      ['key', 'string'],
      ['value', 'any'],
    ],
    indexes: [primary([0])],
    rows: (spaces) => [
      ['max_id', Math.max(FIRST_USER_SPACE - 1, ...spaces.map((space) => space.id))],
      ['version', 2, 11, 0],
    ],
  },
  {
    ids: [
      [276, '_collation'],
      [277, '_vcollation'],
    ],
    format: [
      ['id', 'unsigned'],
      ['name', 'string'],
      ['owner', 'unsigned'],
      ['type', 'string'],
      ['locale', 'string'],
      ['opts', 'map'],
    ],
    indexes: [primary([0]), { ...named([1]), id: 1 }],
    rows: () => collations,
  },
  {
    ids: [
      [280, '_space'],
      [281, '_vspace'],
    ],
    format: [
      ['id', 'unsigned'],
      ['owner', 'unsigned'],
      ['name', 'string'],
      ['engine', 'string'],
      ['field_count', 'unsigned'],
      ['flags', 'map'],
      ['format', 'array'],
    ],
    indexes: [primary([0]), owner, named([2])],
    rows: (spaces) => [...viewSpaceRows(), ...spaces.map(spaceRow)],
  },
  {
    ids: [
      [284, '_sequence'],
      [286, '_vsequence'],
    ],
    format: [
      ['id', 'unsigned'],
      ['owner', 'unsigned'],
      ['name', 'string'],
    ],
    indexes: [primary([0]), owner, named([2])],
    rows: () => [],
  },
  {
    ids: [
      [288, '_index'],
      [289, '_vindex'],
    ],
    format: [
      ['id', 'unsigned'],
      ['iid', 'unsigned'],
      ['name', 'string'],
      ['type', 'string'],
      ['opts', 'map'],
      ['parts', 'array'],
    ],
    indexes: [primary([0, 1]), named([0, 2])],
    rows: (spaces) => [...viewIndexRows(), ...spaces.flatMap(indexRows)],
  },
  {
    ids: [
      [296, '_func'],
      [297, '_vfunc'],
    ],
    format: [
      ['id', 'unsigned'],
      ['owner', 'unsigned'],
      ['name', 'string'],
      ['setuid', 'unsigned'],
    ],
    indexes: [primary([0]), owner, named([2])],
    rows: () => [],
  },
  {
    ids: [
      [304, '_user'],
      [305, '_vuser'],
    ],
    format: [
      ['id', 'unsigned'],
      ['owner', 'unsigned'],
      ['name', 'string'],
      ['type', 'string'],
      ['auth', 'map'],
    ],
    indexes: [primary([0]), owner, named([2])],
    rows: () => users,
  },
];

const collations: readonly Tuple[] = [
  [0, 'none', ADMIN, 'BINARY', '', {}],
  [1, 'unicode', ADMIN, 'ICU', '', {}],
  [2, 'unicode_ci', ADMIN, 'ICU', '', { strength: 'primary' }],
  [3, 'binary', ADMIN, 'BINARY', '', {}],
];

const users: readonly Tuple[] = [
  [0, ADMIN, 'guest', 'user', {}],
  [1, ADMIN, 'admin', 'user', {}],
  [2, ADMIN, 'public', 'role', {}],
];

const byId: ReadonlyMap<number, View> = new Map(
  views.flatMap((view) => view.ids.map(([id]) => [id, view] as const)),
);

/** The id of a system space, which connectors may name as well. */
export function viewId(name: string): number | undefined {
  return views.flatMap(({ ids }) => ids).find((pair) => pair[1] === name)?.[0];
}

export function viewIndexId(space: number, name: string): number | undefined {
  return byId.get(space)?.indexes.find((index) => index.name === name)?.id;
}

export interface ViewQuery {
  readonly space: number;
  readonly index: number;
  /** As in `DataRequest`. */
  readonly iterator: number;
  readonly key: Tuple;
  readonly limit: number;
  readonly offset: number;
}

/** Rows of a system space, or the refusal that Tarantool would give. */
export function selectView(query: ViewQuery, spaces: readonly SpaceDefinition[]): readonly Tuple[] {
  const view = byId.get(query.space);
  if (view === undefined) {
    throw new ClusterError('SCHEMA_MISSING', {
      message: `Space '${query.space}' does not exist`,
      protocolNumber: errorNumber.NO_SUCH_SPACE,
    });
  }
  const index = view.indexes.find(({ id }) => id === query.index);
  if (index === undefined) {
    throw new ClusterError('SCHEMA_MISSING', {
      message: `No index #${query.index} is defined in space '${view.ids.at(-1)?.[1] ?? ''}'`,
      protocolNumber: errorNumber.NO_SUCH_INDEX_ID,
    });
  }
  const { fields } = index;
  const covered = view
    .rows(spaces)
    .filter((row) => isCovered(query, compareToKey(row, query.key, fields)))
    .toSorted((a, b) => compareToKey(a, fieldsOf(b, fields), fields));
  const ordered = isDescending(query.iterator) ? covered.toReversed() : covered;
  return ordered.slice(query.offset, query.offset + query.limit);
}

/** An empty key covers everything, whatever the iterator; with another, ALL is GE. */
function isCovered({ iterator, key }: ViewQuery, side: number): boolean {
  if (key.length === 0) return true;
  switch (iterator) {
    case 3:
      return side < 0;
    case 4:
      return side <= 0;
    case 2:
    case 5:
      return side >= 0;
    case 6:
      return side > 0;
    default:
      return side === 0;
  }
}

function isDescending(iterator: number): boolean {
  return iterator === 1 || iterator === 3 || iterator === 4;
}

/** An empty key equals every row. */
function compareToKey(row: Tuple, key: Tuple, fields: readonly number[]): number {
  for (const [position, field] of fields.entries()) {
    if (position >= key.length) return 0;
    const side = compareValues(row[field] ?? null, key[position] ?? null);
    if (side !== 0) return side;
  }
  return 0;
}

function fieldsOf(row: Tuple, fields: readonly number[]): Tuple {
  return fields.map((field) => row[field] ?? null);
}

function viewSpaceRows(): readonly Tuple[] {
  return views.flatMap(({ ids, format }) =>
    ids.map(([id, name]) => {
      const fields = format.map(([field, type]) => ({ name: field, type }));
      return [id, ADMIN, name, 'sysview', 0, {}, fields];
    }),
  );
}

function viewIndexRows(): readonly Tuple[] {
  return views.flatMap(({ ids, format, indexes }) =>
    ids.flatMap(([space]) =>
      indexes.map(({ id, name, unique, fields }) => {
        const parts = fields.map((field) => ({ field, type: format[field]?.[1] ?? 'any' }));
        return [space, id, name, 'tree', { unique }, parts];
      }),
    ),
  );
}

/** By the names that connectors know: what is not in memory is `vinyl` to them. */
function spaceRow({ id, name, format, isSync, engine }: SpaceDefinition): Tuple {
  const flags = isSync === true ? { is_sync: true } : {};
  const engineName = engine === 'disk' ? 'vinyl' : 'memtx';
  return [id, ADMIN, name, engineName, 0, flags, format.map(formatField)];
}

function formatField({ name, type, isNullable }: FieldFormat): Value {
  return isNullable ? { name, type, is_nullable: true } : { name, type };
}

function indexRows({ id, indexes }: SpaceDefinition): readonly Tuple[] {
  return indexes.map((index) => [
    id,
    index.id,
    index.name,
    index.type ?? 'tree',
    { unique: index.unique },
    index.parts.map(indexPart),
  ]);
}

function indexPart(part: IndexDefinition['parts'][number]): Value {
  const { field, type, isNullable, collation, excludeNull } = part;
  const id = collations.find(([, name]) => name === collation)?.[0];
  return {
    field,
    type,
    is_nullable: isNullable,
    ...(id === undefined ? {} : { collation: id }),
    ...(excludeNull === undefined ? {} : { exclude_null: true }),
  };
}
