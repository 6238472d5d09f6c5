import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SeededRandom } from '../../../testing/seeded-random.ts';
import { MemoryEngine } from './memory-engine.ts';
import { type PrepareMemory, SpareBuffers } from './spare-buffers.ts';

const NOTE_BYTES = 3000;
const ROWS = 20_000;

/** Fills when it is told to. */
class LatePreparation {
  readonly waiting: (() => void)[] = [];
  count = 0;

  readonly prepare: PrepareMemory = (bytes, done) => {
    this.count += 1;
    this.waiting.push(() => {
      bytes.fill(0);
      done();
    });
  };
}

describe('memory that is touched before it is needed', () => {
  it('is given to nobody before that is done', () => {
    const late = new LatePreparation();
    const buffers = new SpareBuffers(late.prepare);
    const first = buffers.take(64);
    assert.notEqual(buffers.take(64), first);
    assert.equal(late.count, 1);
    late.waiting.shift()?.();
    const spare = buffers.take(64);
    assert.equal(late.count, 2);
    late.waiting.shift()?.();
    assert.notEqual(buffers.take(64), spare);
  });

  it('holds no row while it is filled, whenever that happens', () => {
    const late = new LatePreparation();
    const random = new SeededRandom(7);
    const engine = new MemoryEngine({ prepareMemory: late.prepare });
    const note = 'n'.repeat(NOTE_BYTES);
    const schema = engine.begin();
    const format = [
      { name: 'id', type: 'unsigned' },
      { name: 'note', type: 'string' },
    ] as const;
    schema.createSpace('row', { format });
    schema.createIndex('row', { name: 'primary', parts: ['id'] });
    schema.commit();
    for (let id = 0; id < ROWS; id++) {
      const transaction = engine.begin();
      transaction.insert('row', [id, note]);
      // Pages go and come back meanwhile.
      if (random.chance(0.2)) transaction.delete('row', [random.integer(id + 1)]);
      transaction.commit();
      engine.rows.take();
      if (random.chance(0.001)) late.waiting.shift()?.();
    }
    for (const fill of late.waiting) fill();

    const reader = engine.begin();
    const rows = reader.select('row', []);
    assert.equal(rows.length, reader.count('row'));
    assert.ok(rows.every(([, found]) => found === note));
    assert.ok(late.count > 3, `${late.count} batches were touched before`);
    reader.rollback();
  });
});
