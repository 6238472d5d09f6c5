import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimulatedRowDatabase } from '../../../testing/simulated-row-database.ts';
import { ClusterError } from '../../errors.ts';
import type { IteratorType, Transaction } from '../engine.ts';
import { MemoryEngine } from '../memory/memory-engine.ts';

const format = [
  { name: 'id', type: 'unsigned' },
  { name: 'name', type: 'string' },
  { name: 'price', type: 'number', isNullable: true },
  { name: 'title', type: 'string', isNullable: true, collation: 'unicode_ci' },
] as const;

const BUILT_ROWS = 1000;
const ROWS = 900;

class Fixture {
  readonly database = new SimulatedRowDatabase();
  readonly engine = new MemoryEngine({
    store: this.database,
    diskLimits: { builtRows: BUILT_ROWS },
  });
  #end = 0;

  constructor() {
    this.write((tx) => {
      tx.createSpace('goods', { format, engine: 'disk' });
      tx.createIndex('goods', { name: 'id', parts: ['id'] });
      tx.createIndex('goods', { name: 'name', unique: false, parts: ['name'] });
    });
  }

  write<T>(work: (tx: Transaction) => T): T {
    const transaction = this.engine.begin();
    const result = (() => {
      try {
        return work(transaction);
      } catch (error) {
        transaction.rollback();
        throw error;
      }
    })();
    transaction.commit();
    const { rowCount } = this.engine.takeBatch(1, this.#end + 1);
    this.#end += rowCount;
    return result;
  }

  /** All of it is acknowledged. */
  flush(): void {
    this.engine.disk?.flush(this.#end);
    this.engine.disk?.flush(this.#end);
  }

  fill(count = ROWS): void {
    this.write((tx) => {
      for (let id = 0; id < count; id++) tx.insert('goods', [id, `name ${id % 7}`]);
    });
    this.flush();
  }
}

function refusal(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof ClusterError);
    return { code: error.code, field: error.field, message: error.message };
  }
}

describe('a space of engine disk', () => {
  it('has no row in memory once all are acknowledged', () => {
    const fixture = new Fixture();
    fixture.fill();
    assert.equal(fixture.engine.memory.arena.tupleBytes, 0);
    assert.equal(
      fixture.write((tx) => tx.count('goods')),
      ROWS,
    );
    fixture.flush();
    assert.equal(fixture.engine.memory.arena.tupleBytes, 0);
  });

  it('is walked over several pages in all directions, with rows in memory among them', () => {
    const fixture = new Fixture();
    fixture.fill();
    const ids = (iterator: IteratorType, key: readonly unknown[], offset: number): unknown =>
      fixture.write((tx) =>
        tx.select('goods', key, { iterator, offset, limit: 600 }).map(([id]) => id),
      );
    fixture.write((tx) => {
      tx.delete('goods', [301]);
      tx.insert('goods', [ROWS, 'new']);
    });
    const up = Array.from({ length: ROWS + 1 }, (_, id) => id).filter((id) => id !== 301);
    assert.deepEqual(ids('ALL', [], 0), up.slice(0, 600));
    assert.deepEqual(ids('GT', [99], 300), up.slice(400));
    assert.deepEqual(ids('LE', [ROWS], 5), up.toReversed().slice(5, 605));
  });

  it('refuses an index whose order the disk does not keep, and names the field', () => {
    const fixture = new Fixture();
    const message = (field: string): string =>
      `Field ${field}, over which a space of engine "disk" has no indexes: those are of unsigned, ` +
      'integer, string with collation binary, varbinary, boolean and uuid. Leave the field out of ' +
      'the index, or keep the space in memory.';
    assert.deepEqual(
      ['price', 'title'].map((field) =>
        refusal(() =>
          fixture.write((tx) => tx.createIndex('goods', { name: 'x', parts: [field] })),
        ),
      ),
      [
        {
          code: 'REQUEST_INVALID',
          field: 'goods.x',
          message: message('"price" is of type number'),
        },
        {
          code: 'REQUEST_INVALID',
          field: 'goods.x',
          message: message('"title" is of type string with collation unicode_ci'),
        },
      ],
    );
  });

  it('refuses a key that is too long for the disk, and finds none', () => {
    const fixture = new Fixture();
    const name = 'x'.repeat(2000);
    assert.deepEqual(
      refusal(() => fixture.write((tx) => tx.insert('goods', [1, name]))),
      {
        code: 'TUPLE_INVALID',
        field: 'goods.name',
        message:
          'A key of "goods.name" would have 2016 bytes; a space of engine "disk" has keys of at ' +
          'most 1978, with those of the primary index.',
      },
    );
    fixture.fill(3);
    assert.deepEqual(
      fixture.write((tx) => tx.select('goods', [name], { index: 'name' })),
      [],
    );
    const after = fixture.write((tx) =>
      tx.select('goods', [name], { index: 'name', iterator: 'LT' }).map(([id]) => id),
    );
    assert.deepEqual(after, [2, 1, 0]);
  });

  it('refuses an index over more rows than are looked at in one step', () => {
    const fixture = new Fixture();
    fixture.fill(BUILT_ROWS + 1);
    const refused = refusal(() =>
      fixture.write((tx) => tx.createIndex('goods', { name: 'both', parts: ['name', 'id'] })),
    );
    assert.deepEqual(refused, {
      code: 'REQUEST_INVALID',
      field: 'goods.both',
      message:
        '"goods" has 1001 rows; an index of a disk space is created over at most 1000 of them. ' +
        'Create a space with all its indexes and move the rows there.',
    });
  });

  it('leaves nothing on the disk when it is dropped', () => {
    const fixture = new Fixture();
    fixture.fill();
    assert.ok(fixture.database.size > 2 * ROWS);
    fixture.write((tx) => tx.dropSpace('goods'));
    fixture.flush();
    for (let step = 0; step < 10; step++) fixture.engine.disk?.collectGarbage();
    // What it says about itself.
    assert.equal(fixture.database.size, 1);
  });

  it('is refused where there is no database, and so is an engine of another name', () => {
    const transaction = new MemoryEngine().begin();
    const attempts = ['disk', 'vinyl'].map((engine) =>
      refusal(() => transaction.createSpace('goods', { format, engine: engine as 'disk' })),
    );
    assert.deepEqual(attempts, [
      {
        code: 'REQUEST_INVALID',
        field: 'goods.engine',
        message: 'Space "goods" is of engine "disk", which this instance has no database for.',
      },
      {
        code: 'REQUEST_INVALID',
        field: 'goods.engine',
        message: 'Engines are memory and disk, not "vinyl".',
      },
    ]);
  });
});
