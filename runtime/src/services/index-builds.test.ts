import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MemoryEngine } from '../core/storage/memory/memory-engine.ts';
import { systemClock } from '../foundation/clock.ts';
import { makeIndexes } from './index-builds.ts';

const ROWS = 1000;
const index = { name: 'n', unique: true, parts: ['n'] };
/** A pause after every step. */
const limits = { indexSliceMs: 0, indexRowsAtOnce: 0 };

function filled(rows: number, memoryBytes?: number): MemoryEngine {
  const engine = new MemoryEngine({ memoryBytes });
  const transaction = engine.begin();
  const format = [
    { name: 'id', type: 'unsigned' },
    { name: 'n', type: 'unsigned' },
  ] as const;
  transaction.createSpace('space', { format });
  transaction.createIndex('space', { name: 'pk', parts: ['id'] });
  for (let id = 0; id < rows; id++) transaction.insert('space', [2 * id, id]);
  transaction.commit();
  engine.rows.take();
  return engine;
}

function replace(engine: MemoryEngine, row: readonly unknown[]): void {
  const transaction = engine.begin();
  transaction.replace('space', row);
  transaction.commit();
}

function create(engine: MemoryEngine): readonly (readonly unknown[])[] {
  const transaction = engine.begin();
  try {
    transaction.createIndex('space', index);
    const found = transaction.select('space', [], { index: 'n' });
    transaction.commit();
    return found;
  } catch (error) {
    transaction.rollback();
    throw error;
  }
}

describe('an index that is made in slices', () => {
  it('has the rows that came meanwhile, before and behind where it was', async () => {
    const engine = filled(ROWS);
    const made = makeIndexes('space', [index], {
      clock: systemClock,
      limits,
      engine: () => engine,
    });
    await systemClock.sleep(1);
    replace(engine, [0, ROWS]);
    replace(engine, [1, ROWS + 1]);
    replace(engine, [2 * ROWS, ROWS + 2]);
    const release = await made;
    assert.equal(engine.rows.take().rowCount, 3);
    const found = create(engine);
    release();
    const unchanged = Array.from({ length: ROWS - 1 }, (_, n) => [2 * n + 2, n + 1]);
    const others = [
      [0, ROWS],
      [1, ROWS + 1],
      [2 * ROWS, ROWS + 2],
    ];
    assert.deepEqual(found, [...unchanged, ...others]);
    assert.equal(engine.rows.take().rowCount, 1);
  });

  it('is refused for keys that are there twice at the end, not for those that were', async () => {
    const engine = filled(ROWS);
    replace(engine, [1, 0]);
    const options = { clock: systemClock, limits, engine: () => engine };
    const mended = makeIndexes('space', [index], options);
    await systemClock.sleep(1);
    replace(engine, [1, ROWS]);
    (await mended)();
    const spoiled = await makeIndexes('space', [index], options);
    replace(engine, [3, 5]);
    assert.throws(() => create(engine), { code: 'DUPLICATE_KEY' });
    spoiled();
    replace(engine, [3, ROWS + 1]);
    const made = await makeIndexes('space', [index], options);
    assert.equal(create(engine).length, ROWS + 2);
    made();
  });

  it('leaves nothing behind when it is not created, or its space is dropped', async () => {
    const engine = filled(ROWS);
    const before = engine.memory.budget.usedBytes;
    const options = { clock: systemClock, limits, engine: () => engine };
    const release = await makeIndexes('space', [index], options);
    assert.ok(engine.memory.budget.usedBytes > before);
    release();
    assert.equal(engine.memory.budget.usedBytes, before);
    const late = await makeIndexes('space', [index], options);
    const transaction = engine.begin();
    transaction.dropSpace('space');
    transaction.commit();
    late();
    while (engine.collectGarbage());
    assert.equal(engine.memory.budget.usedBytes, 0);
  });

  it('leaves nothing behind when the rows are exchanged meanwhile', async () => {
    const engine = filled(ROWS);
    const before = engine.memory.budget.usedBytes;
    let current = engine;
    const made = makeIndexes('space', [index], {
      clock: systemClock,
      limits,
      engine: () => current,
    });
    current = filled(ROWS);
    await assert.rejects(made, { code: 'NO_LEADER' });
    assert.equal(engine.memory.budget.usedBytes, before);
  });

  it('is refused when there is no room for it', async () => {
    const engine = filled(ROWS, 500_000);
    const { budget } = engine.memory;
    budget.add(budget.limitBytes - budget.usedBytes);
    const made = makeIndexes('space', [index], {
      clock: systemClock,
      limits,
      engine: () => engine,
    });
    await assert.rejects(made, { code: 'MEMORY_FULL' });
  });
});
