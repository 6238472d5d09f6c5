import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../foundation/logger.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDatagramNetwork } from '../testing/simulated-datagrams.ts';
import { MembershipService } from './membership-service.ts';

const CLUSTER = '00000000-0000-4000-8000-0000000000cc';
const A = 'a.test:1';
const B = 'b.test:1';

class Fixture {
  readonly clock = new SimulatedClock();
  readonly random = new SeededRandom(1);
  readonly network = new SimulatedDatagramNetwork({ clock: this.clock, random: this.random });
  readonly #ended = new AbortController();

  start(uri: string, incarnation = 1): MembershipService {
    const { clock, random, network } = this;
    const service = new MembershipService({
      ...{ uri, incarnation, clock, random, clusterUuid: CLUSTER, logger: silentLogger },
      datagrams: network.bind(uri),
    });
    service.run(this.#ended.signal).catch(() => undefined);
    return service;
  }

  /** What `service` thinks of the other. */
  view(service: MembershipService, uri: string): readonly unknown[] {
    const { status, payload } = service.entries().find((entry) => entry.uri === uri) ?? {};
    return [status, payload?.['state']];
  }

  end(): void {
    this.#ended.abort();
  }
}

describe('MembershipService', () => {
  it('hears of the others of the config, and of what they tell [MEM-10, MEM-15]', async () => {
    const fixture = new Fixture();
    const [a, b] = [fixture.start(A), fixture.start(B)];
    b.setPayload('state', 'Unconfigured');
    const heard: unknown[] = [];
    const stop = a.onChange(() => heard.push(fixture.view(a, B)));
    a.configure([A, B], 2000);
    await fixture.clock.advance(20);
    assert.deepEqual(heard, [
      ['alive', undefined],
      ['alive', 'Unconfigured'],
    ]);
    stop();
    b.setPayload('state', 'x'.repeat(200));
    await fixture.clock.advance(2000);
    assert.equal(heard.length, 2);
    assert.deepEqual(fixture.view(a, B), ['alive', 'x'.repeat(128)]);
    fixture.end();
  });

  it('finds one that came back at another address, and that has said goodbye before [MEM-12, MEM-16]', async () => {
    const fixture = new Fixture();
    const [a, b] = [fixture.start(A), fixture.start(B)];
    for (const service of [a, b]) service.configure([A, B], 2000);
    b.setPayload('state', 'first');
    await fixture.clock.advance(3000);
    await b.leave();
    await b.close();
    await fixture.clock.advance(10);
    assert.deepEqual(fixture.view(a, B), ['left', 'first']);
    const again = fixture.start(B, 2);
    again.setPayload('state', 'second');
    again.configure([A, B], 2000);
    await fixture.clock.advance(10_000);
    assert.deepEqual(
      [fixture.view(a, B), fixture.view(again, A)],
      [
        ['alive', 'second'],
        ['alive', undefined],
      ],
    );
    fixture.end();
  });

  it('probes a place [MEM-13]', async () => {
    const fixture = new Fixture();
    const a = fixture.start(A);
    const b = fixture.start(B);
    const probe = async (uri: string): Promise<unknown> => {
      const answer = a.probe(uri);
      await fixture.clock.advance(500);
      return answer;
    };
    assert.deepEqual(await probe(B), { kind: 'answered', uri: B });
    assert.deepEqual(fixture.view(a, B)[0], 'alive');
    assert.deepEqual(await probe('nonsense'), { kind: 'failed', why: 'parse error' });
    assert.deepEqual(await probe('unknown.test:1'), { kind: 'failed', why: 'ping was not sent' });
    await b.close();
    assert.deepEqual(await probe(B), { kind: 'failed', why: 'no response' });
    fixture.end();
  });

  it('counts what it passes over, and goes on [MEM-17]', async () => {
    const fixture = new Fixture();
    const a = fixture.start(A);
    const stranger = fixture.network.bind(B);
    for (const bytes of [[], [9], [9], [1, 0xc1]]) await stranger.send(A, Uint8Array.from(bytes));
    await fixture.clock.advance(100);
    assert.deepEqual(Object.fromEntries(a.refused), {
      'it is empty': 1,
      'its version is 9, not 1': 2,
      'it is no packet of gossip': 1,
    });
    assert.deepEqual(fixture.view(a, A), ['alive', undefined]);
    fixture.end();
  });
});
