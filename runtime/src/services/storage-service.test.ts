import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Seat } from '../contract/provider-records.ts';
import { ClusterError } from '../core/errors.ts';
import { encode } from '../core/msgpack/encode.ts';
import type { PullAnswer, SnapshotAnswer } from '../core/replication/messages.ts';
import type { Reader, Transaction } from '../core/storage/engine.ts';
import { silentLogger } from '../foundation/logger.ts';
import type { Disk } from '../ports/disk.ts';
import type { DataRequest } from '../ports/iproto-storage.ts';
import type { InSyncOutcome, Leadership, LeadershipPort } from '../ports/leadership.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import type { FetchPiece } from './snapshot-join.ts';
import { StorageService } from './storage-service.ts';

const REPLICA_SET = '00000000-0000-4000-8000-0000000000f0';
const own: Seat = { uuid: '00000000-0000-4000-8000-000000000001', incarnation: 1 };
const other: Seat = { uuid: '00000000-0000-4000-8000-000000000002', incarnation: 1 };

/** Says what it is told to say. */
class GivenLeadership implements LeadershipPort {
  outcome: InSyncOutcome = 'stored';
  readonly proposals: (readonly Seat[])[] = [];
  #current: Leadership = { kind: 'none', term: 0, reason: 'nobody was appointed' };
  readonly #listeners = new Set<() => void>();

