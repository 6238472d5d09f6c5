import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ClusterError, type ErrorCode } from '../errors.ts';
import { compareValues, type Tuple } from '../schema/values.ts';
import type { IteratorType, OpenTransaction, Transaction } from './engine.ts';
import { ReferenceEngine } from './reference-engine.ts';
import { type Row, RowCodec } from './rows.ts';

function commit(
  engine: ReferenceEngine,
  work: (transaction: Transaction) => unknown,
): readonly Row[] {
  const transaction = engine.begin();
  work(transaction);
  transaction.commit();
  return new RowCodec().decode(engine.rows.take().payload);
}

function peek<T>(engine: ReferenceEngine, work: (transaction: Transaction) => T): T {
  const transaction = engine.begin();
  try {
    return work(transaction);
  } finally {
    transaction.rollback();
  }
}

function refused(code: ErrorCode, field?: string) {
  return (error: unknown): boolean =>
    error instanceof ClusterError && error.code === code && error.field === field;
}

function createEmployees(transaction: Transaction): void {
  transaction.createSpace('employees', {
    format: [
      { name: 'id', type: 'unsigned' },
      { name: 'name', type: 'string' },
      { name: 'salary', type: 'number', isNullable: true },
    ],
  });
  transaction.createIndex('employees', { name: 'primary', parts: ['id'] });
  transaction.createIndex('employees', { name: 'name', parts: ['name'], unique: false });
  transaction.createIndex('employees', { name: 'salary', parts: ['salary'] });
}

function employees(): ReferenceEngine {
  const engine = new ReferenceEngine();
  commit(engine, createEmployees);
  return engine;
}

