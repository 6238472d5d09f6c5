import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClusterError } from '../errors.ts';
import type { FieldType } from './field-types.ts';
import {
  type FieldOptions,
  type IndexOptions,
  indexDefinition,
  type SpaceDefinition,
  sameIndex,
  spaceFormat,
  storedKey,
  storedTuple,
} from './space-definition.ts';

/** What was refused, as `CODE field: message`. */
function refusalOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof ClusterError);
    return `${error.code} ${error.field ?? ''}: ${error.message}`;
  }
  return 'accepted';
}

const FIELDS: readonly FieldOptions[] = [
  { name: 'id', type: 'unsigned' },
  { name: 'name', type: 'string', isNullable: true },
  { name: 'tags', type: 'array', isNullable: true },
];

function space(fields = FIELDS, indexes: readonly IndexOptions[] = []): SpaceDefinition {
  const empty: SpaceDefinition = {
    id: 512,
    name: 'people',
    format: spaceFormat('people', fields),
    indexes: [],
  };
  return indexes.reduce(
    (made, options) => ({ ...made, indexes: [...made.indexes, indexDefinition(made, options)] }),
    empty,
  );
}

const PRIMARY: IndexOptions = { name: 'pk', parts: ['id'] };

describe('spaceFormat', () => {
  it('is stored complete', () => {
    assert.deepEqual(spaceFormat('people', FIELDS), [
      { name: 'id', type: 'unsigned', isNullable: false },
      { name: 'name', type: 'string', isNullable: true },
      { name: 'tags', type: 'array', isNullable: true },
    ]);
  });

  const refusals: readonly (readonly [string, readonly FieldOptions[], string])[] = [
    [
      'a field without a name',
      [{ name: '', type: 'string' }],
      'REQUEST_INVALID people.format[0].name: A field needs a name.',
    ],
    [
      'a name that is given twice',
      [
        { name: 'id', type: 'unsigned' },
        { name: 'id', type: 'string' },
      ],
      'REQUEST_INVALID people.format[1].name: Two fields of "people" are named "id".',
    ],
    [
      'a type that does not exist',
      [{ name: 'id', type: 'int' as FieldType }],
      'REQUEST_INVALID people.format[0].type: Types are unsigned, integer, number, double, string, boolean, uuid, varbinary, decimal, datetime, scalar, array, map, any, not "int".',
    ],
  ];
  for (const [name, fields, want] of refusals) {
    it(`refuses ${name}`, () =>
      assert.equal(
        refusalOf(() => spaceFormat('people', fields)),
        want,
      ));
  }
});

describe('indexDefinition', () => {
  it('copies types and null rules from the format, and counts on', () => {
    const second: IndexOptions = { name: 'byName', parts: ['name', 'id'], unique: false };
    assert.deepEqual(space(FIELDS, [PRIMARY, second]).indexes, [
      {
        id: 0,
        name: 'pk',
        unique: true,
        parts: [{ field: 0, type: 'unsigned', isNullable: false }],
      },
      {
        id: 1,
        name: 'byName',
        unique: false,
        parts: [
          { field: 1, type: 'string', isNullable: true },
          { field: 0, type: 'unsigned', isNullable: false },
        ],
      },
    ]);
  });

  it('never gives an id again that a later index still has', () => {
    const full = space(FIELDS, [
      PRIMARY,
      { name: 'a', parts: ['name'] },
      { name: 'b', parts: ['name'] },
    ]);
    const without = { ...full, indexes: full.indexes.filter(({ name }) => name !== 'a') };
    assert.equal(indexDefinition(without, { name: 'c', parts: ['name'] }).id, 3);
  });

  const refusals: readonly (readonly [string, IndexOptions, string])[] = [
    [
      'a first index with duplicates',
      { ...PRIMARY, unique: false },
      'REQUEST_INVALID people.pk: The first index of "people" must be unique.',
    ],
    [
      'a first index that may be without a value',
      { name: 'pk', parts: ['name'] },
      'REQUEST_INVALID people.pk: The first index of "people" must have no nullable part.',
    ],
    [
      'an index over nothing',
      { name: 'pk', parts: [] },
      'REQUEST_INVALID people.pk: Index "people.pk" needs at least one part.',
    ],
    [
      'a field that is not there',
      { name: 'pk', parts: ['age'] },
      'REQUEST_INVALID people.pk: Space "people" has no field "age".',
    ],
    [
      'a field whose values have no order',
      { name: 'pk', parts: ['tags'] },
      'REQUEST_INVALID people.pk: Field "tags" is of type array, which cannot be indexed.',
    ],
  ];
  for (const [name, options, want] of refusals) {
    it(`refuses ${name}`, () =>
      assert.equal(
        refusalOf(() => indexDefinition(space(), options)),
        want,
      ));
  }

  it('is the same under another id, and under nothing else', () => {
    const [index] = space(FIELDS, [PRIMARY]).indexes;
    assert.ok(index !== undefined);
    assert.deepEqual(
      [
        { ...index, id: 7 },
        { ...index, unique: false },
        { ...index, name: 'x' },
      ].map((other) => sameIndex(index, other)),
      [true, false, false],
    );
  });
});