  current(): Leadership {
    return this.#current;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async proposeInSync(seats: readonly Seat[]): Promise<InSyncOutcome> {
    this.proposals.push(seats);
    if (this.outcome === 'stored' && this.#current.kind === 'leader') {
      this.set({ ...this.#current, inSync: seats });
    }
    return this.outcome;
  }

  set(current: Leadership): void {
    this.#current = current;
    for (const listener of [...this.#listeners]) listener();
  }

  lead(term: number, inSync: readonly Seat[] = [own], deadlineMs = Number.POSITIVE_INFINITY): void {
    this.set({ kind: 'leader', term, deadlineMs, inSync });
  }
}

class Fixture {
  readonly clock = new SimulatedClock();
  readonly leadership = new GivenLeadership();
  readonly disk = new SimulatedDisk({
    clock: this.clock,
    random: new SeededRandom(1),
    latencyMs: 0,
  });
  readonly fatal: unknown[] = [];
  instances: readonly string[] = [own.uuid];
  storage!: StorageService;

  async start(wrap: (disk: Disk) => Disk = (disk) => disk): Promise<this> {
    this.storage = new StorageService({
      disk: wrap(this.disk.mount()),
      clock: this.clock,
      logger: silentLogger,
      identity: { uuid: own.uuid, logIncarnation: own.incarnation },
      replicaSetUuid: REPLICA_SET,
      leadership: this.leadership,
      logMode: 'fsync',
      instances: () => this.instances,
      fatal: (error) => this.fatal.push(error),
    });
    await this.storage.open();
    return this;
  }

  async pull(term: number, sequence: number, atTerm = term, waitMs = 0): Promise<PullAnswer> {
    const handler = this.storage.handlers().get('replication.pull')!;
    const position = { term: sequence === 0 ? 0 : atTerm, sequence };
    const body = { replicaSetUuid: REPLICA_SET, seat: other, term, position, waitMs };
    const [answer] = await Promise.all([handler(body), this.clock.advance(1)]);
    return answer as PullAnswer;
  }

  settle(): Promise<void> {
    return this.clock.advance(1);
  }
}

function refused(code: string) {
  return (error: unknown): boolean => error instanceof ClusterError && error.code === code;
}

function insert(id: number) {
  return (tx: Transaction): void => {
    tx.createSpace('rows', { format: [{ name: 'id', type: 'unsigned' }], ifNotExists: true });
    tx.createIndex('rows', { name: 'primary', parts: ['id'], ifNotExists: true });
    tx.insert('rows', [id]);
  };
}

function rows(reader: Reader): readonly unknown[] {
  return reader.space('rows') === undefined ? [] : reader.select('rows', []);
}

describe('a storage that leads', () => {
  it('is writable once its term has begun, and keeps what it wrote over a restart', async () => {
    const fixture = await new Fixture().start();
    assert.equal(fixture.storage.isWritable, false);
    await assert.rejects(fixture.storage.write(insert(1)), refused('NO_LEADER'));
    fixture.leadership.lead(1);
    await fixture.settle();
    assert.equal(fixture.storage.isWritable, true);
    await fixture.storage.write(insert(1));
    await fixture.storage.close();
    fixture.leadership.set({ kind: 'none', term: 1, reason: 'restarted' });
    await fixture.start();
    assert.deepEqual(await fixture.storage.read(rows), [[1]]);
    assert.deepEqual(fixture.storage.position, { term: 1, sequence: 4 });
  });

  it('does not begin a term again after a restart, nor one below a promise', async () => {
    const fixture = await new Fixture().start();
    fixture.leadership.lead(3);
    await fixture.settle();
    await fixture.storage.close();
    await fixture.start();
    await fixture.settle();
    assert.deepEqual([fixture.storage.isWritable, fixture.storage.position.sequence], [false, 1]);
    await fixture.storage.promise(5);
    fixture.leadership.lead(4);
    await fixture.settle();
    assert.equal(fixture.storage.position.sequence, 1);
    fixture.leadership.lead(5);
    await fixture.settle();
    assert.deepEqual(fixture.storage.position, { term: 5, sequence: 2 });
  });

  it('does not begin a term without its seat, or followers would cut their logs to its own', async () => {
    const fixture = await new Fixture().start();
    fixture.leadership.lead(1, [{ ...own, incarnation: 2 }, other]);
    await fixture.settle();
    assert.equal(fixture.storage.position.sequence, 0);
    await assert.rejects(fixture.pull(1, 0), refused('NOT_LEADER'));
  });

  it('answers a write when every in-sync seat has it, not before', async () => {
    const fixture = await new Fixture().start();
    fixture.leadership.lead(1, [own, other]);
    await fixture.settle();
    assert.equal(fixture.storage.isWritable, false);
    await fixture.pull(1, 1);
    let isAnswered = false;
    const write = fixture.storage.write(insert(1)).then(() => {
      isAnswered = true;
    });
    const read = fixture.storage.read(rows);
    await fixture.pull(1, 1);
    assert.deepEqual([isAnswered, fixture.storage.acknowledged.sequence], [false, 1]);
    await fixture.pull(1, 4);
    await write;
    assert.deepEqual(await read, [[1]]);
    assert.deepEqual(fixture.storage.acknowledged, { term: 1, sequence: 4 });
  });

  it('goes on without a laggard once its removal is stored', async () => {
    const fixture = await new Fixture().start();
    fixture.leadership.lead(1, [own, other]);
    fixture.leadership.outcome = 'unknown';
    await fixture.clock.advance(700);
    assert.deepEqual(fixture.leadership.proposals[0], [own]);
    assert.equal(fixture.storage.isWritable, false);
    fixture.leadership.outcome = 'stored';
    await fixture.clock.advance(100);
    assert.equal(fixture.storage.isWritable, true);
  });

  const endings: readonly (readonly [string, (fixture: Fixture) => unknown])[] = [
    ['the lease lapses', ({ leadership }) => leadership.lead(1, [own, other], 0)],
    [
      'another is appointed',
      ({ leadership }) => leadership.set({ kind: 'follower', term: 2, leader: other.uuid }),
    ],
    ['a higher term is promised', ({ storage }) => storage.promise(2)],
    [
      'it takes too long',
      ({ clock, leadership }) => {
        leadership.outcome = 'unknown';
        return clock.advance(11_000);
      },
    ],
  ];
  for (const [name, end] of endings) {
    it(`says that the outcome is unknown when ${name}, and refuses what comes later`, async () => {
      const fixture = await new Fixture().start();
      fixture.leadership.lead(1, [own, other]);
      await fixture.settle();
      await fixture.pull(1, 1);
      const write = assert.rejects(fixture.storage.write(insert(1)), refused('OUTCOME_UNKNOWN'));
      await fixture.settle();
      await end(fixture);
      await write;
      if (name === 'it takes too long') return;
      await assert.rejects(fixture.storage.write(insert(2)), refused('NO_LEADER'));
    });
  }

  it('undoes a transaction that throws or that waits', async () => {
    const fixture = await new Fixture().start();
    fixture.leadership.lead(1);
    await fixture.settle();
    await fixture.storage.write(insert(1));
    const thrown = fixture.storage.write((tx) => {
      tx.insert('rows', [2]);
      throw new Error('no');
    });
    await assert.rejects(thrown, /^Error: no$/);
    const waiting = fixture.storage.write(async (tx) => tx.insert('rows', [3]));
    await assert.rejects(waiting, refused('REQUEST_INVALID'));
    await assert.rejects(fixture.storage.write(insert(1)), refused('DUPLICATE_KEY'));
    assert.deepEqual(await fixture.storage.read(rows), [[1]]);
  });

  it('takes no writes while it is frozen, and does again when thawed', async () => {
    const fixture = await new Fixture().start();
    const seen: boolean[] = [];
    fixture.storage.onWritableChange((isWritable) => seen.push(isWritable));
    fixture.leadership.lead(1);
    await fixture.settle();
    await fixture.storage.write(insert(1));
    assert.deepEqual(await fixture.storage.freeze(), { term: 1, sequence: 4 });
    await assert.rejects(fixture.storage.write(insert(2)), refused('NO_LEADER'));
    fixture.storage.thaw();
    await fixture.storage.write(insert(2));
    assert.deepEqual(seen, [true, false, true]);
  });

  it('is frozen once who waits for a write is answered', async () => {
    const fixture = await new Fixture().start();
    fixture.leadership.lead(1, [own, other]);
    await fixture.settle();
    await fixture.pull(1, 1);
    const written = fixture.storage.write(insert(1));
    let isFrozen = false;
    const freezing = fixture.storage.freeze().then(() => {
      isFrozen = true;
    });
    await fixture.settle();
    assert.equal(isFrozen, false);
    await fixture.pull(1, fixture.storage.position.sequence);
    await Promise.all([written, freezing]);
  });

  it('lets a follower wait for a term that is about to begin', async () => {
    const fixture = await new Fixture().start();
    const pulling = fixture.pull(1, 0, 1, 100);
    fixture.leadership.lead(1);
    assert.equal((await pulling).kind, 'rows');
  });

  it('stops when its disk fails: what was under way is unknown', async () => {
    const fixture = new Fixture();
    let isBroken = false;
    const disk = (real: Disk): Disk => ({
      ...real,
      openAppend: async (path) => {
        const file = await real.openAppend(path);
        return {
          ...file,
          write: (bytes) => {
            if (isBroken) throw new Error('EIO');
            file.write(bytes);
          },
        };
      },
    });
    await fixture.start(disk);
    fixture.leadership.lead(1);
    await fixture.settle();
    isBroken = true;
    await assert.rejects(fixture.storage.write(insert(1)), refused('OUTCOME_UNKNOWN'));
    await assert.rejects(fixture.storage.write(insert(2)), refused('STORAGE_FAILED'));
    assert.deepEqual(fixture.fatal.map(String), ['Error: EIO']);
    assert.equal(fixture.storage.requests.isReadable, false);
  });
});

function makeSpaces(tx: Transaction): void {
  const format = [{ name: 'id', type: 'unsigned' }] as const;
  tx.createSpace('usual', { format });
  tx.createSpace('fast', { format, ack: 'local' });
  tx.createSpace('safe', { format, isSync: true });
  for (const name of ['usual', 'fast', 'safe']) {
    tx.createIndex(name, { name: 'primary', parts: ['id'] });
  }
}

/** A leader of two, both in sync, whose follower has everything up to now and asks for nothing more. */
async function leaderOfTwo(): Promise<Fixture> {
  const fixture = new Fixture();
  fixture.instances = [own.uuid, other.uuid];
  await fixture.start();
  fixture.leadership.lead(1, [own, other]);
  await fixture.settle();
  await fixture.pull(1, 1);
  const made = fixture.storage.write(makeSpaces);
  await fixture.settle();
  await fixture.pull(1, fixture.storage.position.sequence);
  await made;
  return fixture;
}

const nowhere = { tuple: () => undefined };

/** A request for one row: its tuple is its key. */
function row(space: number, id: number): DataRequest {
  const bytes = encode([id]);
  return {
    ...{ bytes, space, index: 0, iterator: 0, limit: 1, offset: 0, indexBase: 0 },
    ...{ keyAt: 0, tupleAt: 0, tupleEnd: bytes.length, operationsAt: -1, afterAt: -1 },
  };
}

/** Which of these have an answer by now. */
async function answered(fixture: Fixture, calls: readonly Promise<unknown>[]): Promise<boolean[]> {
  const done = calls.map(() => false);
  calls.forEach((call, index) => {
    call.then(
      () => (done[index] = true),
      () => undefined,
    );
  });
  await fixture.settle();
  return done;
}

describe('a storage with spaces that are acknowledged in another way', () => {
  it('answers for local spaces when its own log has the row, and for no other', async () => {
    const fixture = await leaderOfTwo();
    const { storage } = fixture;
    const calls = [
      storage.write((tx) => tx.insert('fast', [1])),
      storage.write((tx) => tx.insert('usual', [1])),
      storage.read((reader) => reader.select('fast', [])),
      storage.read((reader) => reader.select('usual', [])),
      storage.write((tx) => [tx.insert('fast', [2]), tx.insert('usual', [2])]),
      storage.write((tx) => [tx.insert('fast', [3]), tx.get('usual', [7])]),
      storage.write((tx) => tx.insert('usual', [3]), { ack: 'local' }),
      storage.write((tx) => tx.insert('fast', [1])),
    ];
    assert.deepEqual(await answered(fixture, calls), [
      true,
      false,
      true,
      false,
      ...[false, false],
      true,
      false,
    ]);
    await assert.rejects(calls[7]!, refused('DUPLICATE_KEY'));
    await fixture.pull(1, storage.position.sequence);
    assert.deepEqual((await Promise.all(calls.slice(1, 7))).slice(0, 3), [[1], [[1]], [[1]]]);
  });

  it('tells the binary port which row a reply waits for, and where', async () => {
    const { storage } = await leaderOfTwo();
    const [usual, fast] = [512, 513];
    const { requests } = storage;
    const end = storage.position.sequence;
    assert.deepEqual(
      [requests.insert(row(fast, 1), nowhere), requests.unacknowledged(fast)],
      [-(end + 1), -(end + 1)],
    );
    assert.equal(requests.insert(row(usual, 1), nowhere), end + 2);
    requests.begin();
    requests.insert(row(fast, 2), nowhere);
    requests.insert(row(fast, 3), nowhere);
    assert.equal(requests.commit(), -(end + 4));
    requests.begin();
    requests.insert(row(fast, 4), nowhere);
    requests.insert(row(usual, 4), nowhere);
    assert.equal(requests.commit(), end + 6);
    requests.begin();
    requests.select(row(fast, 4), nowhere);
    assert.equal(requests.commit(), -(end + 6));
  });

  it('does not make a local space before the in-sync members have it', async () => {
    const fixture = await leaderOfTwo();
    const made = fixture.storage.write(
      (tx) => tx.createSpace('more', { format: [{ name: 'id', type: 'unsigned' }], ack: 'local' }),
      { ack: 'local' },
    );
    assert.deepEqual(await answered(fixture, [made]), [false]);
    await fixture.pull(1, fixture.storage.position.sequence);
    await made;
  });

  it('says that the outcome of a local write is unknown when the lease has lapsed', async () => {
    const fixture = await leaderOfTwo();
    const write = fixture.storage.write((tx) => tx.insert('fast', [1]));
    const failed = assert.rejects(write, refused('OUTCOME_UNKNOWN'));
    fixture.leadership.lead(1, [own, other], 0);
    await failed;
  });

  it('answers no write of a synchronous space for less than a majority, and says who is missing', async () => {
    const fixture = await leaderOfTwo();
    const { storage, clock, leadership } = fixture;
    await assert.rejects(
      storage.write((tx) => tx.insert('safe', [9]), { ack: 'local' }),
      (error) => error instanceof ClusterError && error.field === 'ack',
    );
    const write = storage.write((tx) => tx.insert('safe', [1]));
    const failed = assert.rejects(write, (error) => {
      assert.match(String(error), /"safe".*majority of the 2 instances .*0002 is not/);
      return refused('OUTCOME_UNKNOWN')(error);
    });
    await clock.advance(5000);
    assert.deepEqual(leadership.proposals, []);
    const [issue] = storage.issues();
    assert.deepEqual([issue?.level, issue?.topic], ['critical', 'synchronous-spaces']);
    await clock.advance(6000);
    await failed;
    const fast = storage.write((tx) => tx.insert('fast', [1]));
    assert.deepEqual(await answered(fixture, [fast]), [true]);
    await fixture.pull(1, storage.position.sequence);
    assert.deepEqual(storage.issues(), []);
    assert.deepEqual(await storage.read((reader) => reader.select('safe', [])), [[1]]);
  });

  it('remembers what its spaces are, over a restart', async () => {
    const fixture = await leaderOfTwo();
    await fixture.storage.close();
    await fixture.start();
    const definitions = await fixture.storage.read((reader) => reader.spaces(), {
      consistency: 'local',
    });
    assert.deepEqual(
      definitions.map(({ name, ack, isSync }) => [name, ack, isSync]),
      [
        ['usual', undefined, undefined],
        ['fast', 'local', undefined],
        ['safe', undefined, true],
      ],
    );
  });

  it('tells how far its followers are', async () => {
    const fixture = await leaderOfTwo();
    await fixture.storage.write((tx) => tx.insert('fast', [1]));
    await fixture.clock.advance(99);
    const { followers, position, isInSync, lostRows } = fixture.storage.figures();
    const [follower] = followers;
    assert.deepEqual(
      [follower?.uuid, follower?.isInSync, follower?.rowsBehind],
      [other.uuid, true, 1],
    );
    assert.ok((follower?.lagMs ?? 0) >= 99 && (follower?.idleMs ?? 0) >= 99);
    assert.deepEqual([position.sequence, isInSync, lostRows], [8, true, 0]);
  });
});

describe('a storage that follows', () => {
  it('takes the rows of a new leader in place of its own, and keeps those for people', async () => {
    const deposed = await new Fixture().start();
    deposed.leadership.lead(1);
    await deposed.settle();
    await deposed.storage.write(insert(1));
    const leader = await new Fixture().start();
    leader.leadership.lead(2);
    await leader.settle();
    await leader.storage.write(insert(7));

    deposed.leadership.set({ kind: 'follower', term: 2, leader: other.uuid });
    for (let round = 0; round < 3; round++) {
      const request = await deposed.storage.pullRequest(2, 0);
      const { sequence, term } = request!.position;
      const answer = await leader.pull(2, sequence, term);
      assert.equal(await deposed.storage.receive(request!, answer), true);
    }
    assert.deepEqual(await deposed.storage.read(rows), [[7]]);
    assert.deepEqual(deposed.storage.position, { term: 2, sequence: 4 });
    assert.deepEqual(deposed.disk.names('lost'), ['1.xlog']);
    assert.match(deposed.storage.issues()[0]!.message, /^3 rows of term 1 /);
    await deposed.storage.close();
    await deposed.start();
    assert.deepEqual(await deposed.storage.read(rows), [[7]]);
    assert.match(deposed.storage.issues()[0]!.message, /^3 rows of term 1 /);
  });

  it('is not readable until it has joined, and has what was written meanwhile', async () => {
    const leader = await new Fixture().start();
    leader.leadership.lead(1);
    await leader.settle();
    await leader.storage.write(insert(1));
    const ids = [1];
    const snapshot = { isTaken: false };
    void leader.storage.copies.snapshot(new AbortController().signal).then(() => {
      snapshot.isTaken = true;
    });
    // A write whenever the snapshot waits for something: one of them is between its start and its end.
    while (!snapshot.isTaken && ids.length < 1000) {
      ids.push(ids.length + 1);
      void leader.storage.write(insert(ids.length));
      await (ids.length % 20 === 0 ? leader.clock.advance(10) : Promise.resolve());
    }

    const { storage, leadership } = await new Fixture().start();
    leadership.set({ kind: 'follower', term: 1, leader: other.uuid });
    const seen = [storage.requests.isReadable];
    const request = await storage.pullRequest(1, 0);
    const fetchPiece: FetchPiece = async (name, offset) => {
      const handler = leader.storage.handlers().get('replication.snapshot')!;
      const { position } = request!;
      const body = { replicaSetUuid: REPLICA_SET, term: 1, name, position, offset };
      return (await handler(body)) as SnapshotAnswer;
    };
    assert.equal(await storage.copies.join(request!, fetchPiece), true);
    seen.push(storage.requests.isReadable);
    const next = await storage.pullRequest(1, 0);
    const { sequence, term } = next!.position;
    assert.equal(await storage.receive(next!, await leader.pull(1, sequence, term)), true);
    seen.push(storage.requests.isReadable);
    assert.deepEqual(seen, [false, false, true]);
    assert.deepEqual(
      await storage.read(rows),
      ids.map((id) => [id]),
    );
  });

  it('takes no rows of a term below its promise', async () => {
    const leader = await new Fixture().start();
    leader.leadership.lead(1);
    await leader.settle();
    const follower = await new Fixture().start();
    const request = await follower.storage.pullRequest(1, 0);
    const answer = await leader.pull(1, 0);
    const promised = await follower.storage.promise(2);
    assert.deepEqual(promised, {
      position: { term: 0, sequence: 0 },
      promisedTerm: 2,
      logIncarnation: 1,
    });
    assert.equal(await follower.storage.receive(request!, answer), false);
    assert.equal(follower.storage.position.sequence, 0);
  });

  it('makes a leader of a lower term give way', async () => {
    const leader = await new Fixture().start();
    leader.leadership.lead(1);
    await leader.settle();
    await assert.rejects(leader.pull(2, 0), refused('NOT_LEADER'));
    assert.deepEqual([leader.storage.isWritable, leader.storage.report().seenTerm], [false, 2]);
  });
});
