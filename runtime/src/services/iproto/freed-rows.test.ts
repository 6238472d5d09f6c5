/**
 * Whole sessions over an engine that overwrites the memory of a row in the moment in which it frees it, beside the
 * same sessions over an engine in plain JavaScript. A reply, a row for the log or an index that still reads what was
 * freed has other bytes than it should.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { key, requestType } from '../../core/iproto/protocol.ts';
import type { Value } from '../../core/schema/values.ts';
import type { Transaction } from '../../core/storage/engine.ts';
import { MemoryEngine } from '../../core/storage/memory/memory-engine.ts';
import type { MemorySpace } from '../../core/storage/memory/memory-space.ts';
import { silentLogger } from '../../foundation/logger.ts';
import type { DataRequest, IprotoStorage, TupleSink } from '../../ports/iproto-storage.ts';
import { type Fields, type ReceivedReply, requestFrame } from '../../testing/iproto-frames.ts';
import { LeaderAndFollower } from '../../testing/leader-and-follower.ts';
import { type MemoryConnection, MemoryListener } from '../../testing/memory-listener.ts';
import { ReferenceIprotoStorage } from '../../testing/reference-iproto-storage.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';
import { SimulatedClock } from '../../testing/simulated-clock.ts';
import { RequestStorage, type RowAccess } from '../request-storage.ts';
import { IprotoServer } from './iproto-server.ts';

const SPACE = 512;
const KEYS = 40;
const NEVER = 0xc1;
const LARGE = 70_000;

function createSpace(transaction: Transaction): void {
  transaction.createSpace('rows', {
    format: [
      { name: 'id', type: 'unsigned' },
      { name: 'group', type: 'unsigned' },
      { name: 'text', type: 'string' },
    ],
  });
  transaction.createIndex('rows', { name: 'pk', parts: ['id'] });
  transaction.createIndex('rows', { name: 'group', parts: ['group'], unique: false });
  transaction.createIndex('rows', { name: 'text', parts: ['text', 'id'] });
}

/** Nothing that was freed can be read by mistake. */
class Poisoned extends MemoryEngine {
  /** A bug may free a row twice; it is to be found by what it reads, not by the arena. */
  readonly freedTwice: number[] = [];

  constructor() {
    super();
    const { arena } = this.memory;
    const free = arena.free.bind(arena);
    arena.free = (handle) => {
      const bytes = arena.chunkOf(handle);
      const start = arena.startOf(handle);
      if (bytes[start] === NEVER) {
        this.freedTwice.push(handle);
        return;
      }
      const size = arena.sizeOf(handle);
      free(handle);
      bytes.fill(NEVER, start, start + size);
    };
  }
}

/** Rows that a transaction has replaced are freed before it ends. */
class FreesInTransactions extends Poisoned {
  override replace(space: MemorySpace, bytes: Uint8Array, at: number, end: number): number {
    const handle = super.replace(space, bytes, at, end);
    if (this.isOpen && space.previous !== 0) this.memory.arena.free(space.previous);
    return handle;
  }
}

/** The row that is updated is freed when the one after it is begun. */
class FreesBeforeUpdates extends Poisoned {
  override update(...args: Parameters<MemoryEngine['update']>): number {
    this.memory.arena.free(args[1]);
    return super.update(...args);
  }
}

/** The reply to a delete reads the row when it is gone. */
class ReadsLate extends RequestStorage {
  override delete(request: DataRequest, sink: TupleSink): number {
    const given: [Uint8Array, number, number][] = [];
    const number = super.delete(request, {
      tuple: (bytes, start, end) => {
        given.push([bytes, start, end]);
      },
    });
    for (const [bytes, start, end] of given) sink.tuple(bytes, start, end);
    return number;
  }
}

async function connect(storage: IprotoStorage): Promise<MemoryConnection> {
  const listener = new MemoryListener();
  const server = new IprotoServer({
    ...{ storage, listener, clock: new SimulatedClock(), logger: silentLogger },
    call: async () => undefined,
    users: {
      authenticate: () => true,
      mayRead: () => true,
      mayWrite: () => true,
      mayCall: () => true,
    },
    instance: { uuid: 'the-instance', replicaSetUuid: 'the-set', id: 1 },
  });
  await server.listen();
  return listener.connect();
}

