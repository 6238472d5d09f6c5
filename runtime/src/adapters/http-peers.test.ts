import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { ClusterError } from '../core/errors.ts';
import { isNotExecuted } from '../core/routing/execution-proof.ts';
import { silentLogger } from '../foundation/logger.ts';
import { buildHttpApp } from '../http/http-app.ts';
import { internalRoutes } from '../http/internal-routes.ts';
import { type InternalHandler, PeerError } from '../ports/peers.ts';
import { HttpListener } from './http-listener.ts';
import { decodeInternal, encodeInternal, HttpPeers, INTERNAL_CONTENT_TYPE } from './http-peers.ts';

describe('HttpPeers', () => {
  const listener = new HttpListener(silentLogger);
  const peers = new HttpPeers({ authorization: 'right' });
  const handlers = new Map<string, InternalHandler>([
    ['echo', async (body) => body],
    ['nothing', async () => undefined],
    [
      'refuse',
      async () => {
        throw new ClusterError('TUPLE_INVALID', { field: 'a.b', message: 'no', details: { x: 1 } });
      },
    ],
    ['slow', () => new Promise(() => undefined)],
  ]);
  let address = '';

  before(async () => {
    const app = await buildHttpApp({
      logger: silentLogger,
      isAuthorized: (header) => header === 'right',
      guarded: [
        internalRoutes({
          handlers: () => handlers,
          codec: {
            contentType: INTERNAL_CONTENT_TYPE,
            encode: encodeInternal,
            decode: decodeInternal,
          },
          logger: silentLogger,
        }),
      ],
      open: [],
      application: [],
    });
    listener.swap(app);
    address = `127.0.0.1:${await listener.listen('127.0.0.1', 0)}`;
  });
  after(async () => {
    await peers.close();
    await listener.close(10);
  });

  const call = (method: string, body: unknown, timeoutMs = 2000): Promise<unknown> =>
    peers.call(address, method, body, { timeoutMs });
  const isPeerError =
    (kind: PeerError['kind']) =>
    (error: unknown): boolean =>
      error instanceof PeerError && error.kind === kind;

  it('carries values both ways as they are', async () => {
    const value = {
      text: 'ä',
      list: [1, -5, 2.5, null, true],
      bytes: new Uint8Array([1, 2]),
      nested: { a: { b: [] } },
    };
    const echoed = (await call('echo', value)) as typeof value;
    assert.deepEqual({ ...echoed, bytes: [...echoed.bytes] }, { ...value, bytes: [1, 2] });
    assert.equal(await call('nothing', undefined), null);
  });

  it('throws the refusal of the peer with its code, field and details', async () => {
    await assert.rejects(call('refuse', {}), (error) => {
      assert.ok(error instanceof ClusterError);
      assert.deepEqual(
        [error.code, error.field, error.message, error.details],
        ['TUPLE_INVALID', 'a.b', 'no', { x: 1 }],
      );
      return true;
    });
    await assert.rejects(
      call('unheard', {}),
      (error) =>
        error instanceof ClusterError && error.code === 'NOT_FOUND' && isNotExecuted(error),
    );
  });

  it('knows that nothing was sent when nobody listens', async () => {
    const refused = peers.call('127.0.0.1:1', 'echo', {}, { timeoutMs: 1000 });
    await assert.rejects(refused, isPeerError('not-sent'));
  });

  it('does not know the outcome when no answer comes or the connection breaks', async () => {
    await assert.rejects(call('slow', {}, 100), isPeerError('unknown'));
    const cutter = createServer((socket) => socket.once('data', () => socket.destroy()));
    await new Promise<void>((resolve) => cutter.listen(0, '127.0.0.1', resolve));
    const { port } = cutter.address() as { port: number };
    await assert.rejects(
      peers.call(`127.0.0.1:${port}`, 'echo', {}, { timeoutMs: 1000 }),
      isPeerError('unknown'),
    );
    cutter.close();
  });

  it('says that the cookies differ', async () => {
    const stranger = new HttpPeers({ authorization: 'wrong' });
    await assert.rejects(
      stranger.call(address, 'echo', {}, { timeoutMs: 1000 }),
      (error) => error instanceof ClusterError && error.code === 'UNAUTHORIZED',
    );
    await stranger.close();
  });
});
