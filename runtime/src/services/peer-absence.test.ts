import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { topologySchema } from '../contract/cluster-config.ts';
import type { Seat } from '../contract/provider-records.ts';
import { ClusterError } from '../core/errors.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedNetwork } from '../testing/simulated-peers.ts';
import { PeerAbsence } from './peer-absence.ts';

const SET = uuidOf(9);
const [A, B, C] = [uuidOf(1), uuidOf(2), uuidOf(3)] as const;
const full = new ClusterError('STORAGE_FAILED', { message: 'The disk is full (ENOSPC): log/1' });

function uuidOf(number: number): string {
  return `00000000-0000-4000-8000-00000000000${number}`;
}

const topology = topologySchema.parse({
  servers: Object.fromEntries(
    [A, B, C].map((uuid, index) => [
      uuid,
      {
        uri: `h${index}:1`,
        http_uri: `h${index}:2`,
        alias: `row-${index}`,
        replicaset_uuid: SET,
        disabled: uuid === C,
      },
    ]),
  ),
  replicasets: { [SET]: { alias: 'rows', roles: [], failover_priority: [A, B, C] } },
});

class Fixture {
  readonly clock = new SimulatedClock();
  readonly #network = new SimulatedNetwork({ clock: this.clock, random: new SeededRandom(1) });
  inSync: readonly Seat[] = [A, B].map((uuid) => ({ uuid, incarnation: 1 }));

  instance(uuid: string): PeerAbsence {
    const number = [A, B, C].indexOf(uuid);
    const absence = new PeerAbsence({
      ...{ selfUuid: uuid, replicaSetUuid: SET, clock: this.clock },
      peers: this.#network.peersFor(`h${number}:2`),
      topology: () => topology,
      inSync: () => this.inSync,
    });
    this.#network.listen(`h${number}:2`, absence.handlers());
    return absence;
  }

  async pass<T>(task: Promise<T>): Promise<T> {
    const ended = new AbortController();
    const done = task.finally(() => ended.abort());
    while (!ended.signal.aborted && (await this.clock.next()));
    return done;
  }

  async wait(ms: number): Promise<void> {
    await this.pass(this.clock.sleep(ms));
  }
}

describe('what an instance shows of its peers', () => {
  it('is nothing while all are there, or are not meant to be', () => {
    assert.deepEqual(new Fixture().instance(A).issues(), []);
  });

  it('is the last word of one that has stopped, until it asks for rows or says that it runs', async () => {
    const fixture = new Fixture();
    const [a, b] = [fixture.instance(A), fixture.instance(B)];
    const shown = [
      {
        level: 'warning',
        topic: 'peer-stopped',
        message: 'row-1 has stopped, and said why: The disk is full (ENOSPC): log/1',
      },
    ];
    await fixture.pass(b.stopped(full));
    await fixture.pass(b.stopped(new Error('what follows from it')));
    assert.deepEqual(a.issues(), shown);
    a.heard(B);
    assert.deepEqual(a.issues(), []);

    const again = fixture.instance(B);
    await fixture.pass(again.stopped(full));
    assert.deepEqual(a.issues(), shown);
    await fixture.pass(again.runs(new AbortController().signal));
    assert.deepEqual(a.issues(), []);
  });

  it('is that one is not among the in-sync members', () => {
    const fixture = new Fixture();
    fixture.inSync = fixture.inSync.slice(0, 1);
    const [issue] = fixture.instance(A).issues();
    assert.deepEqual([issue?.topic, issue?.level], ['peer-not-in-sync', 'warning']);
    assert.match(issue?.message ?? '', /^row-1 is not in sync/);
  });

  it('is that one asks this leader for no rows', async () => {
    const fixture = new Fixture();
    const a = fixture.instance(A);
    a.leads(true);
    await fixture.wait(6000);
    a.heard(B);
    await fixture.wait(6000);
    assert.deepEqual(a.issues(), []);
    await fixture.wait(6000);
    assert.match(a.issues()[0]?.message ?? '', /^row-1 has asked for no rows for 12 s/);
    a.leads(false);
    assert.deepEqual(a.issues(), []);
  });

  it('is told in little time, whether anybody hears it or not', async () => {
    const fixture = new Fixture();
    await fixture.pass(fixture.instance(A).stopped(full));
    assert.ok(fixture.clock.monotonicMs() <= 300);
  });
});
