import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimulatedClock } from '@tonearm/runtime/testing';
import type { KubeObject } from '../api/kube-object.ts';
import { RESOURCES } from '../api/resources.ts';
import { KubeError, type WatchEvent } from '../ports/kube.ts';
import {
  failedStatus,
  type ScriptedAnswer,
  ScriptedTransport,
  watchLine,
} from '../testing/scripted-transport.ts';
import { KubeClient } from './kube-client.ts';
import { RequestLimiter } from './request-limiter.ts';

const POD = { namespace: 'data', name: 'employees-storage-1-0' };
const INTENT = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'data', name: 'employees' },
};

function clientFor(answer: (index: number) => ScriptedAnswer, mayWrite?: () => boolean) {
  const clock = new SimulatedClock();
  const transport = new ScriptedTransport((_request, index) => answer(index));
  const limiter = new RequestLimiter(clock, { perSecond: 10, burst: 5 });
  const client = new KubeClient({
    transport,
    limiter,
    ...(mayWrite === undefined ? {} : { mayWrite }),
  });
  return { client, clock, transport };
}

function sentBy(transport: ScriptedTransport) {
  return transport.requests.map(({ method, path, contentType, body }) => ({
    call: `${method} ${path}`,
    contentType,
    body: body === undefined ? undefined : (JSON.parse(body) as unknown),
  }));
}

describe('KubeClient requests', () => {
  it('addresses groups, the core group, namespaces and subresources', async () => {
    const { client, transport } = clientFor(() => ({ body: { metadata: {} } }));
    await client.get(RESOURCES.clusters, { namespace: 'data', name: 'employees' });
    await client.get(RESOURCES.namespaces, { name: 'data' });
    await client.list(RESOURCES.pods, { labelSelector: 'a=b,c', limit: 2, continueToken: 't' });
    await client.scale(RESOURCES.replicaSets, { namespace: 'data', name: 'rs' }, 3);
    assert.deepEqual(sentBy(transport), [
      {
        call: 'GET /apis/tonearm.dev/v1alpha1/namespaces/data/clusters/employees',
        contentType: undefined,
        body: undefined,
      },
      { call: 'GET /api/v1/namespaces/data', contentType: undefined, body: undefined },
      {
        call: 'GET /api/v1/pods?labelSelector=a%3Db%2Cc&limit=2&continue=t',
        contentType: undefined,
        body: undefined,
      },
      {
        call: 'PATCH /apis/tonearm.dev/v1alpha1/namespaces/data/replicasets/rs/scale',
        contentType: 'application/merge-patch+json',
        body: { spec: { replicas: 3 } },
      },
    ]);
  });

  it('applies the whole intent with its field manager', async () => {
    const { client, transport } = clientFor(() => ({}));
    await client.apply(RESOURCES.services, INTENT, { fieldManager: 'me', force: true });
    await client.applyStatus(RESOURCES.clusters, INTENT, { fieldManager: 'me', force: false });
    assert.deepEqual(sentBy(transport), [
      {
        call: 'PATCH /api/v1/namespaces/data/services/employees?fieldManager=me&force=true',
        contentType: 'application/apply-patch+yaml',
        body: INTENT,
      },
      {
        call: 'PATCH /apis/tonearm.dev/v1alpha1/namespaces/data/clusters/employees/status?fieldManager=me&force=false',
        contentType: 'application/apply-patch+yaml',
        body: INTENT,
      },
    ]);
  });

  it('deletes and evicts with preconditions', async () => {
    const { client, transport } = clientFor(() => ({}));
    const preconditions = { uid: 'u' };
    await client.delete(RESOURCES.pods, POD, { preconditions, propagation: 'Orphan' });
    await client.evict(POD, { preconditions, gracePeriodSeconds: 5 });
    const options = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions };
    assert.deepEqual(
      sentBy(transport).map(({ call, body }) => ({ call, body })),
      [
        {
          call: 'DELETE /api/v1/namespaces/data/pods/employees-storage-1-0',
          body: { ...options, propagationPolicy: 'Orphan' },
        },
        {
          call: 'POST /api/v1/namespaces/data/pods/employees-storage-1-0/eviction',
          body: {
            apiVersion: 'policy/v1',
            kind: 'Eviction',
            metadata: POD,
            deleteOptions: { ...options, gracePeriodSeconds: 5 },
          },
        },
      ],
    );
  });

  it('gives the items of a list their kind, and the token of the next page', async () => {
    const { client } = clientFor(() => ({
      body: { metadata: { resourceVersion: '7', continue: 'next' }, items: [{ metadata: POD }] },
    }));
    assert.deepEqual(await client.list(RESOURCES.pods, {}), {
      items: [{ apiVersion: 'v1', kind: 'Pod', metadata: POD }],
      resourceVersion: '7',
      continueToken: 'next',
    });
  });
});

