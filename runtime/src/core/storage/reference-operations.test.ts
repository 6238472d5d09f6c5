import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ClusterError } from '../errors.ts';
import { decode } from '../msgpack/decode.ts';
import { encode } from '../msgpack/encode.ts';
import { decimal } from '../schema/decimal.ts';
import type { SpaceDefinition } from '../schema/space-definition.ts';
import type { Tuple, Value } from '../schema/values.ts';
import type { Transaction, UpdateOperation } from './engine.ts';
import { ReferenceEngine } from './reference-engine.ts';
import { updateTuple, upsertTuple } from './tuple-update.ts';
import { updated, upserted } from './update-operations.ts';

function commit<T>(engine: ReferenceEngine, work: (transaction: Transaction) => T): T {
  const transaction = engine.begin();
  try {
    const result = work(transaction);
    transaction.commit();
    return result;
  } catch (error) {
    transaction.rollback();
    throw error;
  }
}

function people(): ReferenceEngine {
  const engine = new ReferenceEngine();
  commit(engine, (tx) => {
    tx.createSequence('ids', { start: 10 });
    tx.createSpace('people', {
      format: [
        { name: 'id', type: 'unsigned' },
        { name: 'name', type: 'string', collation: 'unicode_ci' },
        { name: 'age', type: 'number', isNullable: true },
        { name: 'card', type: 'uuid', isNullable: true },
      ],
    });
    tx.createIndex('people', { name: 'pk', parts: ['id'], sequence: 'ids' });
    tx.createIndex('people', { name: 'name', parts: ['name'], type: 'hash' });
    tx.createIndex('people', {
      name: 'age',
      parts: [{ field: 'age', excludeNull: true }],
      unique: false,
    });
  });
  return engine;
}

function all(engine: ReferenceEngine): readonly Tuple[] {
  return commit(engine, (tx) => tx.select('people', []));
}

/** Another engine that was given all rows for the log. */
function follower(engine: ReferenceEngine): ReferenceEngine {
  const other = new ReferenceEngine();
  other.apply(engine.rows.take().payload);
  return other;
}

const CARD = '5f0a4a30-0000-4000-8000-00000000000f';

describe('a space with a sequence, a hash and a sparse index', () => {
  it('numbers its rows, behind all that came with a number', () => {
    const engine = people();
    commit(engine, (tx) => {
      tx.insert('people', [null, 'Ada']);
      tx.replace('people', [20, 'Bob']);
      tx.insert('people', [5, 'Eve']);
      tx.upsert('people', [undefined, 'Dan'], [['=', 'name', 'x']]);
    });
    assert.deepEqual(all(engine), [
      [5, 'Eve'],
      [10, 'Ada'],
      [20, 'Bob'],
      [21, 'Dan'],
    ]);
    const other = follower(engine);
    assert.equal(
      commit(other, (tx) => tx.nextOf('ids')),
      22,
    );
  });

  it('goes back with its transaction', () => {
    const engine = people();
    commit(engine, (tx) => tx.insert('people', [null, 'Ada', 3]));
    const transaction = engine.begin();
    transaction.insert('people', [null, 'Bob', 4]);
    transaction.setSequence('ids');
    transaction.truncate('people');
    transaction.insert('people', [1, 'Ada']);
    transaction.createSequence('more');
    transaction.rollback();
    assert.deepEqual(all(engine), [[10, 'Ada', 3]]);
    assert.deepEqual(
      commit(engine, (tx) => [tx.nextOf('ids'), tx.sequences().map(({ name }) => name)]),
      [11, ['ids']],
    );
    assert.deepEqual(all(follower(engine)), [[10, 'Ada', 3]]);
  });

  it('finds texts by their collation, and has no order in a hash', () => {
    const engine = people();
    commit(engine, (tx) => tx.insert('people', [1, 'Ada', 7, CARD.toUpperCase()]));
    const row = [1, 'Ada', 7, CARD];
    commit(engine, (tx) => {
      assert.deepEqual(tx.get('people', ['áDA'], 'name'), row);
      assert.deepEqual(tx.select('people', [], { index: 'name', iterator: 'ALL' }), [row]);
      for (const iterator of ['GE', 'LE', 'LT', 'REQ', 'GT'] as const) {
        const select = (): unknown => tx.select('people', ['Ada'], { index: 'name', iterator });
        assert.throws(select, { code: 'TUPLE_INVALID', field: 'people.name' });
      }
      assert.throws(() => tx.min('people', [], 'name'), { field: 'people.name' });
    });
    assert.throws(() => commit(engine, (tx) => tx.insert('people', [2, 'ADA'])), {
      code: 'DUPLICATE_KEY',
    });
  });

  it('leaves rows with nil out of a sparse index, also as they come and go', () => {
    const engine = people();
    const ages = (): unknown =>
      commit(engine, (tx) => tx.select('people', [], { index: 'age' }).map(([id]) => id));
    commit(engine, (tx) => {
      tx.insert('people', [1, 'Ada', null]);
      tx.insert('people', [2, 'Bob', 5]);
      tx.insert('people', [3, 'Eve', decimal('4.5')]);
    });
    assert.deepEqual(ages(), [3, 2]);
    commit(engine, (tx) => {
      tx.update('people', [1], [['=', 'age', 4]]);
      tx.update('people', [2], [['=', 'age', null]]);
      tx.delete('people', [3]);
    });
    assert.deepEqual(ages(), [1]);
  });

  it('gives its first and last row, of all and of those that begin with a key', () => {
    const engine = people();
    commit(engine, (tx) => {
      assert.equal(tx.min('people'), undefined);
      for (const [id, name] of ['x', 'y', 'z'].entries()) tx.insert('people', [id, name, id % 2]);
      assert.deepEqual(
        [tx.min('people'), tx.max('people'), tx.max('people', [0], 'age'), tx.min('people', [9])],
        [[0, 'x', 0], [2, 'z', 0], [2, 'z', 0], undefined],
      );
    });
  });

  it('is emptied at once, here and where the log is applied', () => {
    const engine = people();
    commit(engine, (tx) => tx.insert('people', [1, 'Ada', 1]));
    commit(engine, (tx) => {
      tx.truncate('people');
      tx.insert('people', [2, 'Ada', 2]);
    });
    assert.deepEqual([all(engine), all(follower(engine))], [[[2, 'Ada', 2]], [[2, 'Ada', 2]]]);
  });

  it('is all in a scan, with its sequence', () => {
    const engine = people();
    commit(engine, (tx) => tx.insert('people', [null, 'Ada', 1, CARD]));
    const other = new ReferenceEngine();
    other.apply(engine.scan(undefined, 1e6).payload);
    assert.deepEqual(all(other), [[10, 'Ada', 1, CARD]]);
    assert.equal(
      commit(other, (tx) => tx.nextOf('ids')),
      11,
    );
  });

  it('keeps its sequence while it uses it', () => {
    const engine = people();
    assert.throws(() => commit(engine, (tx) => tx.dropSequence('ids')), {
      code: 'SCHEMA_CONFLICT',
    });
    assert.throws(() => commit(engine, (tx) => tx.nextOf('none')), { code: 'SCHEMA_MISSING' });
    commit(engine, (tx) => {
      tx.dropSpace('people');
      tx.dropSequence('ids');
    });
    assert.deepEqual(
      commit(follower(engine), (tx) => tx.sequences()),
      [],
    );
  });
});

