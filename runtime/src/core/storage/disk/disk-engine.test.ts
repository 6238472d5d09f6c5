import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { SimulatedRowDatabase } from '../../../testing/simulated-row-database.ts';
import { ClusterError } from '../../errors.ts';
import type { Engine, IteratorType, Transaction, UpdateOperation } from '../engine.ts';
import type { Batch } from '../log-format.ts';
import { MemoryEngine } from '../memory/memory-engine.ts';
import { ReferenceEngine } from '../reference-engine.ts';

/** What a step gives, or the code of its refusal. */
function attempt(work: () => unknown): unknown {
  try {
    return { result: work() };
  } catch (error) {
    if (error instanceof ClusterError) return { code: error.code };
    throw error;
  }
}

const format = [
  { name: 'id', type: 'unsigned' },
  { name: 'name', type: 'string' },
  { name: 'n', type: 'integer', isNullable: true },
  { name: 'key', type: 'uuid', isNullable: true },
  { name: 'blob', type: 'varbinary', isNullable: true },
  { name: 'flag', type: 'boolean', isNullable: true },
] as const;

const indexes = [
  { name: 'name', unique: false, parts: ['name'] },
  { name: 'n', unique: true, parts: ['n'] },
  { name: 'n_name', unique: false, parts: ['n', 'name'] },
  { name: 'key', unique: false, parts: ['key', 'flag'] },
  { name: 'blob', unique: true, parts: [{ field: 'blob', excludeNull: true }, 'name'] },
  { name: 'flag', unique: false, parts: ['flag'] },
  { name: 'hash', type: 'hash', unique: true, parts: ['name', 'id'] },
] as const;

const primaries = [['id'], ['name'], ['name', 'id'], ['id', 'name']] as const;

const text = fc.constantFrom('', 'a', 'a\0', 'a\0b', 'ab', '\u{1f600}', 'é');
const integer = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(2 ** 53 - 1, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n), -(2 ** 40)),
);
const nullable = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.option(arbitrary, { nil: null, freq: 4 });
const uuid = fc.constantFrom(
  '00000000-0000-4000-8000-000000000001',
  'ffffffff-0000-4000-8000-000000000001',
);
const tuple = fc.tuple(
  fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constant(-1)),
  text,
  nullable(integer),
  nullable(uuid),
  nullable(fc.uint8Array({ maxLength: 2 })),
  nullable(fc.boolean()),
);
const iterator = fc.constantFrom<IteratorType>('EQ', 'REQ', 'GE', 'GT', 'LE', 'LT', 'ALL');

type Step = (transaction: Transaction) => unknown;

const operation: fc.Arbitrary<UpdateOperation> = fc.oneof(
  fc.tuple(fc.constant('+'), fc.constantFrom('n', 'id'), fc.integer({ min: -2, max: 2 })),
  fc.tuple(fc.constant('='), fc.constantFrom('n', 'name'), fc.oneof(integer, text)),
);
const indexName = fc.constantFrom(...indexes.map(({ name }) => name), 'pk');

function keyOf(tx: Transaction, index: string, row: readonly unknown[]): readonly unknown[] {
  const definition = tx.space('space')?.indexes.find(({ name }) => name === index);
  return (definition?.parts ?? []).map(({ field }) => row[field]);
}

const selection = fc
  .record({
    index: indexName,
    row: tuple,
    parts: fc.integer({ min: 0, max: 2 }),
    iterator,
    limit: fc.integer({ min: 0, max: 5 }),
    offset: fc.integer({ min: 0, max: 2 }),
    after: fc.option(tuple, { nil: undefined, freq: 3 }),
  })
  .map(
    ({ index, row, parts, after, ...options }): Step =>
      (tx) =>
        tx.select('space', keyOf(tx, index, row).slice(0, parts), {
          index,
          ...options,
          ...(after === undefined ? {} : { after }),
        }),
  );

