import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimulatedRowDatabase } from '../../../testing/simulated-row-database.ts';
import { ClusterError } from '../../errors.ts';
import type { Engine, Transaction } from '../engine.ts';
import type { Batch } from '../log-format.ts';
import { MemoryEngine } from '../memory/memory-engine.ts';

const BUILT_ROWS = 3;
/** No key of the disk is that long. */
const LONG = 'x'.repeat(2000);
const byTitle = { name: 'title', unique: false, parts: ['title'] } as const;
const byNumber = { name: 'number', unique: true, parts: ['number'] } as const;

/** An instance's rows: all of its log can be read again, with or without what its disk has. */
class Instance {
  database = new SimulatedRowDatabase();
  engine = this.#newEngine();
  readonly #log: Batch[] = [];

  get end(): number {
    const last = this.#log.at(-1);
    return last === undefined ? 0 : last.firstSequence + last.rowCount - 1;
  }

  write<T>(work: (tx: Transaction) => T): { readonly result: T; readonly batch: Batch } {
    const transaction = this.engine.begin();
    try {
      const result = work(transaction);
      transaction.commit();
      const batch = this.engine.takeBatch(1, this.end + 1);
      this.#log.push(batch);
      return { result, batch };
    } catch (error) {
      transaction.rollback();
      throw error;
    }
  }

  follow(batch: Batch): void {
    this.#log.push(batch);
    this.engine.applyBatch(batch);
  }

  /** All of it is acknowledged. */
  flush(): void {
    this.engine.disk?.flush(this.end);
    for (let step = 0; step < 10; step++) this.engine.disk?.collectGarbage();
  }

  restart(): void {
    this.engine = this.#newEngine();
    this.engine.beginLoad();
    for (const batch of this.#log) this.engine.applyBatch(batch);
    this.engine.endLoad();
  }

  #newEngine(): MemoryEngine {
    const diskLimits = { builtRows: BUILT_ROWS, changeBytes: 1 };
    return new MemoryEngine({ store: this.database, diskLimits });
  }
}

class Pair {
  readonly leader = new Instance();
  readonly follower = new Instance();

  constructor() {
    this.write((tx) => {
      const format = [
        { name: 'id', type: 'unsigned' },
        { name: 'title', type: 'string' },
        { name: 'number', type: 'integer' },
      ] as const;
      tx.createSpace('goods', { format, engine: 'disk' });
      tx.createIndex('goods', { name: 'id', parts: ['id'] });
    });
    this.flush();
  }

  write(work: (tx: Transaction) => unknown): void {
    this.follower.follow(this.leader.write(work).batch);
  }

  flush(): void {
    for (const instance of [this.leader, this.follower]) instance.flush();
  }

  /** On both, as they are, with all on the disk, and after starts with what the disk has and without it. */
  hasRows(index: string, expected: readonly unknown[]): void {
    for (const instance of [this.leader, this.follower]) {
      const isRight = (): void => assert.deepEqual(select(instance.engine, index), expected);
      isRight();
      instance.restart();
      isRight();
      instance.flush();
      isRight();
      instance.restart();
      isRight();
      instance.database = new SimulatedRowDatabase();
      instance.restart();
      isRight();
    }
  }
}

function select(engine: Engine, index: string): readonly unknown[] {
  const transaction = engine.begin();
  try {
    return transaction.select('goods', [], { index });
  } finally {
    transaction.rollback();
  }
}

function refusal(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    return { code: error.code, field: error.field, message: error.message };
  }
}

const tooLong = {
  code: 'TUPLE_INVALID',
  field: 'goods.title',
  message:
    'A key of "goods.title" would have 2016 bytes; a space of engine "disk" has keys of at most ' +
    '1978, with those of the primary index.',
};

