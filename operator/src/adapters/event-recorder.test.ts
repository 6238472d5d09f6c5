import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '@tonearm/runtime/foundation';
import { SeededRandom, SimulatedClock } from '@tonearm/runtime/testing';
import type { RecordedEvent } from '../ports/events.ts';
import {
  failedStatus,
  type ScriptedAnswer,
  ScriptedTransport,
} from '../testing/scripted-transport.ts';
import { KubeEventRecorder } from './event-recorder.ts';
import { KubeClient } from './kube-client.ts';
import { RequestLimiter } from './request-limiter.ts';

const EVENT: RecordedEvent = {
  regarding: {
    apiVersion: 'tonearm.dev/v1alpha1',
    kind: 'Cluster',
    namespace: 'data',
    name: 'employees',
    uid: 'u-1',
  },
  type: 'Warning',
  reason: 'NameTaken',
  action: 'Reconcile',
  note: 'the Service employees belongs to somebody else',
};

describe('KubeEventRecorder', () => {
  it('writes an event at once, with the fields that Kubernetes wants', async () => {
    const { recorder, clock, sent, stop } = start();
    recorder.record(EVENT);
    await clock.advance(0);
    assert.deepEqual(sent(), [
      {
        call: 'POST /apis/events.k8s.io/v1/namespaces/data/events',
        body: {
          apiVersion: 'events.k8s.io/v1',
          kind: 'Event',
          metadata: { name: sent()[0]?.name, namespace: 'data' },
          eventTime: '2023-11-14T22:13:20.000000Z',
          reportingController: 'tonearm.dev/operator',
          reportingInstance: 'operator-0',
          ...EVENT,
        },
        name: sent()[0]?.name,
      },
    ]);
    assert.match(sent()[0]?.name ?? '', /^employees\.[0-9a-f]{16}$/);
    await stop();
  });

  it('counts repetitions in one series, written now and then', async () => {
    const { recorder, clock, sent, stop } = start();
    for (let second = 0; second < 90; second++) {
      recorder.record(EVENT);
      await clock.advance(1000);
    }
    const counts = sent()
      .slice(1)
      .map(({ body }) => (body as { series: { count: number } }).series.count);
    assert.equal(sent().filter(({ call }) => call.startsWith('POST')).length, 1);
    assert.ok(counts.length >= 2 && counts.length <= 3, `${counts.length} writes`);
    assert.ok((counts.at(-1) ?? 0) > 50);
    await stop();
  });

  it('stops writing new notes of one object and reason, and counts them', async () => {
    const { recorder, clock, sent, stop } = start();
    for (let i = 0; i < 100; i++) recorder.record({ ...EVENT, note: `attempt ${i}` });
    await clock.advance(1000);
    assert.equal(sent().length, 10);
    await stop();
  });

  it('tells an event anew after a quiet time', async () => {
    const { recorder, clock, sent, stop } = start();
    recorder.record(EVENT);
    await clock.advance(500_000);
    recorder.record(EVENT);
    await clock.advance(1000);
    assert.equal(sent().filter(({ call }) => call.startsWith('POST')).length, 2);
    await stop();
  });

  it('loses an event that is refused, and nothing else', async () => {
    const { recorder, clock, sent, stop } = start((index) =>
      index === 0 ? failedStatus(403, 'Forbidden') : {},
    );
    recorder.record(EVENT);
    await clock.advance(1000);
    recorder.record({ ...EVENT, reason: 'Other' });
    await clock.advance(1000);
    assert.equal(sent().length, 2);
    await stop();
  });
});

function start(answer: (index: number) => ScriptedAnswer = () => ({})) {
  const clock = new SimulatedClock();
  const transport = new ScriptedTransport((_request, index) => answer(index));
  const limiter = new RequestLimiter(clock, { perSecond: 1000, burst: 1000 });
  const recorder = new KubeEventRecorder({
    kube: new KubeClient({ transport, limiter }),
    clock,
    random: new SeededRandom(7),
    logger: silentLogger,
    instance: 'operator-0',
  });
  const abort = new AbortController();
  const running = recorder.run(abort.signal);
  return {
    recorder,
    clock,
    sent: () =>
      transport.requests.map(({ method, path, body }) => {
        const parsed = JSON.parse(body ?? '{}') as { metadata?: { name?: string } };
        return { call: `${method} ${path}`, body: parsed, name: parsed.metadata?.name };
      }),
    stop: async () => {
      abort.abort(new Error('enough'));
      await running;
    },
  };
}