const weighed: readonly (readonly [weight: number, fc.Arbitrary<Step>])[] = [
  [40, tuple.map((row) => (tx) => tx.insert('space', row))],
  [25, tuple.map((row) => (tx) => tx.replace('space', row))],
  [20, tuple.map((row) => (tx) => tx.delete('space', keyOf(tx, 'pk', row)))],
  [
    15,
    fc.tuple(indexName, tuple).map(
      ([index, row]) =>
        (tx) =>
          tx.get('space', keyOf(tx, index, row), index),
    ),
  ],
  [30, selection],
  [1, fc.constantFrom(...indexes).map((index) => (tx) => tx.createIndex('space', index))],
  [1, indexName.map((name) => (tx) => tx.dropIndex('space', name))],
  [
    20,
    fc.tuple(tuple, fc.array(operation, { maxLength: 2 })).map(
      ([row, operations]) =>
        (tx) =>
          tx.update('space', keyOf(tx, 'pk', row), operations),
    ),
  ],
  [
    15,
    fc.tuple(tuple, fc.array(operation, { maxLength: 2 })).map(
      ([row, operations]) =>
        (tx) =>
          tx.upsert('space', row, operations),
    ),
  ],
  [
    10,
    fc.tuple(indexName, tuple, fc.integer({ min: 0, max: 2 }), fc.constantFrom('min', 'max')).map(
      ([index, row, parts, end]) =>
        (tx) =>
          tx[end]('space', keyOf(tx, index, row).slice(0, parts), index),
    ),
  ],
  [10, fc.constant((tx) => tx.count('space'))],
  [1, fc.constant((tx) => tx.truncate('space'))],
  [
    1,
    fc.constantFrom(...primaries).map((primary) => (tx) => {
      tx.dropSpace('space');
      tx.createSpace('space', { format, engine: 'disk' });
      tx.createIndex('space', { name: 'pk', parts: primary });
    }),
  ],
];
/** What a step gives that is not the same in two engines: ids of spaces and indexes. */
const step: fc.Arbitrary<Step> = fc.oneof(
  ...weighed.map(([weight, arbitrary]) => ({ weight, arbitrary })),
);

function run<T>(engine: Engine, work: (transaction: Transaction) => T, isKept = true): T {
  const transaction = engine.begin();
  const result = work(transaction);
  if (isKept) transaction.commit();
  else transaction.rollback();
  return result;
}

function content(engine: Engine): unknown {
  return run(
    engine,
    (tx) =>
      tx.spaces().map(({ name, engine: kind, indexes: all }) => ({
        name,
        kind,
        indexes: all.map((index) => {
          const rows = tx.select(name, [], { index: index.name });
          // A hash has no order of its own.
          return { index, rows: index.type === 'hash' ? rows.length : rows };
        }),
      })),
    false,
  );
}

interface Limits {
  readonly changeBytes: number;
  readonly waitingBytes: number;
  readonly pageBytes: number;
}

/** An engine with its log and its snapshots, as an instance has them. */
class Instance {
  engine: MemoryEngine;
  readonly #limits: Limits;
  #store = new SimulatedRowDatabase();
  #log: Batch[] = [];
  #snapshot = { start: 0, blocks: [] as Uint8Array[] };

  constructor(limits: Limits) {
    this.#limits = limits;
    this.engine = this.#newEngine();
  }

  get end(): number {
    const last = this.#log.at(-1);
    return last === undefined ? 0 : last.firstSequence + last.rowCount - 1;
  }

  get batches(): readonly Batch[] {
    return this.#log;
  }

  write(): Batch | undefined {
    if (this.engine.rows.count === 0) return undefined;
    const batch = { term: 1, firstSequence: this.end + 1, ...this.engine.rows.take() };
    this.#log.push(batch);
    this.engine.disk?.note(batch);
    return batch;
  }

  follow(batch: Batch | undefined): void {
    if (batch === undefined) return;
    this.#log.push(batch);
    this.engine.applyBatch(batch);
  }

  flush(part: number): void {
    this.engine.disk?.flush(Math.floor(this.end * part));
    this.engine.disk?.stored.collectGarbage();
  }

  snapshot(): void {
    const blocks: Uint8Array[] = [];
    let next: Parameters<MemoryEngine['scan']>[0];
    do {
      const scanned = this.engine.scan(next, 64);
      blocks.push(scanned.payload);
      ({ next } = scanned);
    } while (next !== undefined);
    this.#snapshot = { start: this.end, blocks };
  }

