import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import {
  type KubernetesApi,
  type KubernetesApiOptions,
  startKubernetesApi,
} from './start-kubernetes-api.ts';

async function start(
  test: TestContext,
  options: KubernetesApiOptions = {},
): Promise<KubernetesApi> {
  const api = await startKubernetesApi(options);
  test.after(() => api.close());
  return api;
}

async function folder(test: TestContext): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), 'tonearm-api-'));
  test.after(() => rm(made, { recursive: true }));
  return made;
}

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

function post(
  api: KubernetesApi,
  target: string,
  body: string | Uint8Array<ArrayBuffer>,
  type: string,
): Promise<Response> {
  return fetch(api.url + target, { method: 'POST', body, headers: { 'content-type': type } });
}

describe('startKubernetesApi', () => {
  it('steps over a port that is taken', async (test) => {
    const first = await start(test);
    const second = await start(test, { port: first.port });
    assert.ok(second.port > first.port);
  });

  it('gives the log of a pod as its source does', async (test) => {
    const api = await start(test, {
      podLogs: async function* (request) {
        yield `${request.namespace}/${request.pod}/${request.container} `;
        yield `${String(request.isFollowed)} ${String(request.tailLines)}`;
      },
    });
    const pods = api.store.resource({ group: '', version: 'v1', plural: 'pods' });
    const spec = { containers: [{ name: 'c', image: 'x' }] };
    api.store.create(pods, 'default', { metadata: { name: 'p' }, spec });
    const url = `${api.url}/api/v1/namespaces/default/pods/p/log`;
    const answer = await fetch(`${url}?follow=true&tailLines=5`);
    assert.equal(await answer.text(), 'default/p/c true 5');
    assert.equal((await fetch(`${url}?container=other`)).status, 400);
  });

  it('ends the log of a pod when its reader goes away', async (test) => {
    let ended = (): void => undefined;
    const hasEnded = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const api = await start(test, {
      podLogs: async function* ({ signal }) {
        yield 'first';
        await new Promise((resolve) => {
          signal.addEventListener('abort', resolve, { once: true });
        });
        ended();
      },
    });
    const pods = api.store.resource({ group: '', version: 'v1', plural: 'pods' });
    const spec = { containers: [{ name: 'c', image: 'x' }] };
    api.store.create(pods, 'default', { metadata: { name: 'p' }, spec });
    const abort = new AbortController();
    const url = `${api.url}/api/v1/namespaces/default/pods/p/log?follow=true`;
    const answer = await fetch(url, { signal: abort.signal });
    await answer.body?.getReader().read();
    abort.abort();
    await hasEnded;
  });

  it('bookmarks its position before a watch ends', async (test) => {
    const api = await start(test);
    const query = `watch=true&allowWatchBookmarks=true&timeoutSeconds=1&resourceVersion=`;
    const answer = await fetch(`${api.url}${CONFIG_MAPS}?${query}${api.store.resourceVersion}`);
    assert.deepEqual(JSON.parse(await answer.text()), {
      type: 'BOOKMARK',
      object: {
        kind: 'ConfigMap',
        apiVersion: 'v1',
        metadata: { resourceVersion: String(api.store.resourceVersion), creationTimestamp: null },
      },
    });
  });

  it('reads what the typed commands of kubectl send', async (test) => {
    const api = await start(test);
    const type = 'application/vnd.kubernetes.protobuf';
    // k8s\0, then: type meta (v1, ConfigMap), then the object: name "cm", data { a: "b" }.
    const object = [
      0x0a,
      4,
      0x0a,
      2,
      ...bytes('cm'),
      0x12,
      6,
      0x0a,
      1,
      ...bytes('a'),
      0x12,
      1,
      ...bytes('b'),
    ];
    const meta = [0x0a, 2, ...bytes('v1'), 0x12, 9, ...bytes('ConfigMap')];
    const body = [...bytes('k8s\0'), 0x0a, meta.length, ...meta, 0x12, object.length, ...object];
    const made = await post(api, CONFIG_MAPS, new Uint8Array(body), type);
    assert.equal(made.status, 201);
    const found = (await made.json()) as { data: unknown };
    assert.deepEqual(found.data, { a: 'b' });
    const cut = await post(api, CONFIG_MAPS, new Uint8Array(body.slice(0, -3)), type);
    assert.equal(cut.status, 415);
  });

  it('refuses a body that is not JSON', async (test) => {
    const api = await start(test);
    assert.equal((await post(api, CONFIG_MAPS, '{"kind":', 'application/json')).status, 400);
  });
});

describe('the store file', () => {
  it('brings objects back, and never hands out a version twice', async (test) => {
    const file = path.join(await folder(test), 'deep', 'state.json');
    const first = await startKubernetesApi({ file });
    const maps = first.store.resource({ group: '', version: 'v1', plural: 'configmaps' });
    const made = first.store.create(maps, 'default', { metadata: { name: 'a' }, data: { x: '1' } });
    await first.close();
    const second = await start(test, { file });
    assert.deepEqual(second.store.get(maps, { namespace: 'default', name: 'a' }), made.object);
    assert.ok(second.store.resourceVersion > first.store.resourceVersion);
    assert.throws(() => second.store.watch(maps, first.store.resourceVersion, () => undefined), {
      code: 410,
    });
    assert.deepEqual(await readdir(path.dirname(file)), ['state.json']);
  });

  it('is written without a close soon after a change', async (test) => {
    const file = path.join(await folder(test), 'state.json');
    const api = await start(test, { file });
    const maps = api.store.resource({ group: '', version: 'v1', plural: 'configmaps' });
    api.store.create(maps, 'default', { metadata: { name: 'soon' } });
    for (;;) {
      const text = await readFile(file, 'utf8').catch(() => '');
      if (text.includes('soon')) break;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });

  it('is not taken for an empty cluster when it cannot be read', async (test) => {
    const file = path.join(await folder(test), 'state.json');
    await writeFile(file, '{"formatVersion":99}');
    await assert.rejects(startKubernetesApi({ file }), /is not a store file of format 1/);
  });
});

function bytes(text: string): number[] {
  return [...Buffer.from(text, 'utf8')];
}
