import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as afterPending } from 'node:timers/promises';
import { ClusterError } from '../core/errors.ts';
import { MemoryEngine } from '../core/storage/memory/memory-engine.ts';
import { type Clock, systemClock } from '../foundation/clock.ts';
import type { Disk } from '../ports/disk.ts';
import { openReplicaStore, smallStoreLimits } from '../testing/open-replica-store.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import { SimulatedRowDatabase } from '../testing/simulated-row-database.ts';
import { moveDiskRows } from './move-disk-rows.ts';
import type { ReplicaStore } from './replica-store.ts';
import { downloadSnapshot } from './snapshot-join.ts';
import { takeSnapshot } from './snapshot-take.ts';

const TEXT = 'x'.repeat(100);
const WAITING_BYTES = 2000;

/** One whose changes fail while it is broken, as those of a database on a full disk. */
class BreakableDatabase extends SimulatedRowDatabase {
  isBroken = false;
  wipes = 0;

  override async wipe(): Promise<void> {
    this.wipes += 1;
    await super.wipe();
  }

  override change(work: () => void): void {
    super.change(() => {
      work();
      if (this.isBroken) throw new Error('ENOSPC: no space left on device');
    });
  }
}

class Fixture {
  readonly disk = new SimulatedDisk({
    clock: new SimulatedClock(),
    random: new SeededRandom(1),
    latencyMs: 0,
  });
  readonly database = new BreakableDatabase();
  readonly fatal: unknown[] = [];
  term = 0;
  store!: ReplicaStore;

  /** What others do while the store waits for its disk … */
  onStep: (() => Promise<void>) | undefined;
  /** … and while it pauses, so that they have a turn. */
  onPause: (() => Promise<void>) | undefined;

  async open(): Promise<this> {
    const onStep = async (): Promise<void> => this.onStep?.();
    const sleep = async (): Promise<void> => this.onPause?.();
    const clock: Clock = { ...systemClock, monotonicMs: ascending(), sleep };
    this.store = await openReplicaStore(stepping(this.disk.mount(), onStep), {
      clock,
      limits: { ...smallStoreLimits, indexSliceMs: 0 },
      createEngine: () => {
        const diskLimits = { waitingBytes: WAITING_BYTES, changeBytes: 1 };
        return new MemoryEngine({ store: this.database, diskLimits });
      },
      rowDatabase: this.database,
      fatal: (error) => this.fatal.push(error),
    });
    return this;
  }

  async lead(): Promise<this> {
    await this.beginTerm(1);
    const transaction = this.store.usableEngine().begin();
    const format = [
      { name: 'id', type: 'unsigned' },
      { name: 'text', type: 'string' },
      { name: 'number', type: 'unsigned' },
    ] as const;
    transaction.createSpace('rows', { format, engine: 'disk' });
    transaction.createIndex('rows', { name: 'primary', parts: ['id'] });
    transaction.createIndex('rows', { name: 'number', parts: ['number'] });
    this.store.commit(transaction, this.term);
    await this.store.drained();
    return this;
  }

  async beginTerm(term: number): Promise<void> {
    this.term = term;
    await this.store.beginTerm(term, 'a', () => true);
  }

  async insert(from: number, to: number): Promise<void> {
    for (let id = from; id <= to; id++) {
      const transaction = this.store.usableEngine().begin();
      transaction.insert('rows', [id, TEXT, 1000 - id]);
      this.store.commit(transaction, this.term);
      await this.store.drained();
    }
  }

  async delete(ids: readonly number[] | 'all'): Promise<void> {
    const transaction = this.store.usableEngine().begin();
    if (ids === 'all') transaction.truncate('rows');
    else for (const id of ids) transaction.delete('rows', [id]);
    this.store.commit(transaction, this.term);
    await this.store.drained();
  }

  /** All that was written is acknowledged. */
  flush(): void {
    this.store.engine.disk?.flush(this.store.end.sequence);
  }

  /** Those by both indexes. */
  ids(): readonly unknown[] {
    const transaction = this.store.usableEngine().begin();
    const byId = transaction.select('rows', []).map(([id]) => id);
    const byNumber = transaction.select('rows', [], { index: 'number' }).map(([id]) => id);
    const count = transaction.count('rows');
    transaction.rollback();
    assert.deepEqual([byNumber.toReversed(), count], [byId, byId.length]);
    return byId;
  }

