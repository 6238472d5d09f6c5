import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  attempt,
  nullable,
  primaries,
  rowsInOrder,
  type Step,
  stepsOn,
  transact,
} from '../../../testing/random-steps.ts';
import { ClusterError } from '../../errors.ts';
import { DateTime } from '../../schema/datetime.ts';
import { decimal } from '../../schema/decimal.ts';
import type { IndexOptions } from '../../schema/space-definition.ts';
import type { Engine, UpdateOperation } from '../engine.ts';
import { ReferenceEngine } from '../reference-engine.ts';
import { RowCodec } from '../rows.ts';
import type { IndexBuild } from './index-build.ts';
import { MemoryEngine } from './memory-engine.ts';

const format = [
  { name: 'id', type: 'unsigned' },
  { name: 'name', type: 'string' },
  { name: 'n', type: 'integer', isNullable: true },
  { name: 'x', type: 'number', isNullable: true },
  { name: 'key', type: 'uuid', isNullable: true },
  { name: 'blob', type: 'varbinary', isNullable: true },
  { name: 'flag', type: 'boolean', isNullable: true },
  { name: 'any', type: 'any' },
  { name: 'amount', type: 'decimal', isNullable: true },
  { name: 'at', type: 'datetime', isNullable: true },
  { name: 'title', type: 'string', isNullable: true, collation: 'unicode_ci' },
  { name: 'scalar', type: 'scalar', isNullable: true },
] as const;

const indexes = [
  { name: 'name', unique: false, parts: ['name'] },
  { name: 'n', unique: true, parts: ['n'] },
  { name: 'n_name', unique: false, parts: ['n', 'name'] },
  { name: 'x', unique: false, parts: ['x'] },
  { name: 'key', unique: false, parts: ['key', 'flag'] },
  { name: 'blob', unique: true, parts: ['blob', 'name'] },
  { name: 'flag', unique: false, parts: ['flag', 'x'] },
  { name: 'amount', unique: false, parts: ['amount'] },
  { name: 'at', unique: true, parts: ['at', 'amount'] },
  { name: 'title', unique: true, parts: [{ field: 'title', excludeNull: true }] },
  { name: 'scalar', unique: false, parts: ['scalar', 'n'] },
  { name: 'hash', type: 'hash', unique: true, parts: ['name', 'id'] },
] as const;

const text = fc.oneof(
  fc.constantFrom('', 'a', 'ab', 'abcdefg', 'abcdefgh', 'abcdefgi', 'é', '\u{1f600}'),
  fc.string({ maxLength: 3 }),
);
const integer = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.constantFrom(
    2 ** 53 - 1,
    2n ** 53n,
    2n ** 53n + 1n,
    2n ** 63n,
    2n ** 63n + 1n,
    -(2n ** 53n) - 1n,
  ),
);
const uuids = [
  '00000000-0000-4000-8000-000000000001',
  '00000000-0000-4000-8000-000000000002',
  'ffffffff-0000-4000-8000-000000000001',
] as const;
const uuid = fc.constantFrom(...uuids);
const amount = fc
  .constantFrom('0', '1', '-1.50', '1.5', '123456789012345678901234567890.5')
  .map(decimal);
const moment = fc
  .record({
    seconds: fc.integer({ min: -2, max: 2 }),
    nanoseconds: fc.constantFrom(0, 1, 999_999_999),
    offset: fc.constantFrom(0, 60),
  })
  .map(
    ({ seconds, nanoseconds, offset }) =>
      DateTime.of(seconds, nanoseconds, { tzoffset: offset }) as DateTime,
  );
const tuple = fc.tuple(
  fc.oneof(fc.integer({ min: 0, max: 30 }), fc.constant(-1)),
  text,
  nullable(integer),
  nullable(fc.oneof(integer, fc.double({ noNaN: true }))),
  nullable(uuid),
  nullable(fc.uint8Array({ maxLength: 3 })),
  nullable(fc.boolean()),
  fc.constantFrom(null, 1, 'x', [1, { a: 2 }]),
  nullable(amount),
  nullable(moment),
  nullable(fc.constantFrom('a', 'A', 'b', 'ä', 'Z', 'ß', 'ss')),
  nullable(fc.oneof(integer, fc.constantFrom('a', 'b', true, false, 1.5), amount)),
);