describe('a space', () => {
  it('gives rows back by any unique index', () => {
    const engine = employees();
    commit(engine, (tx) => tx.insert('employees', [1, 'Ada', 100]));
    assert.deepEqual(
      peek(engine, (tx) => [
        tx.get('employees', [1]),
        tx.get('employees', [100], 'salary'),
        tx.get('employees', [2]),
      ]),
      [[1, 'Ada', 100], [1, 'Ada', 100], undefined],
    );
  });

  const invalid: readonly (readonly [string, readonly unknown[], string])[] = [
    ['a text for a number', ['x', 'Ada'], 'id'],
    ['a negative number for an unsigned one', [-1, 'Ada'], 'id'],
    ['a missing field', [1], 'name'],
    ['NaN', [1, 'Ada', Number.NaN], 'salary'],
    ['half of a surrogate pair', [1, '\ud800'], 'name'],
    ['a function', [1, 'Ada', 1, () => 1], '[3]'],
    ['an integer beyond 64 bits', [2n ** 64n, 'Ada'], 'id'],
  ];
  for (const [name, tuple, field] of invalid) {
    it(`refuses ${name}, naming the field`, () => {
      const engine = employees();
      assert.throws(
        () => peek(engine, (tx) => tx.insert('employees', tuple)),
        refused('TUPLE_INVALID', field),
      );
    });
  }

  it('refuses a duplicate in any unique index, but any number of nils', () => {
    const engine = employees();
    commit(engine, (tx) => {
      tx.insert('employees', [1, 'Ada', 100]);
      tx.insert('employees', [2, 'Bob', null]);
      tx.insert('employees', [3, 'Bob']);
    });
    for (const tuple of [
      [1, 'Eve', 7],
      [4, 'Eve', 100],
    ]) {
      const insert = (): unknown => peek(engine, (tx) => tx.insert('employees', tuple));
      assert.throws(insert, refused('DUPLICATE_KEY'));
    }
    assert.equal(
      peek(engine, (tx) => tx.count('employees', ['Bob'], { index: 'name' })),
      2,
    );
  });

  it('updates by name and by number, and refuses to change the primary key', () => {
    const engine = employees();
    commit(engine, (tx) => tx.insert('employees', [1, 'Ada', 100]));
    commit(engine, (tx) =>
      tx.update(
        'employees',
        [1],
        [
          ['+', 'salary', 5],
          ['-', 2, 1],
          ['=', 'name', 'Eve'],
          ['=', 3, { a: [1] }],
        ],
      ),
    );
    assert.deepEqual(
      peek(engine, (tx) => [...tx.select('employees', [])]),
      [[1, 'Eve', 104, { a: [1] }]],
    );
    assert.throws(
      () => peek(engine, (tx) => tx.update('employees', [1], [['=', 'id', 2]])),
      refused('TUPLE_INVALID', 'id'),
    );
    assert.throws(
      () => peek(engine, (tx) => tx.update('employees', [1], [['+', 'name', 2]])),
      refused('TUPLE_INVALID', 'name'),
    );
  });

  it('counts integers beyond 2^53 exactly', () => {
    const engine = employees();
    commit(engine, (tx) => tx.insert('employees', [1, 'Ada', 2n ** 53n]));
    const sum = commit(engine, (tx) => tx.update('employees', [1], [['+', 'salary', 1]]));
    assert.deepEqual(sum, [{ kind: 'replace', space: 512, tuple: [1, 'Ada', 2n ** 53n + 1n] }]);
  });

  it('is created once; again with the same definition if asked, never with another', () => {
    const engine = employees();
    const format = [{ name: 'id', type: 'unsigned' } as const];
    const again = commit(engine, (tx) => {
      const { format: same = [] } = tx.space('employees') ?? {};
      tx.createSpace('employees', { format: same, ifNotExists: true });
      tx.createIndex('employees', { name: 'primary', parts: ['id'], ifNotExists: true });
      tx.createIndex('employees', { name: 'salary', parts: ['salary'], ifNotExists: true });
    });
    assert.deepEqual(again, []);
    assert.throws(
      () => peek(engine, (tx) => tx.createSpace('employees', { format, ifNotExists: true })),
      refused('SCHEMA_CONFLICT'),
    );
    assert.throws(
      () => peek(engine, (tx) => tx.createIndex('employees', { name: 'name', parts: ['name'] })),
      refused('SCHEMA_CONFLICT'),
    );
    assert.throws(() => peek(engine, (tx) => tx.get('nothing', [1])), refused('SCHEMA_MISSING'));
    assert.throws(
      () => peek(engine, (tx) => tx.select('employees', [], { index: 'age' })),
      refused('SCHEMA_MISSING'),
    );
  });

  it('refuses rows before it has a primary index', () => {
    const engine = new ReferenceEngine();
    commit(engine, (tx) => tx.createSpace('bare', { format: [] }));
    assert.throws(() => peek(engine, (tx) => tx.insert('bare', [1])), refused('SCHEMA_MISSING'));
  });
});

describe('the order of values', () => {
  it('is that of types first, then of numbers, bytes of texts and binaries', () => {
    const ascending = [
      null,
      false,
      true,
      -(2n ** 63n),
      -1.5,
      0,
      2 ** 53 - 1,
      2n ** 53n,
      Number.POSITIVE_INFINITY,
      '',
      'a',
      'ab',
      '\uffff',
      '\u{1f600}',
      new Uint8Array([]),
      new Uint8Array([1]),
    ];
    for (const [i, a] of ascending.entries()) {
      for (const [j, b] of ascending.entries()) {
        assert.equal(Math.sign(compareValues(a, b)), Math.sign(i - j), `${String(a)} ${String(b)}`);
      }
    }
  });
});

type Step =
  | { readonly op: 'insert' | 'replace'; readonly tuple: Tuple }
  | { readonly op: 'update'; readonly id: number; readonly by: number }
  | { readonly op: 'delete'; readonly id: number };

const anId = fc.integer({ min: 0, max: 20 });
const aTuple = fc.tuple(
  anId,
  fc.constantFrom('Ada', 'Bob', 'Eve'),
  fc.option(fc.integer({ min: 0, max: 12 })),
);
const aStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ op: fc.constantFrom('insert' as const, 'replace' as const), tuple: aTuple }),
  fc.record({ op: fc.constant('update' as const), id: anId, by: fc.integer({ min: -3, max: 3 }) }),
  fc.record({ op: fc.constant('delete' as const), id: anId }),
);

