import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { systemClock } from '@tonearm/runtime/foundation';
import { type KubeConfigSource, openKubeServer } from './kube-server.ts';
import { UndiciKubeTransport } from './undici-kube-transport.ts';

interface Seen {
  readonly requests: IncomingMessage[];
  connections: number;
}

async function withServer(
  use: (transport: UndiciKubeTransport, seen: Seen) => Promise<void>,
  sourceOf: (url: string) => KubeConfigSource = (url) => ({ kind: 'text', text: kubeConfig(url) }),
): Promise<void> {
  const seen: Seen = { requests: [], connections: 0 };
  const server = createServer((request, response) => {
    seen.requests.push(request);
    request.resume();
    if (request.url === '/base/silent') {
      response.write('{}\n');
      return;
    }
    response.writeHead(201, { 'retry-after': '7' }).end('{"a":1}');
  });
  server.on('connection', () => {
    seen.connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const transport = new UndiciKubeTransport(
    await openKubeServer(sourceOf(`http://127.0.0.1:${port}/base`)),
    systemClock,
  );
  try {
    await use(transport, seen);
  } finally {
    await transport.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

function kubeConfig(server: string): string {
  return JSON.stringify({
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    clusters: [{ name: 'k', cluster: { server } }],
    users: [{ name: 'u', user: { token: 'secret' } }],
  });
}

describe('UndiciKubeTransport', () => {
  it('sends the credentials of the kubeconfig, over connections that it keeps', async () => {
    await withServer(async (transport, seen) => {
      for (let i = 0; i < 20; i++) {
        const response = await transport.send({
          method: 'PATCH',
          path: '/api/v1/x?y=1',
          contentType: 'application/merge-patch+json',
          body: '{}',
          idleTimeoutMs: 5000,
        });
        assert.deepEqual(
          [response.status, response.header('retry-after'), await response.text()],
          [201, '7', '{"a":1}'],
        );
      }
      const [first] = seen.requests;
      assert.deepEqual(
        [first?.url, first?.headers.authorization, first?.headers['content-type']],
        ['/base/api/v1/x?y=1', 'Bearer secret', 'application/merge-patch+json'],
      );
      assert.ok(seen.connections <= 2, `${seen.connections} connections`);
    });
  });

  it('gives up a stream that has fallen silent', async () => {
    await withServer(async (transport) => {
      const silent = await transport.send({ method: 'GET', path: '/silent', idleTimeoutMs: 50 });
      await assert.rejects(silent.text());
    });
  });

  it('gives up a stream that is aborted', async () => {
    await withServer(async (transport) => {
      const abort = new AbortController();
      const { signal } = abort;
      const request = { method: 'GET', path: '/silent', idleTimeoutMs: 60_000, signal } as const;
      const stream = await transport.send(request);
      abort.abort(new Error('enough'));
      await assert.rejects(stream.text(), /enough/);
    });
  });

  it('needs no more than the address of a server on the own machine, and keeps its path', async () => {
    await withServer(
      async (transport, seen) => {
        const request = { method: 'GET', path: '/api/v1/x', idleTimeoutMs: 5000 } as const;
        assert.equal(await (await transport.send(request)).text(), '{"a":1}');
        const [first] = seen.requests;
        assert.deepEqual([first?.url, first?.headers.authorization], ['/base/api/v1/x', undefined]);
      },
      (url) => ({ kind: 'loopback', url: `${url}/` }),
    );
  });
});

describe('openKubeServer', () => {
  it('says when there is no context to use', async () => {
    const text = JSON.stringify({ contexts: [], clusters: [], users: [] });
    await assert.rejects(openKubeServer({ kind: 'text', text }), /no current context/);
  });

  it('sends nothing in the clear to another machine', async () => {
    const url = 'http://10.0.0.1:8080';
    await assert.rejects(openKubeServer({ kind: 'loopback', url }), /is not on this machine/);
  });
});