const field = fc.constantFrom<string | number>('n', 'x', 'name', 'any', 'amount', 2, 7, -1, 20);
const operation: fc.Arbitrary<UpdateOperation> = fc.oneof(
  fc.tuple(fc.constantFrom('+', '-'), field, fc.oneof(integer, amount)),
  fc.tuple(fc.constantFrom('&', '|', '^'), field, fc.integer({ min: 0, max: 255 })),
  fc.tuple(fc.constant('='), field, fc.oneof(integer, text, fc.constant(null))),
  fc.tuple(
    fc.constant(':'),
    fc.constantFrom<string | number>('name', 1, 'any'),
    fc.integer({ min: -4, max: 4 }),
    fc.integer({ min: -2, max: 3 }),
    fc.constantFrom('', 'x', 'yz'),
  ),
  fc.tuple(fc.constantFrom('!', '#'), fc.constantFrom<number>(12, -1, 13), fc.constantFrom(1, 2)),
);

const steps = stepsOn({ row: tuple, indexes, operation });
const numbered = fc.tuple(nullable(fc.integer({ min: -5, max: 50 })), text).map(
  (row): Step =>
    (tx) =>
      tx.insert('numbered', row),
);
const step = fc.oneof(
  { weight: 6, arbitrary: steps.insert },
  { weight: 4, arbitrary: steps.replace },
  { weight: 3, arbitrary: steps.delete },
  { weight: 2, arbitrary: steps.get },
  { weight: 6, arbitrary: steps.select },
  { weight: 2, arbitrary: steps.minOrMax },
  { weight: 1, arbitrary: steps.count },
  { weight: 4, arbitrary: steps.update },
  { weight: 3, arbitrary: steps.upsert },
  { weight: 1, arbitrary: steps.createIndex },
  { weight: 1, arbitrary: steps.dropIndex },
  { weight: 1, arbitrary: steps.truncate },
  { weight: 1, arbitrary: fc.constant<Step>((tx) => tx.nextOf('ids')) },
  { weight: 1, arbitrary: numbered },
);

function content(engine: Engine): unknown {
  return transact(
    engine,
    (tx) =>
      tx.spaces().map((space) => ({
        space,
        indexes: space.indexes.map((index) => rowsInOrder(tx, space.name, index)),
      })),
    false,
  );
}

function create(
  engine: Engine,
  primary: readonly string[],
  secondary: readonly IndexOptions[] = [],
): void {
  transact(engine, (tx) => {
    tx.createSpace('space', { format });
    tx.createIndex('space', { name: 'pk', parts: primary });
    for (const index of secondary) tx.createIndex('space', index);
    tx.createSequence('ids', { start: 5, max: 40 });
    tx.createSpace('numbered', { format: [{ name: 'id', type: 'integer' }] });
    tx.createIndex('numbered', { name: 'pk', parts: ['id'], sequence: 'ids' });
  });
}

const first = fc.record({
  primary: fc.constantFrom(...primaries),
  secondary: fc.subarray([...indexes]),
});
/** Between two transactions an index is begun or goes on; `takes`: the next one creates all that were begun. */
const building = fc.record({
  index: fc.constantFrom(...indexes),
  rows: fc.integer({ min: 0, max: 3 }),
});
const history = fc.array(
  fc.record({
    steps: fc.array(step, { minLength: 1, maxLength: 8 }),
    isKept: fc.boolean(),
    building: fc.array(building, { maxLength: 2 }),
    takes: fc.boolean(),
  }),
  { maxLength: 25 },
);

/** Indexes that are made while rows come and go. */
class Builds {
  readonly #engine: MemoryEngine;
  readonly #begun = new Map<IndexOptions, IndexBuild>();

