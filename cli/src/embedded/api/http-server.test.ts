import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { type KubernetesApi, startKubernetesApi } from './start-kubernetes-api.ts';

const POD = '/api/v1/namespaces/default/pods/p';
const JSON_TYPE = { 'content-type': 'application/json' };

async function start(test: TestContext): Promise<KubernetesApi> {
  const api = await startKubernetesApi({
    podLogs: async function* () {
      yield 'a line\n';
    },
  });
  test.after(() => api.close());
  const pods = api.store.resource({ group: '', version: 'v1', plural: 'pods' });
  const spec = { containers: [{ name: 'c', image: 'x' }] };
  api.store.create(pods, 'default', { metadata: { name: 'p' }, spec });
  return api;
}

interface Status {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
}

async function statusOf(answer: Promise<Response>): Promise<Status> {
  const { code, reason, message } = (await (await answer).json()) as Status;
  return { code, reason, message };
}

/** Protobuf, of fields that are shorter than 128 bytes. */
function message(...fields: readonly (readonly [number, Buffer])[]): Buffer<ArrayBuffer> {
  const parts = fields.map(([number, value]) =>
    Buffer.concat([Buffer.from([number * 8 + 2, value.length]), value]),
  );
  return Buffer.concat(parts);
}

describe('a command that needs a container', () => {
  const commands: readonly (readonly [string, string])[] = [
    ['GET', 'exec?command=sh'],
    ['POST', 'exec?command=sh'],
    ['POST', 'attach'],
    ['POST', 'portforward'],
    ['GET', 'ephemeralcontainers'],
    ['PATCH', 'ephemeralcontainers'],
  ];
  for (const [method, subresource] of commands) {
    it(`says what a pod is here, and what to use: ${method} ${subresource}`, async (test) => {
      const api = await start(test);
      const [name] = subresource.split('?');
      assert.deepEqual(await statusOf(fetch(`${api.url}${POD}/${subresource}`, { method })), {
        code: 405,
        reason: 'MethodNotAllowed',
        message: `${name} is not here, because a pod is a process on this machine: use kubectl logs, or curl the address in its annotation tonearm.dev/http-address`,
      });
    });
  }

  it('tells a web page nothing', async (test) => {
    const api = await start(test);
    const sent = { method: 'POST', headers: { origin: 'http://example.com' } };
    assert.equal((await fetch(`${api.url}${POD}/exec`, sent)).status, 403);
  });
});

describe('a question for permission', () => {
  it('is answered with yes: who knows the address may do everything', async (test) => {
    const api = await start(test);
    const review = {
      kind: 'SelfSubjectAccessReview',
      apiVersion: 'authorization.k8s.io/v1',
      metadata: {},
      spec: { resourceAttributes: { namespace: 'default', verb: 'create', resource: 'pods' } },
    };
    const url = `${api.url}/apis/authorization.k8s.io/v1/selfsubjectaccessreviews`;
    const sent = { method: 'POST', headers: JSON_TYPE, body: JSON.stringify(review) };
    const answer = await fetch(url, sent);
    assert.equal(answer.status, 201);
    const reason = 'whoever knows the address of this API may do everything';
    assert.deepEqual(await answer.json(), { ...review, status: { allowed: true, reason } });
  });

  it('is read as kubectl auth can-i sends it', async (test) => {
    const api = await start(test);
    const head = message(
      [1, Buffer.from('authorization.k8s.io/v1')],
      [2, Buffer.from('SelfSubjectAccessReview')],
    );
    const asked = message([2, Buffer.from('create')], [5, Buffer.from('pods')]);
    const review = message([1, Buffer.alloc(0)], [2, message([1, asked])]);
    const body = Buffer.concat([Buffer.from('k8s\0'), message([1, head], [2, review])]);
    const answer = await fetch(`${api.url}/apis/authorization.k8s.io/v1/selfsubjectaccessreviews`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.kubernetes.protobuf' },
      body,
    });
    const { spec, status } = (await answer.json()) as { spec: unknown; status: object };
    assert.deepEqual(
      { spec, allowed: 'allowed' in status && status.allowed },
      { spec: { resourceAttributes: { verb: 'create', resource: 'pods' } }, allowed: true },
    );
  });

  it('is answered with the rules of everybody', async (test) => {
    const api = await start(test);
    const review = {
      kind: 'SelfSubjectRulesReview',
      apiVersion: 'authorization.k8s.io/v1',
      metadata: {},
      spec: { namespace: 'default' },
    };
    const url = `${api.url}/apis/authorization.k8s.io/v1/selfsubjectrulesreviews`;
    const sent = { method: 'POST', headers: JSON_TYPE, body: JSON.stringify(review) };
    assert.deepEqual(await (await fetch(url, sent)).json(), {
      ...review,
      status: {
        resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
        nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
        incomplete: false,
      },
    });
  });
});

describe('the log of a pod', () => {
  const unknown = ['timestamps=true', 'sinceSeconds=10', 'sinceTime=2026-01-01T00:00:00Z'];
  for (const query of unknown) {
    it(`is refused where lines would need times: ${query}`, async (test) => {
      const api = await start(test);
      const name = query.split('=')[0] ?? '';
      assert.deepEqual(await statusOf(fetch(`${api.url}${POD}/log?${query}`)), {
        code: 400,
        reason: 'BadRequest',
        message: `${name} is not here, because the time of a line is not kept: leave it out, and use --tail for the last lines`,
      });
    });
  }

  it('is given where it is said that times are not wanted', async (test) => {
    const api = await start(test);
    const answer = await fetch(`${api.url}${POD}/log?timestamps=false&sinceSeconds=`);
    assert.equal(await answer.text(), 'a line\n');
  });
});
