/**
 * Hundreds of thousands of requests whose bytes were changed at random: each is answered, with data or with an error
 * that the protocol knows, and leaves nothing behind.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorNumber } from '../../core/iproto/error-numbers.ts';
import { key, requestType } from '../../core/iproto/protocol.ts';
import { IprotoRequest } from '../../core/iproto/request.ts';
import type { Value } from '../../core/schema/values.ts';
import type { Transaction } from '../../core/storage/engine.ts';
import { MemoryEngine } from '../../core/storage/memory/memory-engine.ts';
import { silentLogger } from '../../foundation/logger.ts';
import { type Fields, type ReceivedReply, requestFrame } from '../../testing/iproto-frames.ts';
import { LeaderAndFollower } from '../../testing/leader-and-follower.ts';
import { type MemoryConnection, MemoryListener } from '../../testing/memory-listener.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';
import { SimulatedClock } from '../../testing/simulated-clock.ts';
import { RequestStorage } from '../request-storage.ts';
import { IprotoServer } from './iproto-server.ts';

const SPACE = 512;
const KEYS = 30;
const FRAMES = 200_000;
const AT_ONCE = 40;
const LAST_SYNC = 0x7fff_ffff;
const ERROR = 0x8000;
/** Bytes that begin something, or never do. */
const INTERESTING = [
  0x00, 0x7f, 0x80, 0x90, 0xa0, 0xc0, 0xc1, 0xc7, 0xcf, 0xd9, 0xdb, 0xdd, 0xdf, 0xff,
];
const WITHOUT_REPLY: readonly number[] = [requestType.WATCH, requestType.UNWATCH];
/** An error of no kind is a bug of ours. */
const KNOWN_ERRORS = new Set<number>(Object.values(errorNumber).filter((number) => number > 0));

function createSpace(transaction: Transaction): void {
  transaction.createSpace('rows', {
    format: [
      { name: 'id', type: 'unsigned' },
      { name: 'group', type: 'unsigned', isNullable: true },
      { name: 'text', type: 'string', isNullable: true },
    ],
  });
  transaction.createIndex('rows', { name: 'pk', parts: ['id'] });
  transaction.createIndex('rows', { name: 'text', parts: ['text', 'id'] });
}

class Requests {
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** The content of a frame, without its length. */
  changed(): Uint8Array {
    const random = this.#random;
    const frame = this.#one();
    // The length is one byte up to 127, and three or five else.
    const lengthBytes = (frame[0] as number) < 0x80 ? 1 : (frame[0] as number) === 0xcc ? 2 : 3;
    const bytes = [...frame.subarray(lengthBytes)];
    for (let left = random.integer(4); left > 0; left--) this.#change(bytes);
    return Uint8Array.from(bytes);
  }

  #change(bytes: number[]): void {
    const random = this.#random;
    const at = random.integer(bytes.length + 1);
    const byte = random.chance(0.5) ? random.integer(256) : random.pick(INTERESTING);
    const changes: readonly (() => void)[] = [
      () => bytes.splice(at, 1, byte),
      () => bytes.splice(at, 1, byte),
      () => bytes.splice(at, 0, byte),
      () => bytes.splice(at, 1),
      () => bytes.splice(at, 0, ...bytes.slice(at, at + random.integer(8))),
      () => bytes.splice(at),
    ];
    random.pick(changes)();
  }

  #one(): Uint8Array {
    const random = this.#random;
    const space = [key.SPACE_ID, random.chance(0.95) ? SPACE : random.pick([280, 281, 288, 289])];
    const whose = space as unknown as Fields[number];
    const byId = [key.KEY, [random.integer(KEYS)]] as const;
    const tuple: Value = [random.integer(KEYS), random.integer(4), 'x'.repeat(random.integer(40))];
    const operations: Value = [
      ['+', 1, 1],
      [':', 2, 0, 1, 'yz'],
      ['=', 'group', 2],
    ];
    const whole: Fields = [whose, [key.TUPLE, tuple]];
    const page: Fields = [
      [key.FETCH_POSITION, true],
      [key.AFTER_TUPLE, tuple],
    ];
    const requests: readonly (readonly [number, Fields])[] = [
      [requestType.INSERT, whole],
      [requestType.REPLACE, whole],
      [requestType.UPDATE, [whose, byId, [key.TUPLE, operations]]],
      [requestType.UPSERT, [...whole, [key.OPS, operations]]],
      [requestType.DELETE, [whose, byId]],
      [requestType.SELECT, [whose, byId, [key.LIMIT, 10], [key.ITERATOR, random.integer(8)]]],
      [requestType.SELECT, [whose, [key.INDEX_ID, 1], [key.KEY, []], [key.LIMIT, 5], ...page]],
      [
        requestType.CALL,
        [
          [key.FUNCTION_NAME, 'role.work'],
          [key.TUPLE, [1, 'a']],
        ],
      ],
      [
        requestType.AUTH,
        [
          [key.USER_NAME, 'admin'],
          [key.TUPLE, ['chap-sha1', 'x'.repeat(20)]],
        ],
      ],
      [
        requestType.ID,
        [
          [key.VERSION, 4],
          [key.FEATURES, [0, 1, 2]],
        ],
      ],
      [requestType.WATCH, [[key.EVENT_KEY, 'box.status']]],
      [requestType.UNWATCH, [[key.EVENT_KEY, 'box.status']]],
      [requestType.WATCH_ONCE, [[key.EVENT_KEY, 'box.status']]],
      [requestType.BEGIN, [[key.TIMEOUT, 1.5]]],
      [requestType.COMMIT, []],
      [requestType.ROLLBACK, []],
      [requestType.VOTE, []],
      [requestType.JOIN, []],
      [requestType.PREPARE, []],
      [requestType.PING, []],
    ];
    const [type, body] = random.pick(requests);
    const more: Fields = random.chance(0.3) ? [[key.STREAM_ID, 1 + random.integer(3)]] : [];
    return requestFrame(type, random.integer(1 << 30), body, more);
  }
}

