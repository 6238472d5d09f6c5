import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClusterError } from '../../core/errors.ts';
import { chapSha1 } from '../../core/iproto/greeting.ts';
import { key, requestType } from '../../core/iproto/protocol.ts';
import type { Value } from '../../core/schema/values.ts';
import { silentLogger } from '../../foundation/logger.ts';
import { type Fields, type ReceivedReply, requestFrame } from '../../testing/iproto-frames.ts';
import { type MemoryConnection, MemoryListener } from '../../testing/memory-listener.ts';
import { ReferenceIprotoStorage } from '../../testing/reference-iproto-storage.ts';
import { SimulatedClock } from '../../testing/simulated-clock.ts';
import type { CallFunction, IprotoLimits } from './iproto-context.ts';
import { IprotoServer } from './iproto-server.ts';

interface World {
  readonly server: IprotoServer;
  readonly storage: ReferenceIprotoStorage;
  readonly listener: MemoryListener;
  readonly clock: SimulatedClock;
  readonly connection: MemoryConnection;
}

interface WorldOptions {
  readonly call?: CallFunction;
  readonly limits?: Partial<IprotoLimits>;
  readonly guestMay?: boolean;
}

const SPACE = 512;

async function world(options: WorldOptions = {}): Promise<World> {
  const storage = new ReferenceIprotoStorage();
  storage.change((transaction) => {
    transaction.createSpace('numbers', {
      format: [
        { name: 'id', type: 'unsigned' },
        { name: 'text', type: 'string', isNullable: true },
      ],
    });
    transaction.createIndex('numbers', { name: 'primary', parts: ['id'] });
  });
  const listener = new MemoryListener();
  const clock = new SimulatedClock();
  const may = (user: string): boolean => options.guestMay !== false || user === 'admin';
  const server = new IprotoServer({
    storage,
    listener,
    clock,
    logger: silentLogger,
    call: options.call ?? (async () => undefined),
    users: {
      authenticate: (user, salt, scramble) =>
        user === 'admin' && Buffer.from(chapSha1('secret', salt)).equals(Buffer.from(scramble)),
      mayRead: may,
      mayWrite: may,
      mayCall: may,
    },
    instance: { uuid: 'the-instance', replicaSetUuid: 'the-set', id: 1 },
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  await server.listen();
  return { server, storage, listener, clock, connection: listener.connect() };
}

const insert = (sync: number, tuple: Value, more: Fields = []): Uint8Array =>
  requestFrame(
    requestType.INSERT,
    sync,
    [
      [key.SPACE_ID, SPACE],
      [key.TUPLE, tuple],
    ],
    more,
  );

const replace = (sync: number, tuple: Value, more: Fields = []): Uint8Array =>
  requestFrame(
    requestType.REPLACE,
    sync,
    [
      [key.SPACE_ID, SPACE],
      [key.TUPLE, tuple],
    ],
    more,
  );

const select = (sync: number, id: Value, more: Fields = []): Uint8Array =>
  requestFrame(
    requestType.SELECT,
    sync,
    [
      [key.SPACE_ID, SPACE],
      [key.LIMIT, 10],
      [key.KEY, id],
    ],
    more,
  );

const ping = (sync: number): Uint8Array => requestFrame(requestType.PING, sync, []);
const inStream = (id: number): Fields => [[key.STREAM_ID, id]];
const call = (sync: number, name: string, more: Fields = []): Uint8Array =>
  requestFrame(requestType.CALL, sync, [[key.FUNCTION_NAME, name]], more);

/** What matters of a reply: its request, and data or the number of the error. */
function summary(replies: readonly ReceivedReply[]): readonly unknown[] {
  return replies.map(({ code, sync, body }) => [
    sync,
    code === 0 ? (body[String(key.DATA)] ?? 'ok') : `error ${code & 0x7fff}`,
  ]);
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the IPROTO server', () => {
  it('answers all of one read with one write', async () => {
    const { connection } = await world();
    connection.give(ping(1), insert(2, [1, 'one']), select(3, [1]));
    assert.equal(connection.writes, 1);
    assert.deepEqual(summary(connection.take()), [
      [1, 'ok'],
      [2, [[1, 'one']]],
      [3, [[1, 'one']]],
    ]);
  });

  it('understands frames that come byte by byte', async () => {
    const { connection } = await world();
    const bytes = [...insert(1, [1, 'x'.repeat(300)]), ...ping(2)];
    for (const byte of bytes) connection.give(Uint8Array.of(byte));
    assert.deepEqual(summary(connection.take()), [
      [1, [[1, 'x'.repeat(300)]]],
      [2, 'ok'],
    ]);
  });

  it('holds replies until their rows are acknowledged, and lets others pass', async () => {
    const { connection, storage, server } = await world();
    storage.acknowledgesAtOnce = false;
    connection.give(insert(1, [1]), ping(2), select(3, [1]), insert(4, [1]));
    assert.deepEqual(summary(connection.take()), [[2, 'ok']]);
    assert.equal(server.requestsInFlight, 3);
    storage.acknowledge();
    assert.deepEqual(summary(connection.take()), [
      [1, [[1]]],
      [3, [[1]]],
      [4, 'error 3'],
    ]);
    assert.equal(server.requestsInFlight, 0);
  });

  it('lets replies of local spaces pass those that wait for in-sync members', async () => {
    const { connection, storage, server } = await world();
    storage.acknowledgesAtOnce = false;
    connection.give(insert(1, [1]));
    storage.isLocal = true;
    connection.give(insert(2, [2]), select(3, [2]), insert(4, [2]), ping(5));
    assert.deepEqual(summary(connection.take()), [[5, 'ok']]);
    storage.log();
    assert.deepEqual(summary(connection.take()), [
      [2, [[2]]],
      [3, [[2]]],
      [4, 'error 3'],
    ]);
    assert.equal(server.requestsInFlight, 1);
    connection.give(insert(6, [6]));
    storage.lose('The leader has lost its lease.');
    assert.deepEqual(summary(connection.take()), [
      [1, 'error 78'],
      [6, 'error 78'],
    ]);
  });

  it('says that the outcome of lost writes is unknown, and that reads saw nothing', async () => {
    const { connection, storage } = await world();
    storage.acknowledgesAtOnce = false;
    connection.give(insert(1, [1]), select(2, [1]), insert(3, [1]));
    storage.lose('The leader has lost its lease.');
    assert.deepEqual(summary(connection.take()), [
      [1, 'error 78'],
      [2, 'error 7'],
      [3, 'error 7'],
    ]);
  });

  it('reads no more while too much is under way, and goes on after it', async () => {
    const { connection, storage } = await world({ limits: { requestsInFlight: 2 } });
    storage.acknowledgesAtOnce = false;
    connection.give(insert(1, [1]), insert(2, [2]), insert(3, [3]), ping(4));
    assert.deepEqual([connection.isPaused, connection.take()], [true, []]);
    connection.give(ping(5));
    storage.acknowledge();
    connection.turn();
    assert.deepEqual(summary(connection.take()), [
      [1, [[1]]],
      [2, [[2]]],
      [4, 'ok'],
      [5, 'ok'],
    ]);
    assert.equal(connection.isPaused, false);
    storage.acknowledge();
    assert.deepEqual(summary(connection.take()), [[3, [[3]]]]);
  });

  it('reads no more while its answers are not taken', async () => {
    const { connection } = await world({ limits: { outputBytes: 100 } });
    connection.unsentBytes = 101;
    connection.give(ping(1));
    connection.give(ping(2));
    assert.deepEqual([connection.isPaused, summary(connection.take())], [true, [[1, 'ok']]]);
    connection.drain();
    assert.deepEqual([connection.isPaused, summary(connection.take())], [false, [[2, 'ok']]]);
  });

  it('lets only those in who prove their password', async () => {
    const { connection } = await world({ guestMay: false });
    const salt = new Uint8Array(32).fill(7);
    const auth = (sync: number, password: string): Uint8Array =>
      requestFrame(requestType.AUTH, sync, [
        [key.USER_NAME, 'admin'],
        [key.TUPLE, ['chap-sha1', chapSha1(password, salt)]],
      ]);
    connection.give(select(1, []), insert(2, [1]), call(3, 'f'), auth(4, 'wrong'), select(5, []));
    connection.give(auth(6, 'secret'), insert(7, [1]));
    assert.deepEqual(summary(connection.take()), [
      [1, 'error 42'],
      [2, 'error 42'],
      [3, 'error 42'],
      [4, 'error 47'],
      [5, 'error 42'],
      [6, 'ok'],
      [7, [[1]]],
    ]);
  });

  it('finds spaces and indexes by their names', async () => {
    const { connection } = await world();
    const byName = (sync: number, space: string, index: string): Uint8Array =>
      requestFrame(requestType.SELECT, sync, [
        [key.SPACE_NAME, space],
        [key.INDEX_NAME, index],
        [key.LIMIT, 1],
        [key.KEY, []],
      ]);
    connection.give(insert(1, [1]), byName(2, 'numbers', 'primary'), byName(3, 'none', 'primary'));
    connection.give(byName(4, 'numbers', 'none'), byName(5, '_vspace', 'name'));
    const [, found, noSpace, noIndex, view] = summary(connection.take()) as [number, unknown[]][];
    assert.deepEqual(
      [found, noSpace, noIndex],
      [
        [2, [[1]]],
        [3, 'error 36'],
        [4, 'error 35'],
      ],
    );
    assert.equal(view?.[1].length, 1);
  });

  it('gives positions where the next page begins', async () => {
    const { connection } = await world();
    connection.give(insert(1, [1]), insert(2, [2]), insert(3, [3]));
    connection.take();
    const page = (more: Fields): Uint8Array =>
      requestFrame(requestType.SELECT, 1, [
        [key.SPACE_ID, SPACE],
        [key.LIMIT, 2],
        [key.KEY, []],
        [key.ITERATOR, 2],
        ...more,
      ]);
    connection.give(page([[key.FETCH_POSITION, true]]));
    const [first] = connection.take();
    const position = first?.body[String(key.POSITION)] as string;
    connection.give(page([[key.AFTER_POSITION, position]]), page([[key.AFTER_TUPLE, [1]]]));
    connection.give(page([[key.AFTER_POSITION, 'nonsense']]));
    assert.deepEqual(summary(connection.take()), [
      [1, [[3]]],
      [1, [[2], [3]]],
      [1, 'error 1'],
    ]);
  });

  it('refuses what is malformed and goes on, as long as it knows where requests begin', async () => {
    const { connection } = await world();
    const noMap = Uint8Array.of(0x02, 0x01, 0x01);
    const cut = Uint8Array.of(0x08, 0x82, 0x00, 0x01, 0x01, 0x05, 0x81, 0x20, 0x9f);
    connection.give(noMap, cut, requestFrame(200, 6, []), requestFrame(requestType.INSERT, 7, []));
    connection.give(requestFrame(requestType.EVAL, 8, []), ping(9));
    assert.deepEqual(summary(connection.take()), [
      [0, 'error 20'],
      [5, 'error 20'],
      [6, 'error 48'],
      [7, 'error 69'],
      [8, 'error 5'],
      [9, 'ok'],
    ]);
    connection.give(Uint8Array.of(0xc0), ping(10));
    assert.deepEqual(summary(connection.take()), [[0, 'error 20']]);
    assert.equal(connection.isClosed, true);
  });

  it('ends a connection whose request is too large before it has come', async () => {
    const { connection } = await world({ limits: { requestBytes: 1000 } });
    connection.give(Uint8Array.of(0xce, 0x7f, 0, 0, 0));
    assert.deepEqual(summary(connection.take()), [[0, 'error 104']]);
    assert.equal(connection.isClosed, true);
  });

  it('accepts as many connections as it may', async () => {
    const { listener, server } = await world({ limits: { connections: 2 } });
    const [second, third] = [listener.connect(), listener.connect()];
    assert.deepEqual([second.isClosed, third.isClosed, server.connections], [false, true, 2]);
    second.destroy();
    assert.equal(listener.connect().isClosed, false);
  });

  it('tells errors with their stack to those who asked', async () => {
    const { connection } = await world();
    const id = requestFrame(requestType.ID, 1, [
      [key.VERSION, 6],
      [key.FEATURES, [2]],
    ]);
    connection.give(select(1, [1, 2, 3]), id, requestFrame(requestType.EVAL, 3, []));
    const [plain, , stacked] = connection.take();
    assert.equal(plain?.body[String(key.ERROR)], undefined);
    assert.deepEqual(
      (stacked?.body[String(key.ERROR)] as { '0': { '5': number; '6': unknown }[] })['0'].map(
        (error) => [error['5'], error['6']],
      ),
      [[5, { name: 'NOT_SUPPORTED' }]],
    );
  });

  it('tells watchers what is new, but the next only when the last has come', async () => {
    const { connection, server, storage } = await world();
    const watch = requestFrame(requestType.WATCH, 0, [[key.EVENT_KEY, 'box.status']]);
    const told = (): readonly unknown[] => {
      connection.turn();
      return connection
        .take()
        .map(({ code, body }) => [
          code,
          (body[String(key.EVENT_DATA)] as { is_ro: boolean } | undefined)?.is_ro,
        ]);
    };
    connection.give(watch);
    assert.deepEqual(told(), [[requestType.EVENT, false]]);
    storage.isWritable = false;
    server.stateChanged();
    storage.isWritable = true;
    server.stateChanged();
    storage.isWritable = false;
    server.stateChanged();
    assert.deepEqual(told(), []);
    connection.give(watch);
    assert.deepEqual(told(), [[requestType.EVENT, true]]);
    connection.give(requestFrame(requestType.UNWATCH, 0, [[key.EVENT_KEY, 'box.status']]));
    storage.isWritable = true;
    server.stateChanged();
    assert.deepEqual(told(), []);
  });

  it('says that it is loading while its rows cannot be read', async () => {
    const { connection, server, storage } = await world();
    const watch = requestFrame(requestType.WATCH, 0, [[key.EVENT_KEY, 'box.status']]);
    const info = requestFrame(requestType.CALL, 1, [
      [key.FUNCTION_NAME, 'box.info'],
      [key.TUPLE, []],
    ]);
    const told = (): readonly unknown[] => {
      connection.give(watch, info);
      connection.turn();
      return connection.take().map(({ body }) => {
        const [called] = (body[String(key.DATA)] ?? []) as readonly Record<string, unknown>[];
        const status = (called ?? body[String(key.EVENT_DATA)]) as { readonly status: string };
        return status.status;
      });
    };
    storage.isWritable = false;
    for (const isReadable of [false, true]) {
      storage.isReadable = isReadable;
      server.stateChanged();
      const status = isReadable ? 'running' : 'loading';
      assert.deepEqual(told(), [status, status]);
    }
  });

  it('answers what is under way before it closes, and cuts the rest', async () => {
    let finish: (value: unknown) => void = () => undefined;
    const { connection, server, listener, clock } = await world({
      call: () => new Promise((resolve) => (finish = resolve)),
    });
    const [watching, idle] = [listener.connect(), listener.connect()];
    const watch = requestFrame(requestType.WATCH, 0, [[key.EVENT_KEY, 'box.shutdown']]);
    watching.give(watch);
    watching.take();
    watching.give(watch);
    connection.give(call(1, 'slow'));
    const closed = server.close(1000);
    watching.turn();
    assert.deepEqual(
      [listener.isStopped, idle.isClosed, connection.isClosed, watching.isClosed],
      [true, true, false, false],
    );
    assert.deepEqual(watching.take()[0]?.body, { 87: 'box.shutdown', 88: true });
    finish('done');
    await settled();
    connection.turn();
    assert.deepEqual(summary(connection.take()), [[1, ['done']]]);
    assert.equal(connection.isClosed, true);
    await clock.advance(1000);
    await closed;
    assert.equal(watching.isClosed, true);
  });
});

describe('a stream', () => {
  const begin = (sync: number, id: number, body: Fields = []): Uint8Array =>
    requestFrame(requestType.BEGIN, sync, body, inStream(id));
  const commit = (sync: number, id: number): Uint8Array =>
    requestFrame(requestType.COMMIT, sync, [], inStream(id));
  const rollback = (sync: number, id: number): Uint8Array =>
    requestFrame(requestType.ROLLBACK, sync, [], inStream(id));

  it('keeps what its transaction writes to itself until it is committed', async () => {
    const { connection, storage } = await world();
    connection.give(begin(1, 1), insert(2, [1], inStream(1)), insert(3, [2], inStream(1)));
    connection.give(select(4, [], inStream(1)), select(5, []));
    assert.deepEqual(summary(connection.take()).slice(3), [
      [4, [[1], [2]]],
      [5, []],
    ]);
    storage.acknowledgesAtOnce = false;
    connection.give(commit(6, 1));
    assert.deepEqual(connection.take(), []);
    storage.acknowledge();
    assert.deepEqual(summary(connection.take()), [[6, 'ok']]);
    assert.deepEqual(storage.rows('numbers'), [[1], [2]]);
  });

  it('does nothing of a transaction when anything it was told is no longer so', async () => {
    const { connection, storage } = await world();
    connection.give(insert(1, [1, 'a']), begin(2, 1), select(3, [1], inStream(1)));
    connection.give(insert(4, [2, 'from a'], inStream(1)), replace(5, [1, 'b']), commit(6, 1));
    assert.deepEqual(summary(connection.take()).at(-1), [6, 'error 97']);
    assert.deepEqual(storage.rows('numbers'), [[1, 'b']]);
    connection.give(begin(7, 1), insert(8, [3, 'c'], inStream(1)), insert(9, [3, 'other']));
    connection.give(insert(10, [4, 'd'], inStream(1)), commit(11, 1));
    assert.deepEqual(summary(connection.take()).slice(3), [
      [10, 'error 97'],
      [11, 'error 97'],
    ]);
  });

  it('tells of a conflict only when the row that made it is acknowledged', async () => {
    const { connection, storage } = await world();
    connection.give(begin(1, 1), select(2, [1], inStream(1)));
    connection.take();
    storage.acknowledgesAtOnce = false;
    connection.give(insert(3, [1]), commit(4, 1), ping(5));
    assert.deepEqual(summary(connection.take()), [[5, 'ok']]);
    storage.acknowledge();
    assert.deepEqual(summary(connection.take()), [
      [3, [[1]]],
      [4, 'error 97'],
    ]);
  });

  it('goes on after a statement that failed, and forgets all at a rollback', async () => {
    const { connection, storage } = await world();
    connection.give(begin(1, 1), insert(2, [1], inStream(1)), insert(3, [1], inStream(1)));
    connection.give(insert(4, [2], inStream(1)), rollback(5, 1), commit(6, 1), select(7, []));
    assert.deepEqual(summary(connection.take()), [
      [1, 'ok'],
      [2, [[1]]],
      [3, 'error 3'],
      [4, [[2]]],
      [5, 'ok'],
      [6, 'ok'],
      [7, []],
    ]);
    assert.deepEqual(storage.rows('numbers'), []);
  });

  it('rolls back what is not ended in time, and tells the next request', async () => {
    const { connection, clock, storage } = await world();
    connection.give(begin(1, 1, [[key.TIMEOUT, 2.5]]), insert(2, [1], inStream(1)));
    await clock.advance(2600);
    connection.give(insert(3, [2], inStream(1)), commit(4, 1), begin(5, 1), rollback(6, 1));
    assert.deepEqual(summary(connection.take()).slice(2), [
      [3, 'error 231'],
      [4, 'error 231'],
      [5, 'ok'],
      [6, 'ok'],
    ]);
    assert.deepEqual(storage.rows('numbers'), []);
  });

  it('executes its requests one after another, other streams beside it', async () => {
    const finished: ((value: unknown) => void)[] = [];
    const { connection, server } = await world({
      call: () => new Promise((resolve) => finished.push(resolve)),
    });
    connection.give(call(1, 'a', inStream(1)), insert(2, [1], inStream(1)));
    connection.give(call(3, 'b', inStream(1)), select(4, [1], inStream(2)));
    assert.deepEqual(summary(connection.take()), [[4, []]]);
    assert.equal(server.requestsInFlight, 3);
    finished[0]?.('a');
    await settled();
    connection.turn();
    assert.deepEqual(summary(connection.take()), [
      [1, ['a']],
      [2, [[1]]],
    ]);
    finished[1]?.('b');
    await settled();
    connection.turn();
    assert.deepEqual(summary(connection.take()), [[3, ['b']]]);
    assert.equal(server.requestsInFlight, 0);
  });

  it('refuses what has no place in it, and transactions out of it', async () => {
    const { connection } = await world({
      call: async () => {
        throw new ClusterError('NOT_LEADER');
      },
      limits: { statementsPerTransaction: 1, transactionsPerConnection: 1 },
    });
    connection.give(requestFrame(requestType.PING, 1, [], inStream(1)));
    connection.give(requestFrame(requestType.BEGIN, 2, []), begin(3, 1), begin(4, 1), begin(5, 2));
    connection.give(call(6, 'f', inStream(1)), insert(7, [1], inStream(1)));
    connection.give(insert(8, [2], inStream(1)), commit(9, 1), call(10, 'f'));
    await settled();
    connection.turn();
    assert.deepEqual(summary(connection.take()), [
      [1, 'error 229'],
      [2, 'error 230'],
      [3, 'ok'],
      [4, 'error 79'],
      [5, 'error 1'],
      [6, 'error 5'],
      [7, [[1]]],
      [8, 'error 1'],
      [9, 'ok'],
      [10, 'error 7'],
    ]);
  });
});
