import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClusterError } from '../core/errors.ts';
import type { Disk } from '../ports/disk.ts';
import { openReplicaStore } from '../testing/open-replica-store.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import { verifyData } from './replica-log-verify.ts';
import type { ReplicaStore } from './replica-store.ts';
import type { SnapshotInfo } from './snapshot-files.ts';
import { downloadSnapshot, type JoinedSnapshot } from './snapshot-join.ts';
import { takeSnapshot } from './snapshot-take.ts';

const TERM = 1;

function newDisk(): SimulatedDisk {
  const clock = new SimulatedClock();
  return new SimulatedDisk({ clock, random: new SeededRandom(1), latencyMs: 0 });
}

class Fixture {
  readonly disk: SimulatedDisk;
  readonly fatal: unknown[] = [];
  term = TERM;
  store!: ReplicaStore;

  constructor(disk = newDisk()) {
    this.disk = disk;
  }

  async open(wrap: (disk: Disk) => Disk = (disk) => disk): Promise<this> {
    const fatal = (error: unknown): unknown => this.fatal.push(error);
    this.store = await openReplicaStore(wrap(this.disk.mount()), { fatal });
    return this;
  }

  async lead(): Promise<this> {
    await this.store.beginTerm(TERM, 'a', () => true);
    const transaction = this.store.usableEngine().begin();
    transaction.createSpace('rows', { format: [{ name: 'id', type: 'unsigned' }] });
    transaction.createIndex('rows', { name: 'primary', parts: ['id'] });
    this.store.commit(transaction, TERM);
    await this.store.drained();
    return this;
  }

  async insert(from: number, to: number): Promise<void> {
    for (let id = from; id <= to; id++) {
      const transaction = this.store.usableEngine().begin();
      transaction.insert('rows', [id]);
      this.store.commit(transaction, this.term);
      await this.store.drained();
    }
  }

  async snapshot(whileReading: () => Promise<void> = async () => undefined): Promise<SnapshotInfo> {
    const { store } = this;
    const taken = await takeSnapshot({
      store,
      // Each pause between two slices is one in which others write.
      clock: {
        monotonicMs: () => 0,
        wallTime: () => new Date(0),
        sleep: whileReading,
      },
      acknowledged: () => store.end.sequence,
      limits: { snapshotSliceMs: 0, snapshotPauseMs: 0, snapshotBlockBytes: 30 },
      signal: new AbortController().signal,
    });
    assert.ok(taken);
    return taken;
  }

  ids(): readonly unknown[] {
    const transaction = this.store.usableEngine().begin();
    const ids = transaction.select('rows', []).map((tuple) => tuple[0]);
    transaction.rollback();
    return ids;
  }

  /** The same files on another disk. */
  copy(): Fixture {
    const copy = newDisk();
    for (const folder of ['log', 'snapshot', 'snapshot-writing']) {
      for (const name of this.disk.names(folder)) {
        copy.plant(`${folder}/${name}`, this.disk.peek(`${folder}/${name}`)!);
      }
    }
    return new Fixture(copy);
  }

  /** What its leader would give it. */
  download(disk: Disk): Promise<JoinedSnapshot | undefined> {
    const { newest } = this.store.snapshots;
    assert.ok(newest);
    const { name, bytes: total, path } = newest;
    return downloadSnapshot(disk, async (_name, offset) => {
      const bytes = this.disk.peek(path)!.slice(offset, offset + 50);
      return { kind: 'part', name, total, bytes };
    });
  }
}

function upTo(last: number): readonly number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}

function refuses(text: RegExp) {
  return (error: unknown): boolean =>
    error instanceof ClusterError && error.code === 'STORAGE_FAILED' && text.test(error.message);
}

async function withTwoSnapshots(): Promise<Fixture> {
  const fixture = await (await new Fixture().open()).lead();
  await fixture.insert(1, 10);
  await fixture.snapshot();
  await fixture.insert(11, 30);
  await fixture.snapshot();
  await fixture.insert(31, 40);
  return fixture;
}

/** Its process dies at the n-th operation that changes something. */
function dyingAfter(operations: number, real: Disk): Disk {
  let left = operations;
  const orDie = <T>(work: () => Promise<T>): Promise<T> => {
    left -= 1;
    return left < 0 ? Promise.reject(new Error('crash')) : work();
  };
  return {
    ...real,
    writeAtomic: (file, bytes) => orDie(() => real.writeAtomic(file, bytes)),
    rename: (from, to) => orDie(() => real.rename(from, to)),
    remove: (target) => orDie(() => real.remove(target)),
    openAppend: (file) => orDie(() => real.openAppend(file)),
  };
}