describe('an index that is added to a disk space', () => {
  it('is made by a follower over more rows than its leader had to ask for', () => {
    const pair = new Pair();
    pair.write((tx) => {
      for (let id = 1; id <= 2 * BUILT_ROWS; id++) tx.insert('goods', [id, `${id % 2}`, id]);
    });
    pair.follower.flush();
    pair.write((tx) => {
      for (let id = 1; id <= BUILT_ROWS; id++) tx.delete('goods', [id]);
    });
    pair.write((tx) => tx.createIndex('goods', byTitle));
    pair.hasRows('title', [
      [4, '0', 4],
      [6, '0', 6],
      [5, '1', 5],
    ]);
  });

  it('counts rows that are in memory only, as those on the disk', () => {
    const pair = new Pair();
    const create = (): unknown =>
      refusal(() => pair.leader.write((tx) => tx.createIndex('goods', byTitle)));
    pair.write((tx) => {
      for (let id = 0; id <= BUILT_ROWS; id++) tx.insert('goods', [id, '', id]);
    });
    const refused = create();
    pair.flush();
    assert.deepEqual(create(), refused);
    assert.match(JSON.stringify(refused), /has 4 rows; .* created over at most 3/);
  });

  for (const [where, isStored] of [
    ['in memory', false],
    ['on the disk', true],
  ] as const) {
    it(`is refused when a row ${where} has a key that is too long, and nothing of it is left`, () => {
      const { leader } = new Pair();
      leader.write((tx) => tx.insert('goods', [1, LONG, 1]));
      leader.write((tx) => tx.insert('goods', [2, 'b', 2]));
      if (isStored) leader.flush();
      const before = leader.database.size;
      const attempt = (): unknown => leader.write((tx) => tx.createIndex('goods', byTitle));
      assert.deepEqual(refusal(attempt), tooLong);
      leader.flush();
      assert.equal(leader.database.size, isStored ? before : before + 2);
      assert.throws(() => select(leader.engine, 'title'), { code: 'SCHEMA_MISSING' });
      leader.write((tx) => tx.replace('goods', [1, 'c', 1]));
      leader.write((tx) => tx.createIndex('goods', byTitle));
      const rows = [
        [2, 'b', 2],
        [1, 'c', 1],
      ];
      assert.deepEqual(select(leader.engine, 'title'), rows);
      leader.flush();
      assert.deepEqual(select(leader.engine, 'title'), rows);
    });
  }

  it('is made when a key that is too long was changed before, and the disk does not know yet', () => {
    // What the disk has when the index comes: of the leader the row with the long key, of the follower none or both.
    for (const [leaderHas, followerHas] of [
      [1, 0],
      [0, 1],
      [0, 2],
    ] as const) {
      const pair = new Pair();
      const has = (count: number): void => {
        if (leaderHas === count) pair.leader.flush();
        if (followerHas === count) pair.follower.flush();
      };
      pair.write((tx) => [tx.insert('goods', [1, LONG, 1]), tx.insert('goods', [2, LONG, 2])]);
      has(1);
      pair.write((tx) => [tx.replace('goods', [1, 'a', 1]), tx.delete('goods', [2])]);
      has(2);
      pair.write((tx) => tx.createIndex('goods', byTitle));
      pair.hasRows('title', [[1, 'a', 1]]);
    }
  });

  it('takes rows with longer keys once it is dropped, in the same transaction as well', () => {
    const pair = new Pair();
    pair.write((tx) => [tx.createIndex('goods', byTitle), tx.insert('goods', [1, 'a', 1])]);
    pair.write((tx) => {
      tx.dropIndex('goods', 'title');
      tx.insert('goods', [2, LONG, 2]);
    });
    pair.hasRows('id', [
      [1, 'a', 1],
      [2, LONG, 2],
    ]);
  });
});

describe('an index of a disk space that is dropped and created again', () => {
  for (const [when, isOne] of [
    ['in one transaction', true],
    ['in two', false],
  ] as const) {
    it(`refuses rows that came between and have the same key, ${when}`, () => {
      const { leader } = new Pair();
      leader.write((tx) => [tx.createIndex('goods', byNumber), tx.insert('goods', [1, 'a', 7])]);
      leader.flush();
      const drop = (tx: Transaction): void => {
        tx.dropIndex('goods', 'number');
        tx.insert('goods', [2, 'b', 7]);
      };
      if (!isOne) leader.write(drop);
      const create = (tx: Transaction): void => {
        if (isOne) drop(tx);
        tx.createIndex('goods', byNumber);
      };
      assert.throws(() => leader.write(create), { code: 'DUPLICATE_KEY' });
      leader.flush();
      const rows = [[1, 'a', 7], ...(isOne ? [] : [[2, 'b', 7]])];
      assert.deepEqual(select(leader.engine, 'id'), rows);
    });
  }

  it('has what the new one has, of the same definition or of another', () => {
    for (const again of [
      byNumber,
      { ...byTitle, name: 'number' },
      { ...byNumber, unique: false },
    ]) {
      for (const isStored of [true, false]) {
        const pair = new Pair();
        pair.write((tx) => [tx.createIndex('goods', byNumber), tx.insert('goods', [1, 'b', 1])]);
        pair.write((tx) => tx.insert('goods', [2, 'a', 2]));
        if (isStored) pair.flush();
        pair.write((tx) => {
          tx.dropIndex('goods', 'number');
          tx.replace('goods', [1, 'd', 4]);
          tx.createIndex('goods', again);
          tx.replace('goods', [3, 'c', 3]);
        });
        pair.hasRows('number', [
          [2, 'a', 2],
          [3, 'c', 3],
          [1, 'd', 4],
        ]);
        // Of each row, and of its key; and what the disk says about itself.
        pair.follower.flush();
        assert.equal(pair.follower.database.size, 2 * 3 + 1);
      }
    }
  });

  it('is the old one again when that is taken back', () => {
    const { leader } = new Pair();
    leader.write((tx) => [tx.createIndex('goods', byNumber), tx.insert('goods', [1, 'a', 1])]);
    leader.flush();
    const { size } = leader.database;
    const takenBack = (): unknown =>
      leader.write((tx) => {
        tx.dropIndex('goods', 'number');
        tx.insert('goods', [2, 'b', 2]);
        tx.createIndex('goods', byNumber);
        throw new Error('taken back');
      });
    assert.throws(takenBack, { message: 'taken back' });
    leader.write((tx) => tx.replace('goods', [1, 'a', 3]));
    leader.flush();
    assert.deepEqual(select(leader.engine, 'number'), [[1, 'a', 3]]);
    assert.equal(leader.database.size, size);
  });
});