  async snapshot(whileReading: () => Promise<void> = async () => undefined): Promise<void> {
    const { store } = this;
    const taken = await takeSnapshot({
      store,
      clock: { ...systemClock, monotonicMs: () => 0, sleep: whileReading },
      acknowledged: () => store.end.sequence,
      limits: { snapshotSliceMs: 0, snapshotPauseMs: 0, snapshotBlockBytes: 300 },
      signal: new AbortController().signal,
    });
    assert.ok(taken);
  }

  /** Puts the snapshot of a leader in the place of all rows. */
  async join(leader: Fixture): Promise<void> {
    const position = this.store.end;
    await this.store.promiseTerm(leader.term);
    const { name, path } = leader.store.snapshots.newest!;
    const bytes = leader.disk.peek(path)!;
    const joined = await downloadSnapshot(this.disk.mount(), async () => {
      return { kind: 'part', name, total: bytes.length, bytes };
    });
    assert.equal(await this.store.join(position, leader.term, joined!), true);
  }

  /** Takes what the leader has behind a position at which both are equal, or some of it. */
  async follow(
    leader: Fixture,
    { from = this.store.end, answers = Number.POSITIVE_INFINITY } = {},
  ): Promise<void> {
    await this.store.promiseTerm(leader.term);
    if (from.sequence < this.store.end.sequence) {
      const common = { term: leader.term, acknowledged: from, inSync: [] };
      await this.store.receive(this.store.end, { ...common, kind: 'conflict', hint: from });
    }
    let left = answers;
    for (let at = from; at.sequence < leader.store.end.sequence; at = this.store.end) {
      if (left-- === 0) return;
      const batches = (await leader.store.log.behind(at.sequence, 100)) ?? [];
      const common = { term: leader.term, acknowledged: leader.store.end, inSync: [] };
      const answer = { kind: 'rows' as const, ...common, batches: [...batches] };
      assert.equal(await this.store.receive(at, answer), true);
    }
  }

  /** The same files and rows on the disk, in another process. */
  async copy(): Promise<Fixture> {
    const copy = new Fixture();
    for (const folder of ['log', 'snapshot']) {
      for (const name of this.disk.names(folder)) {
        copy.disk.plant(`${folder}/${name}`, this.disk.peek(`${folder}/${name}`)!);
      }
    }
    return copy.open();
  }
}

function ascending(): () => number {
  let now = 0;
  return () => now++;
}

function stepping(disk: Disk, onStep: () => Promise<void>): Disk {
  const stepped = async <T>(work: () => Promise<T>): Promise<T> => {
    await onStep();
    const result = await work();
    await onStep();
    return result;
  };
  return {
    ...disk,
    read: (file) => stepped(() => disk.read(file)),
    readPart: (file, offset, length) => stepped(() => disk.readPart(file, offset, length)),
    rename: (from, to) => stepped(() => disk.rename(from, to)),
    remove: (target) => stepped(() => disk.remove(target)),
    list: (folder) => stepped(() => disk.list(folder)),
    truncate: (file, size) => stepped(() => disk.truncate(file, size)),
  };
}

function upTo(last: number, from = 1): readonly number[] {
  return Array.from({ length: last - from + 1 }, (_, index) => from + index);
}

/** What others do while the engine is exchanged: they read, and move rows to a disk that is being filled anew. */
function meddler(fixture: Fixture): {
  readonly seen: Set<string>;
  readonly step: () => Promise<void>;
} {
  const seen = new Set<string>();
  const { wipes } = fixture.database;
  const step = async (): Promise<void> => {
    const { store } = fixture;
    try {
      seen.add(fixture.ids().join());
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      seen.add(error.code);
    }
    if (fixture.database.wipes === wipes) return;
    store.engine.disk?.flush(store.end.sequence);
    // Its garbage has the numbers of what is filled in.
    if (fixture.database.size > 1) store.engine.disk?.collectGarbage();
  };
  return { seen, step };
}