function run(transaction: Transaction, step: Step): void {
  try {
    if (step.op === 'delete') transaction.delete('employees', [step.id]);
    else if (step.op === 'update') {
      transaction.update('employees', [step.id], [['+', 'salary', step.by]]);
    } else transaction[step.op]('employees', step.tuple);
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
  }
}

/** The same in a plain map, checked by looking at every row. */
function runDumb(rows: ReadonlyMap<number, Tuple>, step: Step): ReadonlyMap<number, Tuple> {
  if (step.op === 'delete') return new Map([...rows].filter(([id]) => id !== step.id));
  const tuple = dumbTuple(rows, step);
  if (tuple === undefined) return rows;
  const id = tuple[0] as number;
  if (step.op === 'insert' && rows.has(id)) return rows;
  const isTaken = [...rows.values()].some(
    (row) => row[0] !== id && row[2] !== null && row[2] === tuple[2],
  );
  return isTaken ? rows : new Map([...rows, [id, tuple]]);
}

function dumbTuple(
  rows: ReadonlyMap<number, Tuple>,
  step: Exclude<Step, { readonly op: 'delete' }>,
): Tuple | undefined {
  if (step.op !== 'update') return step.tuple;
  const [id, name, salary] = rows.get(step.id) ?? [];
  if (id === undefined || name === undefined || typeof salary !== 'number') return undefined;
  return [id, name, salary + step.by];
}

const iterators: readonly IteratorType[] = ['EQ', 'REQ', 'GE', 'GT', 'LE', 'LT', 'ALL'];

/** What an iterator covers, by trying every row. */
function selectDumb(
  rows: readonly Tuple[],
  { fields, key, iterator }: { fields: readonly number[]; key: Tuple; iterator: IteratorType },
): readonly Tuple[] {
  const order = (a: Tuple, b: Tuple): number =>
    fields.map((field) => compareValues(a[field] ?? null, b[field] ?? null)).find((s) => s !== 0) ??
    compareValues(a[0] ?? null, b[0] ?? null);
  const covers = (tuple: Tuple): boolean => {
    if (key.length === 0) return true;
    const side = compareValues(tuple[fields[0] ?? 0] ?? null, key[0] ?? null);
    const wanted = { EQ: [0], REQ: [0], GE: [0, 1], GT: [1], LE: [-1, 0], LT: [-1], ALL: [0, 1] };
    return wanted[iterator].includes(Math.sign(side));
  };
  const found = rows.filter(covers).toSorted(order);
  return ['REQ', 'LE', 'LT'].includes(iterator) ? found.toReversed() : found;
}