  restart({ keepsStore }: { readonly keepsStore: boolean }): void {
    const { start, blocks } = this.#snapshot;
    const position = { term: 1, sequence: start };
    if (!keepsStore) this.#store = new SimulatedRowDatabase();
    let engine = this.#newEngine();
    if (engine.disk?.hasAllBefore(position) === false) {
      this.#store = new SimulatedRowDatabase();
      engine = this.#newEngine();
    }
    engine.beginLoad(position);
    for (const block of blocks) engine.apply(block);
    for (const batch of this.#log) if (batch.firstSequence > start) engine.applyBatch(batch);
    engine.endLoad();
    this.engine = engine;
  }

  /** Entries of the store once everything is dropped: what it says about itself is one. */
  sizeWithoutSpaces(): number {
    run(this.engine, (tx) => {
      for (const { name } of tx.spaces()) tx.dropSpace(name);
    });
    this.write();
    this.flush(1);
    while (this.engine.disk?.stored.collectGarbage());
    return this.#store.size;
  }

  #newEngine(): MemoryEngine {
    return new MemoryEngine({ store: this.#store, diskLimits: this.#limits });
  }
}

const turn = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('transaction' as const),
      steps: fc.array(step, { minLength: 1, maxLength: 8, size: 'max' }),
      isKept: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('flush' as const),
      part: fc.constantFrom(0.5, 0.9, 1),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('snapshot', 'restart', 'restart without store') }),
  },
);

const limits = fc.record<Limits>({
  changeBytes: fc.constantFrom(1, 10_000),
  waitingBytes: fc.constantFrom(1, 200, 1_000_000),
  pageBytes: fc.constantFrom(1, 40, 1_000_000),
});

function outcomesOf(steps: readonly Step[], isKept: boolean): (target: Engine) => unknown {
  return (target) =>
    run(
      target,
      (tx) =>
        steps.map((each) =>
          attempt(() => {
            const result = each(tx);
            return Array.isArray(result) || typeof result === 'number' ? result : undefined;
          }),
        ),
      isKept,
    );
}

describe('a space of engine disk', () => {
  it('is as the reference engine in every history, on the leader, on followers, after starts', () => {
    fc.assert(
      fc.property(
        fc.record({
          primary: fc.constantFrom(...primaries),
          limits,
          more: fc.subarray([...indexes]),
        }),
        fc.array(turn, { maxLength: 40, size: 'max' }),
        ({ primary, limits: chosen, more }, turns) => {
          const leader = new Instance(chosen);
          const follower = new Instance(chosen);
          const oracle = new ReferenceEngine();
          for (const target of [leader.engine, oracle]) {
            run(target, (tx) => {
              tx.createSpace('space', { format, engine: 'disk' });
              tx.createIndex('space', { name: 'pk', parts: primary });
              for (const index of more) tx.createIndex('space', index);
            });
          }
          follower.follow(leader.write());
          for (const each of turns) {
            if (each.kind === 'transaction') {
              const outcomes = outcomesOf(each.steps, each.isKept);
              assert.deepEqual(outcomes(leader.engine), outcomes(oracle));
              follower.follow(leader.write());
            } else if (each.kind === 'flush') {
              leader.flush(each.part);
              follower.flush(each.part ** 2);
            } else if (each.kind === 'snapshot') leader.snapshot();
            else leader.restart({ keepsStore: each.kind === 'restart' });
          }
          assert.deepEqual(content(leader.engine), content(oracle));
          assert.deepEqual(content(follower.engine), content(oracle));
          leader.restart({ keepsStore: true });
          assert.deepEqual(content(leader.engine), content(oracle));
          follower.snapshot();
          for (const instance of [leader, follower]) {
            instance.restart({ keepsStore: instance === leader });
            assert.deepEqual(content(instance.engine), content(oracle));
            instance.flush(1);
            assert.deepEqual(content(instance.engine), content(oracle));
            instance.flush(1);
            while (instance.engine.collectGarbage());
            assert.equal(instance.engine.memory.arena.tupleBytes, 0);
            assert.equal(instance.sizeWithoutSpaces(), 1);
          }
        },
      ),
      { numRuns: Number(process.env['RUNS'] ?? 300) },
    );
  });
});