/** The loop that moves rows, which has its next turn when it is told to; all rows are acknowledged. */
function mover(store: ReplicaStore): { turn(): Promise<void>; stop(): Promise<unknown> } {
  const stopped = new AbortController();
  let wake: (() => void) | undefined;
  const clock: Clock = {
    ...systemClock,
    sleep: (_ms, signal) =>
      new Promise((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(new Error('stopped')));
        wake = resolve;
      }),
  };
  const limits = { moveRowsMs: 1, moveRowsSliceMs: 1000 };
  const options = { store, clock, limits, acknowledged: () => store.end.sequence };
  const ended = moveDiskRows(options, stopped.signal).catch((error: unknown) => error);
  return {
    turn: async () => {
      wake?.();
      await afterPending();
    },
    stop: () => {
      stopped.abort();
      return ended;
    },
  };
}

describe('rows of disk spaces while the engine is exchanged', () => {
  /** Behind a leader that has deleted what waits here for the disk. */
  async function laggard(leader: Fixture, { hasGarbage = false } = {}): Promise<Fixture> {
    await leader.insert(901, 902);
    if (hasGarbage) await leader.delete('all');
    else await leader.delete([901, 902]);
    await leader.insert(1, 10);
    const follower = await new Fixture().open();
    await follower.follow(leader);
    follower.flush();
    await leader.insert(11, 15);
    await follower.follow(leader);
    await leader.delete(upTo(12));
    await leader.insert(16, 25);
    leader.flush();
    let next = 26;
    await leader.snapshot(() => leader.insert(next, next++));
    return follower;
  }

  for (const hasGarbage of [false, true]) {
    const which = hasGarbage ? ' with garbage on the disk' : '';
    it(`are read as before or not at all, and are those of the leader in the end, when it joins${which}`, async () => {
      const leader = await (await new Fixture().open()).lead();
      const follower = await laggard(leader, { hasGarbage });
      const { seen, step } = meddler(follower);
      follower.onStep = step;
      await follower.join(leader);
      assert.deepEqual([...seen], [upTo(15).join(), 'NOT_READY']);
      follower.onStep = undefined;
      await follower.follow(leader);
      for (let time = 0; time < 2; time++) {
        assert.deepEqual(follower.ids(), leader.ids());
        follower.flush();
      }
      await follower.open();
      assert.deepEqual(follower.ids(), leader.ids());
      assert.deepEqual(follower.fatal, []);
    });
  }

  it('are read as before or not at all, and are those of the leader in the end, when rows are cut', async () => {
    const deposed = await (await new Fixture().open()).lead();
    await deposed.insert(1, 10);
    await deposed.snapshot();
    const leader = await deposed.copy();
    const from = leader.store.end;
    await deposed.insert(11, 15);
    await deposed.snapshot();
    deposed.flush();
    await leader.beginTerm(2);
    await leader.insert(21, 25);
    const { seen, step } = meddler(deposed);
    deposed.onStep = step;
    await deposed.follow(leader, { from });
    assert.deepEqual([...seen], [upTo(15).join(), 'NOT_READY']);
    deposed.onStep = undefined;
    for (let time = 0; time < 2; time++) {
      assert.deepEqual(deposed.ids(), leader.ids());
      deposed.flush();
    }
    assert.deepEqual(deposed.fatal, []);
  });

  it('stay in memory until the indexes of what was joined with are made', async () => {
    const leader = await (await new Fixture().open()).lead();
    const follower = await laggard(leader);
    await follower.join(leader);
    const moving = mover(follower.store);
    let turns = 0;
    follower.onPause = () => {
      turns += 1;
      return moving.turn();
    };
    await follower.follow(leader);
    assert.equal(follower.store.isComplete, true);
    assert.ok(turns > 0);
    assert.deepEqual(follower.ids(), leader.ids());
    await moving.turn();
    assert.equal(follower.store.engine.memory.arena.tupleBytes, 0);
    assert.deepEqual(follower.ids(), leader.ids());
    assert.match(String(await moving.stop()), /stopped/);
  });
});

