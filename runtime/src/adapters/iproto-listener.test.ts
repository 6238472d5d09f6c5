/** The server of the binary protocol over real sockets: what a client can do to it by malice or by being slow. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { GREETING_SIZE } from '../core/iproto/greeting.ts';
import { key, requestType } from '../core/iproto/protocol.ts';
import { REPLY_HEADER_SIZE } from '../core/iproto/reply.ts';
import { systemClock } from '../foundation/clock.ts';
import { silentLogger } from '../foundation/logger.ts';
import { IprotoServer } from '../services/iproto/iproto-server.ts';
import { type Fields, readReplies, requestFrame } from '../testing/iproto-frames.ts';
import { ReferenceIprotoStorage } from '../testing/reference-iproto-storage.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { IprotoListener } from './iproto-listener.ts';

const SPACE = 512;

interface Started {
  readonly server: IprotoServer;
  readonly port: number;
}

async function start(lean: boolean, text = 'x'): Promise<Started> {
  const storage = new ReferenceIprotoStorage();
  storage.change((transaction) => {
    transaction.createSpace('rows', { format: [{ name: 'id', type: 'unsigned' }] });
    transaction.createIndex('rows', { name: 'primary', parts: ['id'] });
    transaction.insert('rows', [1, text]);
  });
  const server = new IprotoServer({
    storage,
    listener: new IprotoListener({ host: '127.0.0.1', port: 0, logger: silentLogger, lean }),
    call: async (_name, args) => args,
    users: {
      authenticate: () => false,
      mayRead: () => true,
      mayWrite: () => true,
      mayCall: () => true,
    },
    instance: { uuid: 'i', replicaSetUuid: 'r', id: 1 },
    logger: silentLogger,
    clock: systemClock,
    limits: { requestBytes: 64 * 1024 },
  });
  return { server, port: await server.listen() };
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** All that comes until there are at least so many bytes behind the greeting. */
async function receive(socket: Socket, size: number): Promise<ReturnType<typeof readReplies>> {
  const chunks: Buffer[] = [];
  let received = -GREETING_SIZE;
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk as Buffer);
    received += (chunk as Buffer).length;
    if (received >= size) return readReplies(Buffer.concat(chunks).subarray(GREETING_SIZE));
  }
  throw new Error(`the connection was closed after ${received} bytes`);
}

const rows: Fields = [
  [key.SPACE_ID, SPACE],
  [key.INDEX_ID, 0],
  [key.LIMIT, 10],
  [key.OFFSET, 0],
  [key.ITERATOR, 0],
  [key.KEY, [1]],
  [key.TUPLE, [2, 'two', { a: [1, 2n ** 60n] }]],
  [key.OPS, [['=', 1, 'x']]],
  [key.FUNCTION_NAME, 'f'],
  [key.USER_NAME, 'u'],
  [key.EVENT_KEY, 'k'],
  [key.TIMEOUT, 1.5],
  [key.SPACE_NAME, 'rows'],
  [key.AFTER_TUPLE, [0]],
  [key.AFTER_POSITION, 'kQE='],
  [key.FETCH_POSITION, true],
  [key.FEATURES, [1, 2]],
];

/** A request of any kind that is whole, or was changed somewhere. */
function anyFrame(random: SeededRandom): Uint8Array {
  const type = Math.floor(random.fraction() * 80);
  const body = rows.filter(() => random.fraction() < 0.6);
  const stream: Fields = random.fraction() < 0.3 ? [[key.STREAM_ID, type % 3]] : [];
  const frame = requestFrame(type, 5, body, stream);
  const changes = Math.floor(random.fraction() * 4);
  // Now and then the length is hit as well, and the connection ends.
  const from = random.fraction() < 0.02 ? 0 : lengthOf(frame);
  for (let count = 0; count < changes; count++) {
    const at = from + Math.floor(random.fraction() * (frame.length - from));
    frame[at] = Math.floor(random.fraction() * 256);
  }
  return frame;
}

function lengthOf(frame: Uint8Array): number {
  const first = frame[0] ?? 0;
  return first < 0x80 ? 1 : 1 + (1 << (first - 0xcc));
}

for (const lean of [true, false]) {
  describe(`the IPROTO listener with ${lean ? 'lean' : 'plain'} sockets`, () => {
    it('survives whatever it is sent, and serves the next connection', async () => {
      const { server, port } = await start(lean);
      const random = new SeededRandom(lean ? 11 : 12);
      const socketCount = 100;
      for (let index = 0; index < socketCount; index++) {
        const socket = await open(port);
        socket.resume();
        const frames = Array.from({ length: 250 }, () => anyFrame(random));
        const noise = Uint8Array.from({ length: 200 }, () => Math.floor(random.fraction() * 256));
        socket.end(Buffer.concat(index % 4 === 0 ? [...frames, noise] : frames));
        await once(socket, 'close');
      }
      const good = await open(port);
      good.write(requestFrame(requestType.PING, 77, []));
      const [reply] = await receive(good, 1);
      assert.deepEqual([reply?.code, reply?.sync], [0, 77]);
      good.destroy();
      await server.close(1000);
      assert.ok(server.requests > 1000 && server.errors > 500);
      assert.deepEqual([server.connections, server.requestsInFlight], [0, 0]);
    });

    it('waits for a client that does not read, and loses nothing', async () => {
      const text = 'x'.repeat(60_000);
      const { server, port } = await start(lean, text);
      const socket = await open(port);
      socket.pause();
      const select = (sync: number): Uint8Array =>
        requestFrame(requestType.SELECT, sync, [
          [key.SPACE_ID, SPACE],
          [key.LIMIT, 1],
          [key.KEY, [1]],
        ]);
      const count = 400;
      for (let sync = 0; sync < count; sync++) socket.write(select(sync));
      // Until two looks see the same, the server is still at work.
      let seen = -1;
      while (seen !== server.requests) {
        seen = server.requests;
        await systemClock.sleep(50);
      }
      assert.ok(server.requests < count, `${server.requests} requests were executed`);
      const replies = await receive(socket, count * (text.length + REPLY_HEADER_SIZE));
      // Of the last one the end may still be on its way: what a reply has besides its text is not counted.
      assert.deepEqual(
        replies.slice(0, count - 1).map(({ code, sync }) => [code, sync]),
        Array.from({ length: count - 1 }, (_, sync) => [0, sync]),
      );
      socket.destroy();
      await server.close(1000);
    });

    it('refuses a port that is taken', async () => {
      const { server, port } = await start(lean);
      const second = new IprotoListener({ host: '127.0.0.1', port, logger: silentLogger, lean });
      await assert.rejects(
        second.listen(() => assert.fail('nobody connects')),
        /EADDRINUSE/,
      );
      await server.close(0);
    });
  });
}
