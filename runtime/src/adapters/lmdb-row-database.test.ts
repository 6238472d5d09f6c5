import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import type { OrderedRange, OrderedStore } from '../core/storage/disk/ordered-store.ts';
import { SimulatedRowDatabase } from '../testing/simulated-row-database.ts';
import { LmdbRowDatabase } from './lmdb-row-database.ts';

const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);

function entries(store: OrderedStore, range: OrderedRange, most = 1000): unknown {
  const found: unknown[] = [];
  store.walk(range, (key, value) => {
    found.push([[...key], [...value]]);
    return found.length < most;
  });
  return found;
}

const everything = { from: bytes(0), to: bytes(255, 255) };
const key = fc
  .array(fc.constantFrom(0, 1, 2, 254), { minLength: 1, maxLength: 3 })
  .map((values) => bytes(...values));
const value = fc.uint8Array({ maxLength: 3 });
const change = fc.record({
  entries: fc.array(fc.tuple(key, fc.option(value, { nil: undefined }))),
  fails: fc.boolean(),
});
const range = fc.record({ from: key, to: key, isDownward: fc.boolean(), most: fc.nat(3) });

describe('rows in LMDB', () => {
  let workdir: string;
  let database: LmdbRowDatabase;

  beforeEach(async () => {
    workdir = await mkdtemp(path.join(tmpdir(), 'tonearm-rows-'));
    database = new LmdbRowDatabase({ workdir, bootId: 'first' });
    await database.open();
  });

  afterEach(async () => {
    await database.close();
    await rm(workdir, { recursive: true });
  });

  async function reopen(bootId: string): Promise<void> {
    database = new LmdbRowDatabase({ workdir, bootId });
    await database.open();
  }

  it('are what they are in a sorted map, within a change as well', async () => {
    const property = fc.asyncProperty(
      fc.array(change),
      fc.array(range),
      async (changes, ranges) => {
        await database.wipe();
        const oracle = new SimulatedRowDatabase();
        for (const { entries: wanted, fails } of changes) {
          const seen = [database, oracle].map((store: OrderedStore) => {
            const within: unknown[] = [];
            const work = (): void => {
              for (const [at, to] of wanted) {
                if (to === undefined) store.remove(at);
                else store.put(at, to);
                within.push(store.get(at)?.length, entries(store, everything));
              }
              if (fails) throw new Error('taken back');
            };
            if (fails) assert.throws(() => store.change(work), { message: 'taken back' });
            else store.change(work);
            return within;
          });
          assert.deepEqual(seen[0], seen[1]);
          assert.deepEqual(entries(database, everything), entries(oracle, everything));
        }
        for (const { most, ...each } of ranges) {
          assert.deepEqual(entries(database, each, most + 1), entries(oracle, each, most + 1));
        }
      },
    );
    await fc.assert(property, { numRuns: 100 });
  });

  it('are there after an end without a close in the same boot, and after a close in another', async () => {
    database.change(() => database.put(bytes(1), bytes(2)));
    await reopen('first');
    assert.deepEqual(entries(database, everything), [[[1], [2]]]);
    await database.close();
    await reopen('second');
    assert.deepEqual(entries(database, everything), [[[1], [2]]]);
  });

  it('are thrown away when the machine has started anew without a close', async () => {
    database.change(() => database.put(bytes(1), bytes(2)));
    await reopen('second');
    assert.deepEqual(entries(database, everything), []);
    database.change(() => database.put(bytes(3), bytes(4)));
    assert.deepEqual(entries(database, everything), [[[3], [4]]]);
  });

  it('have no folder before there is one of them', async () => {
    assert.deepEqual(await readdir(workdir), []);
    assert.equal(database.get(bytes(1)), undefined);
    assert.deepEqual(entries(database, everything), []);
    await database.wipe();
    await database.close();
    assert.deepEqual(await readdir(workdir), []);
    await reopen('second');
    database.change(() => database.put(bytes(1), bytes(2)));
    assert.deepEqual(await readdir(workdir), ['disk-rows']);
  });

  it('have keys as long as it says, and no longer ones', () => {
    const longest = new Uint8Array(database.keyBytesMax).fill(7);
    database.change(() => database.put(longest, bytes(1)));
    assert.deepEqual(database.get(longest), Buffer.of(1));
    const longer = new Uint8Array(database.keyBytesMax + 1).fill(7);
    for (const store of [database, new SimulatedRowDatabase()]) {
      assert.throws(() => store.change(() => store.put(longer, bytes(1))));
      assert.throws(() => store.change(() => store.remove(longer)));
    }
  });

  it('say of an error what it is, and take only those with a number for the disk', () => {
    const thrownFor = (cause: Error): unknown => {
      try {
        database.change(() => {
          throw cause;
        });
        return undefined;
      } catch (error) {
        return error;
      }
    };
    const ours = Object.assign(new RangeError('out of range'), { code: 'ERR_OUT_OF_RANGE' });
    assert.equal(thrownFor(ours), ours);
    const noRoom = thrownFor(Object.assign(new Error('no space'), { code: 28 }));
    assert.match(String(noRoom), /The disk is full \(ENOSPC\): disk-rows/);
    const failed = thrownFor(Object.assign(new Error('input/output'), { code: 5 }));
    assert.match(String(failed), /The disk has failed \(EIO\): nobody knows what of disk-rows/);
  });
});
