import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decode } from '../msgpack/decode.ts';
import { MsgpackWriter } from '../msgpack/encode.ts';
import { DateTime } from './datetime.ts';
import { decimal } from './decimal.ts';
import type { FieldType } from './field-types.ts';
import {
  type FieldOptions,
  type IndexOptions,
  indexDefinition,
  isIndexed,
  type SpaceDefinition,
  spaceFormat,
  storedTuple,
} from './space-definition.ts';
import { encodeKey, encodeTuple } from './tuple-bytes.ts';

const FIELDS: readonly FieldOptions[] = [
  { name: 'id', type: 'uuid' },
  { name: 'name', type: 'string', isNullable: true, collation: 'unicode_ci' },
  { name: 'code', type: 'string', collation: 'binary' },
  { name: 'count', type: 'unsigned' },
];

function space(indexes: readonly IndexOptions[] = []): SpaceDefinition {
  const format = spaceFormat('people', FIELDS);
  const empty: SpaceDefinition = { id: 512, name: 'people', format, indexes: [] };
  return indexes.reduce(
    (made, options) => ({ ...made, indexes: [...made.indexes, indexDefinition(made, options)] }),
    empty,
  );
}

const PRIMARY: IndexOptions = { name: 'pk', parts: ['id'] };

describe('options of indexes', () => {
  it('are stored where they differ from what was always meant', () => {
    const { indexes } = space([
      { ...PRIMARY, type: 'tree' },
      { name: 'name', parts: [{ field: 'name', excludeNull: true, isNullable: true }, 'code'] },
      { name: 'bytes', parts: [{ field: 'name', collation: 'binary' }] },
      { name: 'code', type: 'hash', parts: [{ field: 'code', collation: 'unicode' }] },
    ]);
    assert.deepEqual(indexes, [
      { id: 0, name: 'pk', unique: true, parts: [{ field: 0, type: 'uuid', isNullable: false }] },
      {
        id: 1,
        name: 'name',
        unique: true,
        parts: [
          {
            field: 1,
            type: 'string',
            isNullable: true,
            collation: 'unicode_ci',
            excludeNull: true,
          },
          { field: 2, type: 'string', isNullable: false },
        ],
      },
      {
        id: 2,
        name: 'bytes',
        unique: true,
        parts: [{ field: 1, type: 'string', isNullable: true }],
      },
      {
        id: 3,
        name: 'code',
        unique: true,
        parts: [{ field: 2, type: 'string', isNullable: false, collation: 'unicode' }],
        type: 'hash',
      },
    ]);
    const [, name] = indexes;
    assert.deepEqual(
      [['id', null, 'c'], ['id'], ['id', 'x', null]].map((tuple) => isIndexed(name!, tuple)),
      [false, false, true],
    );
  });

  const refusals: readonly (readonly [string, IndexOptions, string])[] = [
    [
      'a hash with duplicates',
      { name: 'i', type: 'hash', parts: ['code'], unique: false },
      'Index "people.i" is a hash, which must be unique.',
    ],
    [
      'a hash with nil',
      { name: 'i', type: 'hash', parts: ['name'] },
      'Index "people.i" is a hash, which must have no nullable part.',
    ],
    [
      'another type',
      { name: 'i', type: 'bitset' as 'hash', parts: ['code'] },
      'Types of indexes are tree and hash, not "bitset".',
    ],
    [
      'another collation',
      { name: 'i', parts: [{ field: 'code', collation: 'latin' as 'binary' }] },
      'Collations are binary, unicode, unicode_ci, not "latin".',
    ],
    [
      'a collation of numbers',
      { name: 'i', parts: [{ field: 'count', collation: 'unicode' }] },
      'Field "count" is of type unsigned, which has no collation.',
    ],
    [
      'another null rule than that of the field',
      { name: 'i', parts: [{ field: 'name', isNullable: false }] },
      'Field "name" is nullable in the format, so it is in "people.i" too.',
    ],
    [
      'nil to exclude where there is none',
      { name: 'i', parts: [{ field: 'code', excludeNull: true }] },
      'Field "code" is never nil: "people.i" has nothing to exclude.',
    ],
    [
      'a sequence beside the primary key',
      { name: 'i', parts: ['count'], sequence: 'ids' },
      'Index "people.i" is not the first: it has no sequence.',
    ],
  ];
  for (const [name, options, message] of refusals) {
    it(`refuse ${name}`, () =>
      assert.throws(() => indexDefinition(space([PRIMARY]), options), {
        code: 'REQUEST_INVALID',
        field: 'people.i',
        message,
      }));
  }

  it('refuse a sequence of what it cannot count, and take one of integers', () => {
    assert.throws(() => indexDefinition(space(), { ...PRIMARY, sequence: 'ids' }), {
      message: 'The first part of "people.pk" must be unsigned or integer for a sequence.',
    });
    const options = { name: 'pk', parts: ['count'], sequence: 'ids' };
    assert.equal(indexDefinition(space(), options).sequence, 'ids');
  });
});

describe('types of fields', () => {
  const at = DateTime.of(5)!;
  const cases: readonly (readonly [FieldType, readonly unknown[], readonly unknown[]])[] = [
    ['decimal', [decimal('1.5')], [1.5, '1.5', at]],
    ['datetime', [at], ['1970-01-01', 5, new Date(5)]],
    ['number', [decimal('1.5'), 1, 2n ** 63n], [at, '1']],
    ['scalar', [1, 'x', true, new Uint8Array(1), decimal('1'), at], [[1], { a: 1 }, Number.NaN]],
    ['map', [{ a: 1 }], [decimal('1'), at]],
  ];
  for (const [type, taken, refused] of cases) {
    it(`${type} takes its values and no others`, () => {
      const format = spaceFormat('s', [{ name: 'f', type }]);
      const one: SpaceDefinition = { id: 512, name: 's', format, indexes: [] };
      for (const value of taken) assert.deepEqual(storedTuple(one, [value]), [value]);
      for (const value of refused) {
        const error = { code: 'TUPLE_INVALID', field: 'f' };
        assert.throws(() => storedTuple(one, [value]), error, String(value));
      }
    });
  }
});

describe('tuples as bytes', () => {
  const id = '5f0a4a30-0000-4000-8000-00000000000f';

  it('have a UUID as 16 bytes where the field is one, and as text elsewhere', () => {
    const writer = new MsgpackWriter();
    encodeTuple(space(), [id, id, 'c', 1], writer);
    const bytes = writer.take();
    assert.equal(bytes.length, 1 + 18 + 38 + 2 + 1);
    assert.deepEqual(decode(bytes), [id, id, 'c', 1]);
    encodeKey(space([PRIMARY]).indexes[0]!, [id], writer);
    assert.equal(writer.take().length, 1 + 18);
    encodeTuple(space(), [id, null], writer);
    assert.deepEqual(decode(writer.take()), [id, null]);
  });
});