describe('storedTuple', () => {
  it('leaves out what may be absent at the end, and keeps fields beyond the format', () => {
    assert.deepEqual(
      [[1], [1, null], [1, 'Ada', ['x'], { free: true }]].map((row) => storedTuple(space(), row)),
      [[1], [1, null], [1, 'Ada', ['x'], { free: true }]],
    );
  });

  const admitted: readonly (readonly [FieldType, unknown, unknown])[] = [
    ['unsigned', 2n ** 64n - 1n, 2n ** 64n - 1n],
    ['integer', -1, -1],
    ['number', 0.5, 0.5],
    ['double', 1, 1],
    ['boolean', false, false],
    ['uuid', 'AAAAAAAA-AAAA-4AAA-AAAA-AAAAAAAAAAAA', 'aaaaaaaa-aaaa-4aaa-aaaa-aaaaaaaaaaaa'],
    ['varbinary', new Uint8Array([1]), new Uint8Array([1])],
    ['map', { a: [1] }, { a: [1] }],
    ['any', null, null],
  ];
  for (const [type, value, want] of admitted) {
    it(`takes ${String(value)} as ${type}`, () => {
      const one = space([{ name: 'f', type }]);
      assert.deepEqual(storedTuple(one, [value]), [want]);
    });
  }

  const refused: readonly (readonly [FieldType, unknown, string])[] = [
    ['unsigned', -1, 'unsigned, not number -1'],
    ['unsigned', 2 ** 60, 'unsigned, not number 1152921504606847000'],
    ['integer', 0.5, 'integer, not number 0.5'],
    ['number', Number.NaN, 'number, not number NaN'],
    ['string', 1, 'string, not number 1'],
    ['boolean', 'yes', 'boolean, not string yes'],
    ['uuid', 'no', 'uuid, not string no'],
    ['varbinary', 'text', 'varbinary, not string text'],
    ['array', { a: 1 }, 'array, not a map'],
    ['map', [1], 'map, not an array'],
    ['map', new Uint8Array([1]), 'map, not a binary'],
    ['string', undefined, 'string, not nil'],
  ];
  for (const [type, value, want] of refused) {
    it(`refuses ${String(value)} as ${type}, and names the field`, () => {
      const one = space([{ name: 'f', type }]);
      assert.equal(
        refusalOf(() => storedTuple(one, [value])),
        `TUPLE_INVALID f: Field "f" must be ${want}.`,
      );
    });
  }

  it('says that nothing would have done, where it would', () => {
    assert.equal(
      refusalOf(() => storedTuple(space(), [1, 2])),
      'TUPLE_INVALID name: Field "name" must be string or nil, not number 2.',
    );
  });
});

describe('storedKey', () => {
  const people = space(FIELDS, [PRIMARY, { name: 'both', parts: ['name', 'id'] }]);
  const [primary, both] = people.indexes;
  assert.ok(primary !== undefined && both !== undefined);

  it('takes a whole key, the beginning of one, and nothing', () => {
    assert.deepEqual(
      [[], ['Ada'], [null], ['Ada', 1]].map((key) => storedKey(people, both, key)),
      [[], ['Ada'], [null], ['Ada', 1]],
    );
  });

  it('refuses too many parts, and parts of another type', () => {
    assert.deepEqual(
      [
        refusalOf(() => storedKey(people, primary, [1, 2])),
        refusalOf(() => storedKey(people, both, ['Ada', 'x'])),
      ],
      [
        'TUPLE_INVALID people.pk: A key of "people.pk" has at most 1 parts, not 2.',
        'TUPLE_INVALID id: Field "id" must be unsigned, not string x.',
      ],
    );
  });
});