class World {
  readonly engine = new MemoryEngine();
  readonly access = new LeaderAndFollower(createSpace, this.engine);
  readonly server: IprotoServer;
  readonly #listener = new MemoryListener();
  readonly #clock = new SimulatedClock();

  constructor() {
    this.server = new IprotoServer({
      storage: new RequestStorage(this.access),
      ...{ listener: this.#listener, clock: this.#clock, logger: silentLogger },
      call: async () => [1],
      users: {
        authenticate: () => true,
        mayRead: () => true,
        mayWrite: () => true,
        mayCall: () => true,
      },
      instance: { uuid: 'the-instance', replicaSetUuid: 'the-set', id: 1 },
    });
  }

  async connect(): Promise<MemoryConnection> {
    return this.#listener.connect();
  }

  /** Until nothing is under way: a transaction that was left open may take its whole time. */
  async exchange(
    connection: MemoryConnection,
    frames: readonly Uint8Array[],
  ): Promise<readonly ReceivedReply[]> {
    connection.give(...frames);
    for (let turn = 0; turn < 3; turn++) {
      connection.turn();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.access.endTick();
    return connection.take();
  }
}

function framed(content: Uint8Array): Uint8Array {
  const length = content.length;
  return Uint8Array.from([0xce, 0, 0, length >>> 8, length & 255, ...content]);
}

/** Undefined when it does not come so far that it has a type. */
function typeOf(content: Uint8Array): number | undefined {
  const request = new IprotoRequest();
  return request.read(content, 0, content.length) === undefined ? request.type : undefined;
}

function isKnown({ code }: ReceivedReply): boolean {
  return code === 0 || (code & ERROR) === 0 ? true : KNOWN_ERRORS.has(code & ~ERROR);
}

describe('requests with changed bytes', () => {
  it('are each answered as the protocol says, and leave nothing behind', async () => {
    const random = new SeededRandom(20);
    const requests = new Requests(random);
    const world = new World();
    await world.server.listen();
    const ping = requestFrame(requestType.PING, LAST_SYNC, []);
    const codes = new Map<number, number>();
    let connection = await world.connect();
    for (let given = 0; given < FRAMES; given += AT_ONCE) {
      const contents = Array.from({ length: AT_ONCE }, () => requests.changed());
      const replies = await world.exchange(connection, [...contents.map(framed), ping]);
      const own = replies.filter(({ code }) => code !== requestType.EVENT);
      const unanswered = contents.filter((content) => WITHOUT_REPLY.includes(typeOf(content) ?? 0));
      for (const { code } of own) codes.set(code, (codes.get(code) ?? 0) + 1);
      assert.deepEqual(
        own.filter((reply) => !isKnown(reply)),
        [],
      );
      assert.equal(connection.isClosed, false);
      // A request to watch is answered only when it is refused.
      assert.ok(own.length <= AT_ONCE + 1 && own.length >= AT_ONCE + 1 - unanswered.length);
      assert.ok(own.some(({ code, sync }) => code === 0 && sync === LAST_SYNC));
      if (!random.chance(0.05)) continue;
      connection.destroy();
      connection = await world.connect();
    }
    connection.destroy();
    // Not all of it was refused, and not all for the same reason.
    assert.ok((codes.get(0) ?? 0) > FRAMES / 10, JSON.stringify([...codes]));
    assert.ok(codes.size > 12, JSON.stringify([...codes]));

    const { engine, access, server } = world;
    assert.equal(server.connections, 0);
    assert.equal(engine.isOpen, false);
    const all = (of: MemoryEngine): readonly unknown[] => {
      const view = of.begin();
      const rows = ['pk', 'text'].map((index) => view.select('rows', [], { index }));
      view.rollback();
      return rows;
    };
    assert.deepEqual(all(access.follower), all(engine));
    const clearing = engine.begin();
    for (const [id] of clearing.select('rows', [])) clearing.delete('rows', [id]);
    clearing.commit();
    access.endTick();
    while (engine.collectGarbage());
    assert.equal(engine.memory.arena.tupleBytes, 0);
  });

  it('end a connection, and only that, when it is not known where the next one begins', async () => {
    const random = new SeededRandom(21);
    const world = new World();
    await world.server.listen();
    const other = await world.connect();
    const ping = requestFrame(requestType.PING, LAST_SYNC, []);
    let closed = 0;
    for (let round = 0; round < 3000; round++) {
      const connection = await world.connect();
      const noise = Uint8Array.from({ length: 1 + random.integer(30) }, () => random.integer(256));
      connection.give(noise, ping);
      connection.turn();
      const replies = connection.take();
      assert.deepEqual(
        replies.filter((reply) => !isKnown(reply)),
        [],
      );
      if (connection.isClosed) {
        closed += 1;
        assert.ok(((replies.at(-1)?.code ?? 0) & ERROR) !== 0);
      }
      connection.destroy();
    }
    assert.ok(closed > 1000, `${closed} were closed`);
    const [answer] = await world.exchange(other, [ping]);
    assert.equal(answer?.code, 0);
    assert.equal(world.server.connections, 1);
  });
});
