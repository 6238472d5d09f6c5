import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '@tonearm/runtime/foundation';
import { SeededRandom, SimulatedClock } from '@tonearm/runtime/testing';
import type { Pod } from '../api/kube-object.ts';
import { RESOURCES } from '../api/resources.ts';
import {
  failedStatus,
  type ScriptedAnswer,
  ScriptedTransport,
  watchLine,
} from '../testing/scripted-transport.ts';
import { KubeClient } from './kube-client.ts';
import { Reflector } from './reflector.ts';
import { RequestLimiter } from './request-limiter.ts';
import { ObjectStore } from './store.ts';

describe('Reflector', () => {
  it('lists page by page, then watches from the version of the list', async () => {
    const world = new World([
      list('10', [pod('a', '3'), pod('b', '4')], 'more'),
      list('10', [pod('c', '5')]),
      { stream: hanging([watchLine('ADDED', pod('d', '11'))]) },
    ]);
    await world.run(1000);
    assert.deepEqual(world.names(), ['a', 'b', 'c', 'd']);
    assert.deepEqual(world.calls(), ['list 500 -', 'list 500 more', 'watch 10']);
    assert.equal(world.store.hasSynced(), true);
  });

  it('resumes a watch that broke from the last event or bookmark', async () => {
    const world = new World([
      list('10', []),
      { stream: breaking([watchLine('ADDED', pod('a', '11'))]) },
      { stream: [watchLine('BOOKMARK', pod('', '40'))] },
      { stream: hanging([]) },
    ]);
    await world.run(10_000);
    assert.deepEqual(world.calls(), ['list 500 -', 'watch 10', 'watch 11', 'watch 40']);
    assert.deepEqual(world.names(), ['a']);
  });

  it('lists again after 410 and tells what was deleted meanwhile', async () => {
    const world = new World([
      list('10', [pod('a', '3'), pod('b', '4')]),
      { stream: [watchLine('ERROR', failedStatus(410, 'Expired').body)] },
      list('90', [pod('b', '4'), pod('c', '77')]),
      { stream: hanging([]) },
    ]);
    await world.run(10_000);
    assert.deepEqual(world.changes, ['added a', 'added b', 'deleted a', 'added c']);
    assert.deepEqual(world.calls(), ['list 500 -', 'watch 10', 'list 500 -', 'watch 90']);
  });

  it('tells duplicated and stale events to nobody', async () => {
    const world = new World([
      list('10', [pod('a', '9')]),
      {
        stream: hanging([
          watchLine('MODIFIED', pod('a', '11')),
          watchLine('MODIFIED', pod('a', '11')),
          watchLine('MODIFIED', pod('a', '10')),
          watchLine('DELETED', pod('a', '12')),
          watchLine('DELETED', pod('a', '12')),
        ]),
      },
    ]);
    await world.run(1000);
    assert.deepEqual(world.changes, ['added a', 'modified a', 'deleted a']);
  });

  it('waits longer after each failure, and as long as the server asks', async () => {
    const world = new World([
      failedStatus(500, 'InternalError'),
      failedStatus(500, 'InternalError'),
      failedStatus(403, 'Forbidden'),
      failedStatus(429, 'TooManyRequests', { retryAfterSeconds: 20 }),
      list('10', []),
      { stream: hanging([]) },
    ]);
    await world.run(60_000);
    const waits = world.atMs.slice(1, 5).map((atMs, i) => atMs - (world.atMs[i] ?? 0));
    assert.deepEqual(
      waits.map((waitMs, i) => waitMs >= 400 * 2 ** i && waitMs <= 1200 * 2 ** i),
      [true, true, true, false],
    );
    assert.equal(waits[3], 20_000);
    assert.equal(world.store.hasSynced(), true);
  });

  it('does not storm a server that ends every watch at once', async () => {
    const world = new World([list('10', [])], { stream: [] });
    await world.run(60_000);
    assert.ok(world.calls().length < 12, `${world.calls().length} calls in a minute`);
  });

  it('survives a listener that throws', async () => {
    const world = new World([list('10', [pod('a', '3')]), { stream: hanging([]) }]);
    world.store.subscribe(() => {
      throw new Error('a bug');
    });
    await world.run(1000);
    assert.deepEqual(world.names(), ['a']);
  });
});

class World {
  readonly clock = new SimulatedClock();
  readonly store = new ObjectStore<Pod>(silentLogger);
  readonly changes: string[] = [];
  readonly atMs: number[] = [];
  readonly #transport: ScriptedTransport;
  readonly #reflector: Reflector<Pod>;

  constructor(answers: readonly ScriptedAnswer[], afterwards?: ScriptedAnswer) {
    const { clock, store } = this;
    this.#transport = new ScriptedTransport((_request, index) => {
      this.atMs.push(clock.monotonicMs());
      const answer = answers[index] ?? afterwards;
      if (answer === undefined) throw new Error('the script is over');
      return answer;
    });
    const limiter = new RequestLimiter(clock, { perSecond: 1000, burst: 1000 });
    const kube = new KubeClient({ transport: this.#transport, limiter });
    const context = { clock, random: new SeededRandom(1), logger: silentLogger };
    this.#reflector = new Reflector({
      kube,
      resource: RESOURCES.pods,
      store,
      scope: {},
      ...context,
    });
    store.subscribe(({ kind, object }) => {
      this.changes.push(`${kind} ${object.metadata.name}`);
    });
  }

  async run(durationMs: number): Promise<void> {
    const stop = new AbortController();
    const running = this.#reflector.run(stop.signal);
    await this.clock.advance(durationMs);
    stop.abort(new Error('enough'));
    release();
    await running;
  }

  names(): readonly string[] {
    return this.store.list().map(({ metadata }) => metadata.name);
  }

  calls(): readonly string[] {
    return this.#transport.requests.map(({ path }) => {
      const query = new URLSearchParams(path.split('?')[1]);
      return query.has('watch')
        ? `watch ${query.get('resourceVersion')}`
        : `list ${query.get('limit')} ${query.get('continue') ?? '-'}`;
    });
  }
}

let release = (): void => undefined;

/** A watch on which nothing more happens, until the test is over. */
async function* hanging(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines;
  await new Promise<void>((resolve) => {
    release = resolve;
  });
}

async function* breaking(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines;
  throw new Error('socket hang up');
}

function pod(name: string, resourceVersion: string): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'data', name, resourceVersion },
    spec: { containers: [] },
  };
}

function list(version: string, items: readonly Pod[], continueToken?: string): ScriptedAnswer {
  return { body: { metadata: { resourceVersion: version, continue: continueToken }, items } };
}