describe('rows of disk spaces that were filled from a snapshot', () => {
  for (const isGone of [false, true]) {
    const which = isGone ? ', which is not there any more' : '';
    it(`are none behind a cut through that snapshot${which}`, async () => {
      const old = await (await new Fixture().open()).lead();
      await old.insert(1, 20);
      const leader = await old.copy();
      let next = 21;
      await old.snapshot(() => old.insert(next, next++));
      const deposed = await old.copy();
      assert.equal(deposed.ids().length, next - 1);
      if (isGone) {
        deposed.disk.plant(deposed.store.snapshots.newest!.path, new Uint8Array(9));
        await deposed.open();
      }
      const from = leader.store.end;
      await leader.beginTerm(2);
      await leader.insert(101, 105);
      await deposed.follow(leader, { from });
      assert.deepEqual(deposed.ids(), leader.ids());
      deposed.flush();
      await deposed.open();
      assert.deepEqual(deposed.ids(), leader.ids());
    });
  }

  it('are used again at the next start, also before a join has come to its end', async () => {
    const leader = await (await new Fixture().open()).lead();
    await leader.insert(1, 20);
    let next = 21;
    await leader.snapshot(() => leader.insert(next, next++));
    const follower = await new Fixture().open();
    await follower.join(leader);
    await follower.follow(leader, { answers: 1 });
    const { wipes } = follower.database;
    await follower.open();
    assert.equal(follower.store.isComplete, false);
    await follower.follow(leader);
    await follower.open();
    assert.deepEqual(follower.ids(), leader.ids());
    assert.deepEqual(follower.database.wipes, wipes);
  });
});

describe('rows of disk spaces on their way to the disk', () => {
  it('do not fill the memory of a follower whose leader is faster than its disk', async () => {
    const leader = await (await new Fixture().open()).lead();
    await leader.insert(1, 100);
    leader.flush();
    const follower = await new Fixture().open();
    await follower.follow(leader);
    assert.ok(100 * TEXT.length > 4 * WAITING_BYTES);
    const { tupleBytes } = follower.store.engine.memory.arena;
    assert.ok(tupleBytes > 0 && tupleBytes < 2 * WAITING_BYTES, `${tupleBytes} bytes`);
    assert.deepEqual(follower.ids(), leader.ids());
  });

  it('are not left out when a move has failed, and none is tried again', async () => {
    const fixture = await (await new Fixture().open()).lead();
    await fixture.insert(1, 3);
    fixture.flush();
    await fixture.insert(4, 6);
    fixture.database.isBroken = true;
    const moving = mover(fixture.store);
    await moving.turn();
    fixture.database.isBroken = false;
    assert.deepEqual(fixture.fatal.map(String), ['Error: ENOSPC: no space left on device']);
    assert.throws(() => fixture.ids(), { code: 'STORAGE_FAILED' });
    assert.throws(() => fixture.flush(), /ENOSPC/);
    assert.equal(await moving.stop(), undefined);
    await fixture.open();
    assert.deepEqual(fixture.ids(), upTo(6));
    await fixture.beginTerm(2);
    await fixture.insert(7, 9);
    fixture.flush();
    assert.deepEqual(fixture.ids(), upTo(9));
    fixture.flush();
    assert.equal(fixture.store.engine.memory.arena.tupleBytes, 0);
  });

  it('stop a leader when a writer has to move some, and cannot', async () => {
    const fixture = await (await new Fixture().open()).lead();
    await fixture.insert(1, 30);
    // It learns what is acknowledged, and moves no more than that takes.
    fixture.store.engine.disk?.flush(fixture.store.end.sequence, () => true);
    fixture.database.isBroken = true;
    await assert.rejects(fixture.insert(31, 31), /ENOSPC/);
    await assert.rejects(fixture.insert(31, 31), { code: 'STORAGE_FAILED' });
    assert.deepEqual(fixture.fatal.map(String), ['Error: ENOSPC: no space left on device']);
    fixture.database.isBroken = false;
    await fixture.open();
    assert.deepEqual(fixture.ids(), upTo(30));
  });

  it('stop a follower when one cannot be moved, and are there after its next start', async () => {
    const leader = await (await new Fixture().open()).lead();
    await leader.insert(1, 50);
    const follower = await new Fixture().open();
    follower.database.isBroken = true;
    await assert.rejects(follower.follow(leader), { code: 'STORAGE_FAILED' });
    assert.deepEqual(follower.fatal.map(String), ['Error: ENOSPC: no space left on device']);
    assert.throws(() => follower.ids(), { code: 'STORAGE_FAILED' });
    follower.database.isBroken = false;
    await follower.open();
    await follower.follow(leader);
    assert.deepEqual(follower.ids(), upTo(50));
  });
});
