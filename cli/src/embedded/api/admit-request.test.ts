import assert from 'node:assert/strict';
import { request } from 'node:http';
import { describe, it, type TestContext } from 'node:test';
import { type KubernetesApi, startKubernetesApi } from './start-kubernetes-api.ts';

const SECRET = '0123456789abcdef0123456789abcdef';
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const APPLIED = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: c }';
const JSON_TYPE = { 'content-type': 'application/json' };

interface Answer {
  readonly code: number | undefined;
  readonly body: string;
}

interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

async function start(test: TestContext): Promise<KubernetesApi> {
  const api = await startKubernetesApi({ secret: SECRET });
  test.after(() => api.close());
  return api;
}

/** Unlike `fetch`, sends whatever headers it is given, and no others. */
function send(api: KubernetesApi, path: string, sent: Sent = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body } = sent;
  // Without a length, Node would send the body of a DELETE as if it were the next request.
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
  const all = { ...headers, ...length };
  const target = { host: '127.0.0.1', port: api.port, path, method, headers: all };
  return new Promise((resolve, reject) => {
    const sending = request(target, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ code: response.statusCode, body: text }));
    });
    sending.on('error', reject);
    sending.end(body);
  });
}

function reasonOf({ code, body }: Answer): unknown {
  const { kind, reason } = JSON.parse(body) as { kind: unknown; reason: unknown };
  return { code, kind, reason };
}

const FORBIDDEN = { code: 403, kind: 'Status', reason: 'Forbidden' };
const UNSUPPORTED = { code: 415, kind: 'Status', reason: 'UnsupportedMediaType' };

describe('the address of the embedded API', () => {
  it('has a secret that nobody can guess, new for each API unless one is given', async (test) => {
    const [first, second] = [await startKubernetesApi(), await startKubernetesApi()];
    test.after(() => Promise.all([first.close(), second.close()]));
    const secrets = [first, second].map(
      ({ url, port }) =>
        new RegExp(`^http://127\\.0\\.0\\.1:${port}/([0-9a-f]{32})$`).exec(url)?.[1],
    );
    assert.ok(secrets.every((secret) => secret !== undefined));
    assert.notEqual(secrets[0], secrets[1]);
    const given = await start(test);
    assert.equal(given.url, `http://127.0.0.1:${given.port}/${SECRET}`);
  });

  it('tells nothing to those who do not know it', async (test) => {
    const api = await start(test);
    const paths = ['/', '/version', '/readyz', CONFIG_MAPS, `/${SECRET.slice(1)}/version`];
    const write = { method: 'POST', headers: { ...JSON_TYPE, origin: 'http://a' }, body: '{}' };
    const answers = await Promise.all([
      ...paths.map((path) => send(api, path)),
      send(api, `/${'f'.repeat(32)}${CONFIG_MAPS}`, write),
    ]);
    const nothing = { code: 404, body: '' };
    assert.deepEqual(answers, Array<unknown>(answers.length).fill(nothing));
  });

  it('leads those who know it to every path', async (test) => {
    const api = await start(test);
    const version = await send(api, `/${SECRET}/version`);
    assert.match(version.body, /"gitVersion":"v1\./);
    const found = await send(api, `/${SECRET}${CONFIG_MAPS}?limit=1`);
    assert.match(found.body, /"kind":"ConfigMapList"/);
    const localhost = { headers: { host: `localhost:${api.port}` } };
    assert.equal((await send(api, `/${SECRET}/version`, localhost)).code, 200);
    assert.equal((await send(api, `/${SECRET}`)).code, 404);
  });
});

describe('a web page', () => {
  it('is refused by its Origin, whatever it asks', async (test) => {
    const api = await start(test);
    const origins = ['https://example.com', `http://127.0.0.1:${api.port}`, 'null'];
    const answers = await Promise.all(
      origins.flatMap((origin) => [
        send(api, `/${SECRET}/version`, { headers: { origin } }),
        send(api, `/${SECRET}${CONFIG_MAPS}`, { method: 'OPTIONS', headers: { origin } }),
        send(api, `/${SECRET}${CONFIG_MAPS}`, {
          method: 'POST',
          headers: { ...JSON_TYPE, origin },
          body: '{"metadata":{"name":"page"}}',
        }),
      ]),
    );
    assert.deepEqual(answers.map(reasonOf), Array<unknown>(answers.length).fill(FORBIDDEN));
    const list = JSON.parse((await send(api, `/${SECRET}${CONFIG_MAPS}`)).body) as { items: [] };
    assert.deepEqual(list.items, []);
  });

  it('is refused by its Host, when its name was bent to this machine', async (test) => {
    const api = await start(test);
    const hosts = ['example.com', `example.com:${api.port}`, '127.0.0.1', '127.0.0.1:1'];
    const answers = await Promise.all(
      hosts.map((host) => send(api, `/${SECRET}/version`, { headers: { host } })),
    );
    assert.deepEqual(answers.map(reasonOf), Array<unknown>(hosts.length).fill(FORBIDDEN));
  });

  it('cannot write with what it may send without asking', async (test) => {
    const api = await start(test);
    const types = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', ''];
    const body = '{"metadata":{"name":"page"}}';
    const answers = await Promise.all([
      ...types.map((type) => {
        const headers = type === '' ? {} : { 'content-type': type };
        return send(api, `/${SECRET}${CONFIG_MAPS}`, { method: 'POST', headers, body });
      }),
      send(api, `/${SECRET}${CONFIG_MAPS}`, { method: 'DELETE', body }),
      send(api, `/${SECRET}${CONFIG_MAPS}`, { method: 'POST' }),
    ]);
    assert.deepEqual(answers.map(reasonOf), Array<unknown>(answers.length).fill(UNSUPPORTED));
  });
});

describe('a client', () => {
  it('writes JSON, YAML and patches, and deletes with and without a body', async (test) => {
    const api = await start(test);
    const path = `/${SECRET}${CONFIG_MAPS}`;
    const sent: [string, string, string, string][] = [
      ['POST', path, 'application/json; charset=utf-8', '{"metadata":{"name":"a"}}'],
      ['POST', path, 'application/yaml', 'metadata: { name: b }'],
      ['PATCH', `${path}/a`, 'application/merge-patch+json', '{"data":{"x":"1"}}'],
      ['PATCH', `${path}/a`, 'application/strategic-merge-patch+json', '{"data":{"x":"2"}}'],
      ['PATCH', `${path}/a`, 'application/json-patch+json', '[]'],
      ['PATCH', `${path}/c?fieldManager=m`, 'application/apply-patch+yaml', APPLIED],
      ['DELETE', `${path}/a`, 'application/json', '{"kind":"DeleteOptions","apiVersion":"v1"}'],
    ];
    const codes: (number | undefined)[] = [];
    for (const [method, target, type, body] of sent) {
      codes.push(
        (await send(api, target, { method, headers: { 'content-type': type }, body })).code,
      );
    }
    codes.push((await send(api, `${path}/b`, { method: 'DELETE' })).code);
    assert.deepEqual(codes, [201, 201, 200, 200, 200, 201, 200, 200]);
  });
});