describe('a store with snapshots', () => {
  it('has all rows again from a snapshot and the log behind it, with what was written meanwhile', async () => {
    const fixture = await (await new Fixture().open()).lead();
    await fixture.insert(1, 20);
    let next = 21;
    const { start, end } = await fixture.snapshot(async () => {
      await fixture.insert(next, next++);
    });
    assert.ok(end.sequence > start.sequence, 'rows were written while it was read');
    assert.ok((await fixture.store.log.trim(start.sequence)) > 0, 'segments are superfluous');
    const again = await fixture.copy().open();
    assert.deepEqual(again.ids(), upTo(next - 1));
    assert.deepEqual(again.store.end, fixture.store.end);
    assert.equal(again.store.history.has({ term: TERM, sequence: 1 }), true);
    assert.equal(await again.store.log.behind(0, 100), undefined);
    assert.deepEqual((await verifyData(again.disk.mount())).problems, []);
  });

  it('takes the snapshot before one that was damaged at any byte', async () => {
    const fixture = await withTwoSnapshots();
    const newest = fixture.store.snapshots.newest!;
    const bytes = fixture.disk.peek(newest.path)!;
    for (let at = 0; at < bytes.length; at += 7) {
      const copy = fixture.copy();
      const damaged = bytes.slice();
      damaged[at]! ^= 1;
      // Another version is another matter.
      if (at >= 8 && at < 12) continue;
      copy.disk.plant(newest.path, damaged);
      await copy.open();
      assert.deepEqual(copy.ids(), upTo(40), `byte ${at}`);
      assert.deepEqual(copy.disk.names('snapshot').length, 2);
    }
  });

  it('takes the snapshot before one that was cut at any byte', async () => {
    const fixture = await withTwoSnapshots();
    const newest = fixture.store.snapshots.newest!;
    const bytes = fixture.disk.peek(newest.path)!;
    for (let size = 0; size < bytes.length; size += 7) {
      const copy = fixture.copy();
      copy.disk.plant(newest.path, bytes.slice(0, size));
      await copy.open();
      assert.deepEqual(copy.ids(), upTo(40), `${size} bytes`);
    }
  });

  it('refuses to start when the log does not cover the snapshot that is left, and says what helps', async () => {
    const fixture = await withTwoSnapshots();
    const newest = fixture.store.snapshots.newest!;
    await fixture.store.log.trim(newest.start.sequence);
    const copy = fixture.copy();
    copy.disk.plant(newest.path, new Uint8Array(9));
    await assert.rejects(copy.open(), refuses(/begins with row .*`tonearm log reseed DIR`/));
    const { problems } = await verifyData(copy.disk.mount());
    assert.ok(problems.length > 0);
  });

  it('refuses a log that ends before its snapshot', async () => {
    const fixture = await (await new Fixture().open()).lead();
    await fixture.insert(1, 20);
    let next = 21;
    await fixture.snapshot(() => fixture.insert(next, next++));
    const copy = fixture.copy();
    for (const name of copy.disk.names('log').slice(1)) {
      await copy.disk.mount().remove(`log/${name}`);
    }
    await assert.rejects(copy.open(), refuses(/with which it ends/));
  });

  it('refuses a snapshot of a later version, and leaves it', async () => {
    const fixture = await withTwoSnapshots();
    const { path } = fixture.store.snapshots.newest!;
    const bytes = fixture.disk.peek(path)!.slice();
    new DataView(bytes.buffer).setUint32(8, 2);
    fixture.disk.plant(path, bytes);
    await assert.rejects(fixture.copy().open(), refuses(/version 2, .*later release/));
  });

  it('leaves nothing of a snapshot that was not finished', async () => {
    const fixture = await withTwoSnapshots();
    fixture.disk.plant('snapshot-writing/0000000000000050.snap', new Uint8Array(3));
    const again = await fixture.copy().open();
    assert.deepEqual(again.ids(), upTo(40));
    assert.deepEqual(again.disk.names('snapshot-writing'), []);
  });

  it('stops when its disk is full, and goes on when there is room', async () => {
    const fixture = await (await new Fixture().open()).lead();
    await fixture.insert(1, 10);
    fixture.disk.leaveRoom(200);
    await assert.rejects(fixture.insert(11, 50), ClusterError);
    assert.deepEqual(fixture.fatal.map(String), ['Error: ENOSPC: no space left on device']);
    fixture.disk.faults.capacity = Number.POSITIVE_INFINITY;
    const again = await new Fixture(fixture.disk).open();
    const ids = again.ids();
    assert.deepEqual(ids, upTo(ids.length));
    assert.ok(ids.length >= 10);
    again.term = TERM + 1;
    await again.store.beginTerm(again.term, 'a', () => true);
    await again.insert(ids.length + 1, 60);
    assert.deepEqual(again.ids(), upTo(60));
  });
});