  constructor(engine: MemoryEngine) {
    this.#engine = engine;
  }

  goOn({ index, rows }: { readonly index: IndexOptions; readonly rows: number }): void {
    const build = this.#begun.get(index) ?? this.#engine.beginIndex('space', index, 0);
    if (build === undefined) return;
    this.#begun.set(index, build);
    build.step(rows);
  }

  /** Creates all of them: most are filled, some are not. */
  take(): readonly Step[] {
    const steps = [...this.#begun].map(([index, build], n): Step => {
      if (n % 4 !== 3) while (build.step(5));
      return (tx) => tx.createIndex('space', index);
    });
    this.#begun.clear();
    return steps;
  }
}

describe('the memory engine', () => {
  it('does what the reference engine does, in every history', () => {
    fc.assert(
      fc.property(first, history, ({ primary, secondary }, transactions) => {
        const engine = new MemoryEngine();
        const oracle = new ReferenceEngine();
        const follower = new MemoryEngine();
        create(engine, primary, secondary);
        create(oracle, primary, secondary);
        const stepwise = new MemoryEngine();
        const replayed = new MemoryEngine();
        replayed.beginLoad();
        const apply = ({ payload }: { readonly payload: Uint8Array }): void => {
          follower.apply(payload);
          replayed.apply(payload);
          for (const build of stepwise.beginIndexes(payload, 0)) while (build.step(3));
          stepwise.apply(payload);
        };
        apply(engine.rows.take());
        const builds = new Builds(engine);
        for (const { steps, isKept, building, takes } of transactions) {
          for (const each of building) builds.goOn(each);
          const all = takes ? [...builds.take(), ...steps] : steps;
          const outcomes = (target: Engine): unknown =>
            transact(target, (tx) => all.map((each) => attempt(() => each(tx))), isKept);
          assert.deepEqual(outcomes(engine), outcomes(oracle));
          apply(engine.rows.take());
        }
        assert.deepEqual(content(engine), content(oracle));
        assert.deepEqual(content(follower), content(oracle));
        assert.deepEqual(content(stepwise), content(oracle));
        assert.deepEqual(content(reloaded(engine)), content(oracle));
        replayed.endLoad();
        assert.deepEqual(content(replayed), content(oracle));
        for (const each of [engine, follower, stepwise, replayed]) while (each.collectGarbage());
        const { tupleBytes } = engine.memory.arena;
        assert.equal(follower.memory.arena.tupleBytes, tupleBytes);
        assert.equal(replayed.memory.arena.tupleBytes, tupleBytes);
      }),
      { numRuns: Number(process.env['RUNS'] ?? 300) },
    );
  });

  it('keeps many rows in order in all indexes while they come and go', () => {
    const engine = new MemoryEngine();
    const oracle = new ReferenceEngine();
    for (const target of [engine, oracle]) {
      create(target, ['id']);
      transact(target, (tx) => {
        for (const index of indexes.slice(0, 3)) tx.createIndex('space', index);
      });
      const ids = (n: number): number => (n * 7919) % 20_011;
      transact(target, (tx) => {
        for (let n = 0; n < 20_000; n++) tx.insert('space', [ids(n), `name ${n % 50}`, n]);
      });
      transact(target, (tx) => {
        for (let n = 0; n < 20_000; n++) if (n % 16 !== 3) tx.delete('space', [ids(n)]);
      });
      transact(target, (tx) => {
        for (let n = 0; n < 5_000; n++) tx.replace('space', [n, 'again', null]);
      });
    }
    assert.deepEqual(content(engine), content(oracle));
    transact(engine, (tx) => {
      for (const row of tx.select('space', [])) tx.delete('space', [row[0]]);
    });
    assert.equal(engine.memory.arena.tupleBytes, 0);
    assert.equal(engine.memory.arena.usedBytes, 0);
  });

  it('gives its memory back when spaces are dropped', () => {
    const engine = new MemoryEngine();
    create(engine, ['id']);
    transact(engine, (tx) => {
      for (let n = 0; n < 5_000; n++) tx.insert('space', [n, 'x'.repeat(n % 700)]);
    });
    assert.ok(engine.memory.budget.usedBytes > 1_000_000);
    transact(engine, (tx) => {
      tx.dropSpace('space');
      tx.dropSpace('numbered');
    });
    while (engine.collectGarbage());
    assert.equal(engine.memory.arena.tupleBytes, 0);
    assert.equal(engine.memory.budget.usedBytes, 0);
  });

  it('takes the memory of a truncation back that is rolled back', () => {
    const engine = new MemoryEngine();
    create(engine, ['id']);
    const before = engine.memory.budget.usedBytes;
    transact(
      engine,
      (tx) => {
        tx.truncate('space');
        for (let n = 0; n < 20_000; n++) tx.insert('space', [n, 'x']);
      },
      false,
    );
    assert.equal(engine.memory.budget.usedBytes, before);
  });

  it('does not give the number of a dropped space to another one', () => {
    const engine = new MemoryEngine();
    create(engine, ['id']);
    const dropped = transact(engine, (tx) => tx.createSpace('last', { format: [] }).id);
    transact(engine, (tx) => tx.dropSpace('last'));
    assert.ok(transact(engine, (tx) => tx.createSpace('next', { format: [] }).id) > dropped);
  });

  it('applies rows of release 0.1, in which a UUID is text', () => {
    const engine = new MemoryEngine();
    const [kept, gone] = ['00000000-0000-4000-8000-00000000000a', uuids[0]];
    transact(engine, (tx) => {
      tx.createSpace('old', { format: [{ name: 'id', type: 'uuid' }] });
      tx.createIndex('old', { name: 'pk', parts: ['id'] });
    });
    const space = transact(engine, (tx) => tx.space('old')?.id ?? 0);
    engine.apply(
      new RowCodec().encode([
        { kind: 'replace', space, tuple: [kept] },
        { kind: 'replace', space, tuple: [gone] },
        { kind: 'delete', space, key: [gone] },
      ]),
    );
    assert.deepEqual(
      transact(engine, (tx) => tx.select('old', [])),
      [[kept]],
    );
  });

  it('refuses writes before its memory is full, and takes deletes', () => {
    const engine = new MemoryEngine({ memoryBytes: 8 * 1024 * 1024 });
    create(engine, ['id']);
    let rows = 0;
    const fill = (): unknown =>
      transact(engine, (tx) => tx.insert('space', [rows++, 'x'.repeat(5_000)]));
    assert.throws(
      () => {
        for (;;) fill();
      },
      (error: unknown) => error instanceof ClusterError && error.code === 'MEMORY_FULL',
    );
    assert.ok(rows > 1_000);
  });

  it('stores tuples of every size, and finds their pages again', () => {
    const engine = new MemoryEngine();
    create(engine, ['id']);
    const sizes = [0, 1, 100, 4_000, 65_000, 66_000, 300_000, 1_000_000, 5_000_000];
    for (let round = 0; round < 3; round++) {
      transact(engine, (tx) => {
        sizes.forEach((size, n) => tx.replace('space', [n, 'x'.repeat(size)]));
      });
    }
    const found = transact(engine, (tx) =>
      tx.select('space', []).map((row) => (row[1] as string).length),
    );
    assert.deepEqual(found, sizes);
    transact(engine, (tx) => sizes.forEach((_, n) => tx.delete('space', [n])));
    assert.equal(engine.memory.arena.usedBytes, 0);
  });
});

/** Another engine from a scan in small parts. */
function reloaded(engine: MemoryEngine): MemoryEngine {
  const copy = new MemoryEngine();
  copy.beginLoad();
  let part = engine.scan(undefined, 100);
  copy.apply(part.payload);
  while (part.next !== undefined) {
    part = engine.scan(part.next, 100);
    copy.apply(part.payload);
  }
  copy.endLoad();
  return copy;
}