describe('KubeClient failures', () => {
  it('answers absence without an error', async () => {
    const { client } = clientFor(() => failedStatus(404, 'NotFound'));
    assert.equal(await client.get(RESOURCES.pods, POD), undefined);
    assert.equal(await client.delete(RESOURCES.pods, POD), false);
    assert.equal(await client.evict(POD, {}), false);
  });

  it('carries status, reason and the fields of a refusal', async () => {
    const causes = [
      { field: 'spec.bucketCount', message: 'is fixed', reason: 'FieldValueInvalid' },
    ];
    const { client } = clientFor(() => failedStatus(422, 'Invalid', { causes }));
    const error = await failureOf(client.create(RESOURCES.services, INTENT));
    assert.deepEqual(
      { status: error.status, reason: error.reason, message: error.message, causes: error.causes },
      {
        status: 422,
        reason: 'Invalid',
        message: 'it is Invalid',
        causes: [{ field: 'spec.bucketCount', message: 'is fixed' }],
      },
    );
  });

  it('recognises an answer that is not from an API server', async () => {
    const { client } = clientFor(() => ({ status: 502, body: '<h1>Bad gateway</h1>' }));
    const { status, reason, message } = await failureOf(client.get(RESOURCES.pods, POD));
    assert.deepEqual([status, reason], [502, 'Unknown']);
    assert.equal(message, 'the API server answered 502: <h1>Bad gateway</h1>');
  });

  it('tells a broken connection from a refusal', async () => {
    const { client } = clientFor(() => {
      throw new Error('connect ECONNREFUSED');
    });
    const { status, reason, message } = await failureOf(client.get(RESOURCES.pods, POD));
    assert.deepEqual([status, reason], [0, 'Unreachable']);
    assert.equal(message, 'the API server does not answer: connect ECONNREFUSED');
  });

  it('waits with every request as long as a 429 asks', async () => {
    const busy = { ...failedStatus(429, 'TooManyRequests'), headers: { 'retry-after': '3' } };
    const { client, clock } = clientFor((index) => (index === 0 ? busy : {}));
    const error = await failureOf(client.get(RESOURCES.pods, POD));
    assert.equal(error.retryAfterMs, 3000);
    const next = client.get(RESOURCES.services, POD).then(() => clock.monotonicMs());
    await clock.advance(10_000);
    assert.equal(await next, 3000);
  });

  it('does not wait because a disruption budget forbids an eviction', async () => {
    const forbidden = failedStatus(429, 'TooManyRequests', { retryAfterSeconds: 10 });
    const { client, clock } = clientFor((index) => (index === 0 ? forbidden : {}));
    assert.equal((await failureOf(client.evict(POD, {}))).retryAfterMs, 10_000);
    await client.get(RESOURCES.services, POD);
    assert.equal(clock.monotonicMs(), 0);
  });

  it('sends no more than its rate after a burst', async () => {
    const { client, clock, transport } = clientFor(() => ({}));
    const all = Promise.all(Array.from({ length: 8 }, () => client.get(RESOURCES.pods, POD)));
    await clock.advance(0);
    assert.equal(transport.requests.length, 5);
    await clock.advance(100);
    assert.equal(transport.requests.length, 6);
    await clock.advance(1000);
    assert.equal((await all).length, 8);
  });

  it('writes nothing once it may not be the leader, but reads', async () => {
    const { client, transport } = clientFor(
      () => ({}),
      () => false,
    );
    const error = await failureOf(client.create(RESOURCES.services, INTENT));
    assert.equal(error.reason, 'NotLeading');
    await client.get(RESOURCES.pods, POD);
    assert.deepEqual(
      transport.requests.map(({ method }) => method),
      ['GET'],
    );
  });
});

describe('KubeClient watches', () => {
  const pod = (version: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...POD, resourceVersion: version },
  });

  it('reads events from chunks that are cut anywhere', async () => {
    const text = [
      watchLine('ADDED', pod('1')),
      watchLine('MODIFIED', { ...pod('2'), note: 'żółw 🐢' }),
      watchLine('BOOKMARK', pod('5')),
      watchLine('DELETED', pod('6')),
    ].join('');
    for (const size of [1, 7, 64, 10_000]) {
      const stream = Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
        text.slice(i * size, (i + 1) * size),
      );
      const { events, error } = await watched({ stream });
      assert.equal(error, undefined);
      assert.deepEqual(
        events.map((event) => event.kind),
        ['added', 'modified', 'bookmark', 'deleted'],
      );
      assert.deepEqual(events[2], { kind: 'bookmark', resourceVersion: '5' });
    }
  });

  it('tells that the version is too old, from the status and from within the stream', async () => {
    const gone = failedStatus(410, 'Expired');
    const outer = await watched(gone);
    const inner = await watched({ stream: [watchLine('ERROR', gone.body)] });
    assert.deepEqual([outer.error?.status, inner.error?.status], [410, 410]);
  });

  it('does not take half an event for the end', async () => {
    const line = watchLine('ADDED', pod('1'));
    const { events, error } = await watched({ stream: [line, line.slice(0, 20)] });
    assert.equal(events.length, 1);
    assert.equal(error?.reason, 'Unreachable');
  });
});

async function watched(answer: ScriptedAnswer) {
  const { client } = clientFor(() => answer);
  const events: WatchEvent<KubeObject>[] = [];
  const options = {
    resourceVersion: '1',
    timeoutSeconds: 300,
    signal: new AbortController().signal,
  };
  try {
    for await (const event of client.watch(RESOURCES.pods, options)) events.push(event);
  } catch (error) {
    assert.ok(error instanceof KubeError);
    return { events, error };
  }
  return { events, error: undefined };
}

async function failureOf(promise: Promise<unknown>): Promise<KubeError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof KubeError);
    return error;
  }
  return assert.fail('nothing failed');
}