describe('a store that joins', () => {
  const nothing = { term: 0, sequence: 0 };

  it('has either its old rows or the new ones, wherever its process dies', async () => {
    const leader = await withTwoSnapshots();
    const old = await (await new Fixture().open()).lead();
    await old.insert(1, 3);
    const position = old.store.end;
    const outcomes = new Set<string>();
    for (let operations = 0; operations < 30; operations++) {
      const copy = old.copy();
      await copy.open((disk) => dyingAfter(operations + 3, disk)).catch(() => undefined);
      await copy.store.promiseTerm(TERM + 1).catch(() => undefined);
      const disk = dyingAfter(operations, copy.disk.mount());
      const joined = await leader.download(disk).catch(() => undefined);
      if (joined !== undefined) {
        await copy.store.join(position, TERM + 1, joined).catch(() => undefined);
      }
      const again = await new Fixture(copy.disk).open();
      outcomes.add(again.store.end.sequence === position.sequence ? 'old' : 'new');
      const { start } = leader.store.snapshots.newest!;
      const expected = [position.sequence, start.sequence];
      assert.ok(expected.includes(again.store.end.sequence), `after ${operations}`);
    }
    assert.deepEqual([...outcomes].toSorted(), ['new', 'old']);
  });

  it('is of no use until the rows that were written meanwhile have come', async () => {
    const leader = await (await new Fixture().open()).lead();
    await leader.insert(1, 20);
    let next = 21;
    await leader.snapshot(async () => {
      await leader.insert(next, next++);
    });
    const follower = await new Fixture().open();
    await follower.store.promiseTerm(TERM);
    const joined = (await leader.download(follower.disk.mount()))!;
    assert.equal(await follower.store.join(nothing, TERM, joined), true);
    assert.equal(follower.store.isComplete, false);
    assert.throws(() => follower.ids(), { code: 'NOT_READY' });
    assert.equal(await follower.store.beginTerm(TERM + 1, 'b', () => true), undefined);
    const restarted = await new Fixture(follower.disk).open();
    assert.equal(restarted.store.isComplete, false);
    for (let position = restarted.store.end; position.sequence < leader.store.end.sequence; ) {
      const batches = await leader.store.log.behind(position.sequence, 100);
      const common = { term: TERM, acknowledged: leader.store.end, inSync: [] };
      const answer = { kind: 'rows' as const, ...common, batches: [...(batches ?? [])] };
      assert.equal(await restarted.store.receive(position, answer), true);
      position = restarted.store.end;
    }
    assert.equal(restarted.store.isComplete, true);
    assert.deepEqual(restarted.ids(), upTo(next - 1));
    // Also when the machine dies now: what it joined with is nothing without the log behind it.
    restarted.disk.crash();
    assert.deepEqual((await new Fixture(restarted.disk).open()).ids(), upTo(next - 1));
  });

  it('begins a download anew that was broken off, by the leader or by the end of its process', async () => {
    const leader = await withTwoSnapshots();
    const follower = await new Fixture().open();
    await follower.store.promiseTerm(TERM);
    const disk = follower.disk.mount();
    const { newest } = leader.store.snapshots;
    const bytes = leader.disk.peek(newest!.path)!;
    const piece = (offset: number) => ({
      kind: 'part' as const,
      name: newest!.name,
      total: bytes.length,
      bytes: bytes.slice(offset, offset + 50),
    });
    const gone = await downloadSnapshot(disk, async (_name, offset) =>
      offset < 100 ? piece(offset) : { kind: 'later' },
    );
    assert.deepEqual([gone, follower.disk.names('join')], [undefined, []]);

    const broken = downloadSnapshot(disk, async (_name, offset) => {
      if (offset < 100) return piece(offset);
      throw new Error('the process ends');
    });
    await assert.rejects(broken, /the process ends/);
    assert.deepEqual(follower.disk.names('join'), ['part']);
    const again = await new Fixture(follower.disk).open();
    assert.deepEqual(again.disk.names('join'), []);
    const joined = (await leader.download(again.disk.mount()))!;
    assert.equal(await again.store.join(nothing, TERM, joined), true);
    assert.deepEqual(again.store.end, newest!.start);
  });

  it('keeps what was laid aside last, and no more', async () => {
    const disk = newDisk();
    const kept: (readonly string[])[] = [];
    for (let time = 1; time <= 3; time++) {
      const fixture = await new Fixture(disk).open();
      fixture.term = time;
      await fixture.store.beginTerm(time, 'a', () => true);
      await fixture.store.drained();
      await fixture.store.reseed('a test');
      const before = disk.peek(`log/${disk.names('log').at(-1)}`);
      await (await new Fixture(disk).open()).store.close();
      kept.push(disk.names('aside'), disk.names('aside/log'));
      assert.deepEqual(disk.peek(`aside/log/${disk.names('aside/log').at(-1)}`), before);
    }
    const one = [['log'], ['0000000000000001.xlog']];
    assert.deepEqual(kept, [...one, ...one, ...one]);
  });

  it('lays its rows aside when it was told to, at its next start', async () => {
    const fixture = await withTwoSnapshots();
    await fixture.store.reseed('a test');
    assert.match(String(fixture.fatal[0]), /starts again/);
    const again = await new Fixture(fixture.disk).open();
    assert.deepEqual(again.store.end, nothing);
    assert.deepEqual(again.disk.names('aside'), ['log', 'snapshot']);
    assert.equal(again.disk.peek('reseed.json'), undefined);
  });
});