/** Requests of one tick, whose rows meet again and again. */
class Requests {
  readonly #random: SeededRandom;
  #sync = 0;
  #stream = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  tick(): readonly Uint8Array[] {
    const frames: Uint8Array[] = [];
    for (let left = 1 + this.#random.integer(20); left > 0; left--) {
      if (this.#random.chance(0.15)) frames.push(...this.#transaction());
      else frames.push(this.#one([]));
    }
    return frames;
  }

  all(): Uint8Array {
    const body: Fields = [
      ...[[key.SPACE_ID, SPACE] as const, [key.LIMIT, 1000] as const],
      [key.ITERATOR, 2],
      [key.KEY, []],
    ];
    return requestFrame(requestType.SELECT, ++this.#sync, body);
  }

  #transaction(): readonly Uint8Array[] {
    const more: Fields = [[key.STREAM_ID, ++this.#stream]];
    const end = this.#random.chance(0.5) ? requestType.COMMIT : requestType.ROLLBACK;
    const frame = (type: number): Uint8Array => requestFrame(type, ++this.#sync, [], more);
    const statements = Array.from({ length: 1 + this.#random.integer(5) }, () => this.#one(more));
    return [frame(requestType.BEGIN), ...statements, frame(end)];
  }

  #one(more: Fields): Uint8Array {
    const random = this.#random;
    const space = [key.SPACE_ID, SPACE] as const;
    const byId = [key.KEY, [random.integer(KEYS)]] as const;
    const operations: Value = [
      ['+', 1, 1],
      random.chance(0.5) ? [':', 2, 0, 1, this.#text()] : ['=', 2, this.#text()],
    ];
    const tuple = [random.integer(KEYS), random.integer(4), this.#text()];
    const whole: Fields = [space, [key.TUPLE, tuple]];
    const requests: readonly (readonly [number, Fields])[] = [
      [requestType.INSERT, whole],
      [requestType.REPLACE, whole],
      [requestType.REPLACE, whole],
      [requestType.UPDATE, [space, byId, [key.TUPLE, operations]]],
      [requestType.UPDATE, [space, byId, [key.TUPLE, operations]]],
      [requestType.UPSERT, [...whole, [key.OPS, operations]]],
      [requestType.DELETE, [space, byId]],
      [requestType.DELETE, [space, byId]],
      [requestType.SELECT, [space, byId, [key.LIMIT, 1]]],
      [
        requestType.SELECT,
        [space, [key.INDEX_ID, 1], [key.KEY, [random.integer(4)]], [key.LIMIT, 50]],
      ],
    ];
    const [type, body] = random.pick(requests);
    return requestFrame(type, ++this.#sync, body, more);
  }

  /** Of all sizes: those of freed ones are used again, by others too. */
  #text(): string {
    const random = this.#random;
    const size = random.chance(0.003) ? LARGE : random.integer(random.pick([5, 60, 900]));
    return random.pick(['a', 'b', 'c']).repeat(size);
  }
}

/** What the replies of a tick say that is not so; nothing when they are right. */
function difference(
  found: readonly ReceivedReply[],
  wanted: readonly ReceivedReply[],
): string | undefined {
  const plain = (replies: readonly ReceivedReply[]): readonly unknown[] =>
    replies.map(({ code, sync, body }) => [code, sync, body[String(key.DATA)]]);
  try {
    assert.deepEqual(plain(found), plain(wanted));
    return undefined;
  } catch (error) {
    return String(error).slice(0, 300);
  }
}

interface Story {
  readonly engine?: Poisoned;
  readonly storageOn?: (access: RowAccess) => IprotoStorage;
}

/** What was found wrong in so many ticks. */
async function run(seed: number, ticks: number, story: Story = {}): Promise<string | undefined> {
  const { engine = new Poisoned(), storageOn = (rows) => new RequestStorage(rows) } = story;
  const access = new LeaderAndFollower(createSpace, engine);
  const reference = new ReferenceIprotoStorage();
  reference.change(createSpace);
  const own = await connect(storageOn(access));
  const model = await connect(reference);
  const requests = new Requests(new SeededRandom(seed));
  for (let tick = 0; tick < ticks; tick++) {
    try {
      // All rows again at the end of the tick: what was freed by mistake may be read by none of its requests.
      const frames = [...requests.tick(), requests.all()];
      own.give(...frames);
      model.give(...frames);
      own.turn();
      model.turn();
      access.endTick();
      const wrong = difference(own.take(), model.take());
      if (wrong !== undefined) return `tick ${tick}: ${wrong}`;
    } catch (error) {
      return `tick ${tick}: ${String(error)}`;
    }
  }
  assert.deepEqual(engine.freedTwice, []);
  assert.deepEqual(rowsOf(access.follower), rowsOf(engine));
  return undefined;
}

function rowsOf(engine: MemoryEngine): readonly unknown[] {
  const transaction = engine.begin();
  const rows = [0, 1, 2].map((index) =>
    transaction.select('rows', [], { index: ['pk', 'group', 'text'][index] ?? 'pk' }),
  );
  transaction.rollback();
  return rows;
}

describe('memory that is freed', () => {
  it('is read by no reply, no row of the log and no index', async () => {
    for (let seed = 1; seed <= 4; seed++) assert.equal(await run(seed, 100), undefined);
  });

  const bugs: Readonly<Record<string, () => Story>> = {
    'a reply that reads a row when it is gone': () => ({
      storageOn: (rows) => new ReadsLate(rows),
    }),
    'a transaction that frees what it may have to put back': () => ({
      engine: new FreesInTransactions(),
    }),
    'an update that frees what it reads': () => ({ engine: new FreesBeforeUpdates() }),
  };
  for (const [name, story] of Object.entries(bugs)) {
    it(`finds the planted bug: ${name}`, async () => {
      assert.notEqual(await run(1, 100, story()), undefined);
    });
  }
});