describe('the reference engine', () => {
  const steps = fc.array(aStep, { maxLength: 60 });

  it('holds what a plain map holds', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const engine = employees();
        let rows: ReadonlyMap<number, Tuple> = new Map();
        for (const step of all) {
          commit(engine, (tx) => run(tx, step));
          rows = runDumb(rows, step);
        }
        const wanted = [...rows.values()].toSorted((a, b) => (a[0] as number) - (b[0] as number));
        assert.deepEqual(content(engine), wanted);
      }),
    );
  });

  it('selects what a look at every row selects', () => {
    const query = fc.record({
      index: fc.constantFrom('primary' as const, 'name' as const, 'salary' as const),
      hasKey: fc.boolean(),
      value: fc.integer({ min: 0, max: 20 }),
      iterator: fc.constantFrom(...iterators),
      offset: fc.integer({ min: 0, max: 3 }),
      limit: fc.integer({ min: 0, max: 8 }),
      after: fc.option(aTuple),
    });
    const tuples = fc.array(aTuple, { maxLength: 30 });
    fc.assert(
      fc.property(tuples, query, (all, { index, hasKey, value, iterator, after, ...page }) => {
        const engine = employees();
        for (const tuple of all) commit(engine, (tx) => run(tx, { op: 'replace', tuple }));
        const name = ['Ada', 'Bob', 'Eve'][value % 3] ?? '';
        const key = hasKey ? [index === 'name' ? name : value] : [];
        const fields = [{ primary: 0, name: 1, salary: 2 }[index]];
        const covered = selectDumb(content(engine), { fields, key, iterator });
        const side = (tuple: Tuple): number =>
          after === null
            ? 1
            : ([...fields, 0]
                .map((f) => compareValues(tuple[f] ?? null, after[f] ?? null))
                .find((s) => s !== 0) ?? 0);
        const isDown = ['REQ', 'LE', 'LT'].includes(iterator);
        const behind = covered.filter(
          (tuple) => after === null || (isDown ? side(tuple) < 0 : side(tuple) > 0),
        );
        assert.deepEqual(
          peek(engine, (tx) =>
            tx.select('employees', key, {
              index,
              iterator,
              ...page,
              ...(after === null ? {} : { after }),
            }),
          ),
          behind.slice(page.offset, page.offset + page.limit),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('is as it was after a rollback', () => {
    fc.assert(
      fc.property(steps, steps, (before, undone) => {
        const engine = employees();
        commit(engine, (tx) => before.forEach((step) => run(tx, step)));
        const wanted = snapshot(engine);
        const transaction: OpenTransaction = engine.begin();
        for (const step of undone) run(transaction, step);
        transaction.dropIndex('employees', 'name');
        transaction.createSpace('other', { format: [] });
        transaction.dropSpace('employees');
        transaction.rollback();
        assert.deepEqual(snapshot(engine), wanted);
      }),
    );
  });

  it('gives rows that make another engine equal, through the bytes of the log', () => {
    fc.assert(
      fc.property(steps, steps, (first, second) => {
        const codec = new RowCodec();
        const source = new ReferenceEngine();
        const copy = new ReferenceEngine();
        const works = [
          createEmployees,
          (tx: Transaction) => first.forEach((step) => run(tx, step)),
          (tx: Transaction) => tx.dropIndex('employees', 'salary'),
          (tx: Transaction) => second.forEach((step) => run(tx, step)),
        ];
        for (const work of works) {
          copy.apply(codec.encode(commit(source, work)));
        }
        assert.deepEqual(snapshot(copy), snapshot(source));
      }),
    );
  });

  it('keeps a hundred thousand rows in order', () => {
    const engine = employees();
    const count = 100_000;
    commit(engine, (tx) => {
      for (let n = 0; n < count; n++) tx.insert('employees', [(n * 7919) % count, 'Ada', n]);
    });
    const found = peek(engine, (tx) =>
      tx.select('employees', [count / 2], { iterator: 'GE', limit: 3 }),
    );
    assert.deepEqual(
      found.map((tuple) => tuple[0]),
      [count / 2, count / 2 + 1, count / 2 + 2],
    );
  });
});

describe('values in the log', () => {
  it('come back as they were stored', () => {
    const codec = new RowCodec();
    const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom(null, true, false),
        fc.integer(),
        fc.maxSafeInteger(),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
        fc.double({ noNaN: true }),
        fc.string({ unit: 'binary' }),
        fc.uint8Array({ maxLength: 8 }),
        fc.array(tie('any'), { maxLength: 3 }),
        fc.dictionary(
          fc.string().filter((key) => key !== '__proto__'),
          tie('any'),
          { maxKeys: 3 },
        ),
      ),
    })).any;
    fc.assert(
      fc.property(fc.array(value, { maxLength: 5 }), (values) => {
        const source = employees();
        const copy = employees();
        const rows = commit(source, (tx) => tx.replace('employees', [1, 'Ada', null, ...values]));
        copy.apply(codec.encode(rows));
        assert.deepEqual(content(copy), content(source));
      }),
    );
  });
});

function content(engine: ReferenceEngine): readonly Tuple[] {
  return peek(engine, (tx) => tx.select('employees', []));
}

function snapshot(engine: ReferenceEngine): unknown {
  return peek(engine, (tx) =>
    tx.spaces().map((space) => ({
      space,
      rows: space.indexes.map((index) => tx.select(space.name, [], { index: index.name })),
    })),
  );
}