describe('upsert', () => {
  it('inserts, or does what can be done', () => {
    const engine = people();
    const operations: readonly UpdateOperation[] = [
      ['+', 'age', 1],
      ['+', 'name', 1],
      ['=', 'id', 99],
    ];
    commit(engine, (tx) => {
      tx.upsert('people', [1, 'Ada', 1], operations);
      tx.upsert('people', [1, 'Ada', 1], operations.slice(0, 2));
    });
    assert.deepEqual(all(engine), [[1, 'Ada', 2]]);
    // The row that would come out has another primary key.
    commit(engine, (tx) => tx.upsert('people', [1, 'Ada', 1], operations));
    assert.deepEqual(all(engine), [[1, 'Ada', 2]]);
  });

  it('refuses operations that are wrong whatever the row is', () => {
    const engine = people();
    for (const operation of [
      ['+', 'age', 'x'],
      ['#', 'age', 0],
      ['=', 'none', 1],
    ] as const) {
      const upsert = (): unknown =>
        commit(engine, (tx) => tx.upsert('people', [1, 'Ada', 1], [operation]));
      assert.throws(upsert, { code: 'TUPLE_INVALID', field: operation[1] });
    }
    assert.deepEqual(all(engine), []);
  });
});

describe('updates of values', () => {
  const space: SpaceDefinition = {
    id: 512,
    name: 'free',
    format: [{ name: 'a', type: 'any', isNullable: true }],
    indexes: [],
  };
  const exact = fc.oneof(
    fc.integer({ min: -300, max: 300 }),
    fc.constantFrom<Value>(2n ** 64n - 1n, -(2n ** 63n), 2 ** 53 - 1, decimal('1.50'), null, [1]),
    fc.string({ maxLength: 6 }),
  );
  // A floating-point number that stays one with whatever is added; its difference to itself does not.
  const leaf = fc.oneof({ arbitrary: exact, weight: 3 }, fc.constant(1e300));
  const field = fc.oneof(fc.integer({ min: -6, max: 6 }), fc.constant('a'));
  const operation: fc.Arbitrary<UpdateOperation> = fc.oneof(
    fc.tuple(fc.constantFrom('=', '+', '&', '|', '^', '!'), field, leaf),
    fc.tuple(fc.constant('-' as const), field, exact),
    fc.tuple(fc.constant('#' as const), field, fc.nat(3)),
    fc.tuple(
      fc.constant(':' as const),
      field,
      fc.integer({ min: -4, max: 8 }),
      fc.integer({ min: -4, max: 8 }),
      fc.string({ maxLength: 3 }),
    ),
  );

  function outcome(work: () => readonly Value[]): unknown {
    try {
      return work();
    } catch (error) {
      assert.ok(error instanceof ClusterError, String(error));
      return error.protocolNumber;
    }
  }

  it('do what those of bytes do', () => {
    const fields = {
      numberOf: (name: string): number | undefined => (name === 'a' ? 0 : undefined),
      count: 1,
      canRepeat: true,
    };
    fc.assert(
      fc.property(
        fc.array(leaf, { maxLength: 5 }),
        fc.array(operation, { maxLength: 4 }),
        (tuple, operations) => {
          const bytes = encode(tuple);
          const raw = { bytes, start: 0, end: bytes.length };
          const given = { bytes: encode(operations as readonly Value[]), at: 0, indexBase: 0 };
          const asValue = (made: Uint8Array): readonly Value[] => decode(made) as readonly Value[];
          assert.deepEqual(
            [
              outcome(() => updated(space, tuple, operations)),
              outcome(() => upserted(space, tuple, operations)),
            ],
            [
              outcome(() => asValue(updateTuple(raw, given, fields))),
              outcome(() => asValue(upsertTuple(raw, given, fields))),
            ],
          );
        },
      ),
      { numRuns: 2000 },
    );
  });
});
