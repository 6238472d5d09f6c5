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
import { SimulatedRowDatabase } from '../../../testing/simulated-row-database.ts';
import type { Engine, UpdateOperation } from '../engine.ts';
import type { Batch } from '../log-format.ts';
import { MemoryEngine } from '../memory/memory-engine.ts';
import { ReferenceEngine } from '../reference-engine.ts';

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

const text = fc.constantFrom('', 'a', 'a\0', 'a\0b', 'ab', '\u{1f600}', 'é');
const integer = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(2 ** 53 - 1, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n), -(2 ** 40)),
);
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

const operation: fc.Arbitrary<UpdateOperation> = fc.oneof(
  fc.tuple(fc.constant('+'), fc.constantFrom('n', 'id'), fc.integer({ min: -2, max: 2 })),
  fc.tuple(fc.constant('='), fc.constantFrom('n', 'name'), fc.oneof(integer, text)),
);
const steps = stepsOn({ row: tuple, indexes, operation });
const anew = fc.constantFrom(...primaries).map(
  (primary): Step =>
    (tx) => {
      tx.dropSpace('space');
      tx.createSpace('space', { format, engine: 'disk' });
      tx.createIndex('space', { name: 'pk', parts: primary });
    },
);
const step = fc.oneof(
  { weight: 40, arbitrary: steps.insert },
  { weight: 25, arbitrary: steps.replace },
  { weight: 20, arbitrary: steps.delete },
  { weight: 15, arbitrary: steps.get },
  { weight: 30, arbitrary: steps.select },
  { weight: 10, arbitrary: steps.minOrMax },
  { weight: 10, arbitrary: steps.count },
  { weight: 20, arbitrary: steps.update },
  { weight: 15, arbitrary: steps.upsert },
  { weight: 1, arbitrary: steps.createIndex },
  { weight: 1, arbitrary: steps.dropIndex },
  { weight: 1, arbitrary: steps.truncate },
  { weight: 1, arbitrary: anew },
);

function content(engine: Engine): unknown {
  return transact(
    engine,
    (tx) =>
      tx.spaces().map(({ name, engine: kind, indexes: all }) => ({
        name,
        kind,
        indexes: all.map((index) => ({ index, rows: rowsInOrder(tx, name, index) })),
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
    transact(this.engine, (tx) => {
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

function outcomesOf(all: readonly Step[], isKept: boolean): (target: Engine) => unknown {
  return (target) => transact(target, (tx) => all.map((each) => attempt(() => each(tx))), isKept);
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
            transact(target, (tx) => {
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
