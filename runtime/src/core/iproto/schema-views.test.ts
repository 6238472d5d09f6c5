import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClusterError } from '../errors.ts';
import type { SpaceDefinition } from '../schema/space-definition.ts';
import type { Tuple } from '../schema/values.ts';
import { selectView } from './schema-views.ts';

const spaces: readonly SpaceDefinition[] = [
  {
    id: 512,
    name: 'books',
    format: [
      { name: 'id', type: 'unsigned', isNullable: false },
      { name: 'title', type: 'string', isNullable: true },
    ],
    indexes: [
      {
        id: 0,
        name: 'primary',
        unique: true,
        parts: [{ field: 0, type: 'unsigned', isNullable: false }],
      },
      {
        id: 1,
        name: 'title',
        unique: false,
        parts: [{ field: 1, type: 'string', isNullable: true, collation: 'unicode_ci' }],
      },
    ],
  },
];

interface Asked {
  readonly space: number;
  readonly index?: number;
  readonly iterator?: number;
  readonly key?: Tuple;
}

function ask(
  { space, index = 0, iterator = 0, key = [] }: Asked,
  of: readonly SpaceDefinition[] = spaces,
): readonly Tuple[] {
  return selectView({ space, index, iterator, key, limit: 1000, offset: 0 }, of);
}

describe('the system spaces', () => {
  it('tell which spaces are synchronous', () => {
    const safe: SpaceDefinition = { id: 513, name: 'safe', format: [], indexes: [], isSync: true };
    const fast: SpaceDefinition = { id: 514, name: 'fast', format: [], indexes: [], ack: 'local' };
    const rows = ask({ space: 281, iterator: 5, key: [513] }, [safe, fast]);
    assert.deepEqual(rows, [
      [513, 1, 'safe', 'memtx', 0, { is_sync: true }, []],
      [514, 1, 'fast', 'memtx', 0, {}, []],
    ]);
  });

  it('have the rows that connectors read', () => {
    const format = [
      { name: 'id', type: 'unsigned' },
      { name: 'title', type: 'string', is_nullable: true },
    ];
    const row = [512, 1, 'books', 'memtx', 0, {}, format];
    assert.deepEqual(ask({ space: 281, key: [512] }), [row]);
    assert.deepEqual(ask({ space: 280, index: 2, key: ['books'] }), [row]);
    const title = { field: 1, type: 'string', is_nullable: true, collation: 2 };
    assert.deepEqual(ask({ space: 289, key: [512] }), [
      [
        512,
        0,
        'primary',
        'tree',
        { unique: true },
        [{ field: 0, type: 'unsigned', is_nullable: false }],
      ],
      [512, 1, 'title', 'tree', { unique: false }, [title]],
    ]);
    assert.equal(ask({ space: 288, index: 2, key: [512, 'title'] }).length, 1);
  });

  it('are searched by every iterator', () => {
    const ids = (iterator: number, key: Tuple): readonly unknown[] =>
      ask({ space: 277, iterator, key }).map(([id]) => id);
    assert.deepEqual(ids(0, [1]), [1]);
    assert.deepEqual(ids(1, []), [3, 2, 1, 0]);
    assert.deepEqual(ids(2, []), [0, 1, 2, 3]);
    assert.deepEqual(ids(2, [2]), [2, 3]);
    assert.deepEqual(ids(3, []), [3, 2, 1, 0]);
    assert.deepEqual(ids(3, [2]), [1, 0]);
    assert.deepEqual(ids(4, [2]), [2, 1, 0]);
    assert.deepEqual(ids(5, [2]), [2, 3]);
    assert.deepEqual(ids(6, [2]), [3]);
  });

  it('refuse ids that are none', () => {
    const refusal = (asked: Asked): unknown => {
      try {
        return ask(asked);
      } catch (error) {
        return (error as ClusterError).protocolNumber;
      }
    };
    assert.deepEqual([refusal({ space: 1 }), refusal({ space: 281, index: 9 })], [36, 35]);
  });
});
