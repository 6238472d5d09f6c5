import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SeededRandom } from '../../testing/seeded-random.ts';
import type { GossipEntry, GossipStatus } from './entry.ts';
import { type GossipInput, type GossipStep, stepGossip } from './gossip.ts';
import { type GossipState, nextTickMs, startGossip } from './gossip-state.ts';
import { decodePacket, encodePacket, type GossipPacket, type PacketHead } from './packet.ts';

const CLUSTER = '00000000-0000-4000-8000-0000000000cc';
const SELF = 'self:1';
const INCARNATION = 100;

/** One machine on a clock of its own; the test plays all others. */
class Machine {
  state: GossipState;
  nowMs = 0;
  readonly #random = new SeededRandom(1);

  constructor(others: readonly string[] = [], isSuspicious = true) {
    const start = { uri: SELF, incarnation: INCARNATION, cluster: CLUSTER, isSuspicious };
    this.state = startGossip({ ...start, nowMs: 0, wallMs: 0 });
    if (others.length > 0) this.step({ kind: 'configure', uris: others, suspectTimeoutMs: 2000 });
  }

  step(input: GossipInput): GossipStep {
    const chance = (): number => this.#random.fraction();
    const moment = { nowMs: this.nowMs, wallMs: 5000 + this.nowMs, chance };
    const step = stepGossip(this.state, input, moment);
    this.state = step.state;
    return step;
  }

  tickAt(nowMs: number): readonly Sent[] {
    this.nowMs = nowMs;
    return sent(this.step({ kind: 'tick' }));
  }

  /** All ticks that are due by then. */
  runTo(endMs: number): readonly Sent[] {
    const all: Sent[] = [];
    while (nextTickMs(this.state) <= endMs) all.push(...this.tickAt(nextTickMs(this.state)));
    this.nowMs = endMs;
    return all;
  }

  receive(packet: Partial<GossipPacket> & { readonly from: GossipEntry }): GossipStep {
    const head: PacketHead = {
      ...{ cluster: CLUSTER, kind: 'word', sequence: 0, hops: 0, wallMs: 0, to: undefined },
      ...packet,
    };
    const { bytes } = encodePacket(head, packet.entries ?? []);
    return this.step({ kind: 'datagram', bytes, from: '10.0.0.9:1' });
  }

  /** Lets the instance that is asked now answer. */
  answer(wallMs = 0): void {
    const { uri = '', sequence = 0 } = this.state.pending ?? {};
    this.receive({ from: this.entry(uri), kind: 'ack', sequence, wallMs });
  }

  entry(uri: string): GossipEntry {
    return this.state.heard.get(uri)?.entry ?? heard(uri);
  }

  statuses(): Readonly<Record<string, GossipStatus>> {
    const pairs = [...this.state.heard].map(([uri, { entry }]) => [uri, entry.status]);
    return Object.fromEntries(pairs) as Record<string, GossipStatus>;
  }
}

type Sent = GossipPacket & { readonly place: string };

function sent(step: GossipStep): readonly Sent[] {
  return step.datagrams.map(({ to: place, bytes }) => {
    const decoded = decodePacket(bytes);
    assert.ok(decoded.kind === 'packet');
    return { ...decoded.packet, place };
  });
}

function heard(uri: string, status: GossipStatus = 'alive', incarnation = 1): GossipEntry {
  return { uri, status, incarnation, payload: {} };
}

const others = ['a:1', 'b:1', 'c:1', 'd:1', 'e:1'];

describe('gossip, asking', () => {
  it('asks one other each period, each once in a round, the dead too, those that left never [MEM-05]', () => {
    const machine = new Machine(others);
    machine.receive({ from: heard('a:1', 'left'), entries: [heard('b:1', 'dead')] });
    const asked: string[] = [];
    for (let period = 0; period < 8; period++) {
      asked.push(...machine.tickAt(1000 * period).map(({ place }) => place));
      machine.answer();
    }
    assert.deepEqual(asked.slice(0, 4).toSorted(), ['b:1', 'c:1', 'd:1', 'e:1']);
    assert.deepEqual(asked.slice(4).toSorted(), ['b:1', 'c:1', 'd:1', 'e:1']);
  });

  it('asks again and through three others when there is no answer, and suspects when there is none to that [MEM-05]', () => {
    const machine = new Machine(others);
    const [ping] = machine.tickAt(0);
    const uri = ping?.place ?? '';
    assert.equal(nextTickMs(machine.state), 200);
    const helped = machine.tickAt(200);
    assert.deepEqual(
      helped.map(({ kind, to, sequence }) => [kind, to?.uri, sequence]),
      Array.from({ length: 4 }, () => ['ping', uri, ping?.sequence]),
    );
    assert.equal(helped[0]?.place, uri);
    assert.equal(new Set(helped.map(({ place }) => place)).size, 4);
    machine.tickAt(1000);
    assert.deepEqual(machine.statuses()[uri], 'suspect');
  });

  it('believes an answer that came through another', () => {
    const machine = new Machine(others);
    machine.tickAt(0);
    machine.tickAt(200);
    machine.answer();
    machine.tickAt(1000);
    assert.deepEqual([...new Set(Object.values(machine.statuses()))], ['alive']);
  });

  it('takes a suspect for dead in its time, unless it says otherwise', () => {
    const machine = new Machine(others);
    machine.receive({
      from: heard('a:1'),
      entries: [heard('b:1', 'suspect'), heard('c:1', 'suspect')],
    });
    machine.nowMs = 1500;
    machine.receive({ from: heard('c:1', 'alive', 2) });
    // Nobody is asked in between: those would be suspected.
    machine.state = { ...machine.state, periodDueMs: 9000 };
    machine.tickAt(1999);
    assert.equal(machine.statuses()['b:1'], 'suspect');
    machine.tickAt(2000);
    assert.deepEqual([machine.statuses()['b:1'], machine.statuses()['c:1']], ['dead', 'alive']);
  });

  it('suspects nobody by itself when it is not suspicious [MEM-04]', () => {
    const machine = new Machine(others, false);
    machine.runTo(20_000);
    assert.deepEqual([...new Set(Object.values(machine.statuses()))], ['alive']);
  });

  it('holds the time in which it did not run itself against nobody', () => {
    const machine = new Machine(others);
    machine.receive({ from: heard('a:1'), entries: [heard('b:1', 'suspect')] });
    machine.tickAt(0);
    machine.tickAt(60_000);
    assert.deepEqual(machine.statuses(), {
      ...Object.fromEntries(others.map((uri) => [uri, 'alive'])),
      ...{ [SELF]: 'alive', 'b:1': 'suspect' },
    });
    machine.answer();
    machine.runTo(63_000);
    assert.equal(machine.statuses()['b:1'], 'dead');
  });

  it('learns how far the other clock is ahead [MEM-02]', () => {
    const machine = new Machine(['a:1']);
    machine.tickAt(0);
    machine.nowMs = 100;
    // Asked at 5000, answered at 5100: it was 5050 here in the middle.
    machine.answer(5350);
    assert.equal(machine.state.heard.get('a:1')?.clockDeltaMs, 300);
  });
});

describe('gossip, heard', () => {
  const own = (machine: Machine): readonly [GossipStatus, number] => {
    const { status, incarnation } = machine.entry(SELF);
    return [status, incarnation];
  };
  const rumours: readonly (readonly [string, GossipEntry, number])[] = [
    ['that it is suspected', heard(SELF, 'suspect', INCARNATION), INCARNATION + 1],
    ['that it is dead', heard(SELF, 'dead', INCARNATION + 4), INCARNATION + 5],
    ['of a start before', heard(SELF, 'alive', INCARNATION + 7), INCARNATION + 8],
    [
      'of another payload',
      { ...heard(SELF, 'alive', INCARNATION), payload: { a: 'b' } },
      INCARNATION + 1,
    ],
    ['old news', heard(SELF, 'dead', INCARNATION - 1), INCARNATION],
    ['the truth', heard(SELF, 'alive', INCARNATION), INCARNATION],
  ];
  for (const [what, rumour, incarnation] of rumours) {
    it(`takes back what is not true: ${what} [MEM-08]`, () => {
      const machine = new Machine(others);
      machine.receive({ from: heard('a:1'), entries: [rumour] });
      assert.deepEqual(own(machine), ['alive', incarnation]);
    });
  }

  it('tells with every answer what it thinks of the asker, and answers to where it came from [MEM-06]', () => {
    const machine = new Machine(others);
    machine.receive({ from: heard('b:1'), entries: [heard('a:1', 'suspect', 3)] });
    const [ack] = sent(
      machine.receive({ from: heard('a:1', 'alive', 3), kind: 'ping', sequence: 9 }),
    );
    const { place, kind, sequence, from, to } = ack ?? {};
    assert.deepEqual(
      { place, kind, sequence, from, to },
      {
        ...{ place: '10.0.0.9:1', kind: 'ack', sequence: 9 },
        from: machine.entry(SELF),
        to: heard('a:1', 'suspect', 3),
      },
    );
  });

  it('passes on what is for another, once, and not for strangers [MEM-17]', () => {
    const machine = new Machine(others);
    const ping = { from: heard('a:1'), to: heard('b:1'), kind: 'ping', sequence: 4 } as const;
    const step = machine.receive({ ...ping, entries: [heard('c:1', 'suspect')] });
    assert.deepEqual(
      sent(step).map(({ place, kind, hops, sequence, from, to }) => ({
        place,
        kind,
        hops,
        sequence,
        from,
        to,
      })),
      [{ place: 'b:1', kind: 'ping', hops: 1, sequence: 4, from: ping.from, to: ping.to }],
    );
    assert.equal(machine.statuses()['c:1'], 'suspect');
    const refused = [
      machine.receive({ ...ping, hops: 1 }),
      machine.receive({ ...ping, kind: 'sync' }),
      machine.receive({ ...ping, from: heard('x:1') }),
      machine.receive({ ...ping, to: heard('x:1') }),
    ];
    assert.deepEqual(
      refused.map(({ datagrams, refusal }) => [datagrams.length, refusal]),
      [
        [0, 'it was passed on to the wrong instance'],
        [0, 'it is for another instance'],
        [0, 'it is to be passed on among strangers'],
        [0, 'it is to be passed on among strangers'],
      ],
    );
  });

  it('passes over what is its own, of another cluster, or nothing [MEM-17]', () => {
    const machine = new Machine(others);
    const before = machine.state;
    const { bytes } = encodePacket(
      {
        cluster: CLUSTER,
        kind: 'ping',
        sequence: 1,
        hops: 0,
        wallMs: 0,
        from: heard(SELF, 'dead', 900),
        to: undefined,
      },
      [],
    );
    const refusals = [
      machine.step({ kind: 'datagram', bytes, from: SELF }).refusal,
      machine.receive({ from: heard('a:1', 'dead'), cluster: 'another' }).refusal,
      machine.step({ kind: 'datagram', bytes: bytes.subarray(0, 30), from: SELF }).refusal,
    ];
    assert.deepEqual(refusals, [
      'it is of this instance itself',
      'it is of another cluster',
      'it is no packet of gossip',
    ]);
    assert.deepEqual(machine.state, before);
  });

  it('compares all that is known: what the other knows worse comes first [MEM-09]', () => {
    const machine = new Machine(others);
    machine.receive({
      from: heard('a:1'),
      entries: [heard('b:1', 'dead', 2), heard('c:1', 'alive', 2)],
    });
    const said = [heard('c:1', 'alive', 2), heard('b:1', 'alive', 2), heard('d:1', 'alive', 0)];
    const [answer] = sent(machine.receive({ from: heard('a:1'), kind: 'sync', entries: said }));
    assert.deepEqual([answer?.kind, answer?.entries[0]], ['synced', heard('b:1', 'dead', 2)]);
  });

  it('is asked for every ten seconds of one that is alive [MEM-09]', () => {
    const machine = new Machine(['a:1']);
    const syncs = machine.runTo(30_000).filter(({ kind }) => kind === 'sync');
    // After the first, it is dead.
    assert.deepEqual(syncs.length, 0);
    const answered = new Machine(['a:1']);
    let count = 0;
    while (nextTickMs(answered.state) <= 30_000) {
      const step = answered.tickAt(nextTickMs(answered.state));
      count += step.filter(({ kind }) => kind === 'sync').length;
      answered.answer();
    }
    assert.equal(count, 3);
  });
});

describe('gossip, told', () => {
  it('raises the incarnation with another payload only [MEM-10]', () => {
    const machine = new Machine();
    const steps = ['x', 'x', 'y'].map((value) =>
      machine.step({ kind: 'payload', key: 'state', value }),
    );
    assert.deepEqual(
      steps.map(({ isChanged }) => isChanged),
      [true, false, true],
    );
    const { incarnation, payload } = machine.entry(SELF);
    assert.deepEqual([incarnation, payload], [INCARNATION + 2, { state: 'y' }]);
  });

  it('knows those of the config as alive, and forgets and refuses all others [MEM-12, MEM-13]', () => {
    const machine = new Machine();
    machine.receive({ from: heard('a:1'), entries: [heard('x:1', 'dead')] });
    const greeted = sent(
      machine.step({ kind: 'configure', uris: ['a:1', 'b:1'], suspectTimeoutMs: 2000 }),
    );
    assert.deepEqual(
      greeted.map(({ kind, place }) => [kind, place]),
      [['sync', 'b:1']],
    );
    assert.deepEqual(machine.entry('b:1'), heard('b:1', 'alive', 0));
    machine.receive({ from: heard('x:1') });
    machine.receive({ from: heard('a:1'), entries: [heard('y:1')] });
    assert.deepEqual(Object.keys(machine.statuses()).toSorted(), ['a:1', 'b:1', SELF]);
    machine.step({ kind: 'configure', uris: [], suspectTimeoutMs: 2000 });
    machine.receive({ from: heard('a:1'), entries: [heard('y:1')] });
    assert.equal(machine.statuses()['y:1'], 'alive');
  });

  it('tells those that may hear it that it leaves, and nothing after that [MEM-12]', () => {
    const machine = new Machine(others);
    machine.receive({
      from: heard('a:1'),
      entries: [heard('b:1', 'dead'), heard('c:1', 'suspect')],
    });
    const words = sent(machine.step({ kind: 'leave' }));
    assert.deepEqual(words.map(({ place }) => place).toSorted(), ['a:1', 'c:1', 'd:1', 'e:1']);
    assert.ok(words.every(({ kind, from }) => kind === 'word' && from.status === 'left'));
    assert.deepEqual(machine.runTo(20_000), []);
    machine.receive({ from: heard('a:1'), entries: [heard(SELF, 'left', INCARNATION)] });
    assert.equal(machine.entry(SELF).status, 'left');
  });

  it('repeats news in floor(log2 n) + 2 packets [MEM-07]', () => {
    const machine = new Machine(others);
    machine.receive({ from: heard('a:1'), entries: [heard('b:1', 'suspect')] });
    // Six are known; the answer to the word is none.
    assert.deepEqual([...machine.state.news].toSorted(), [
      ['a:1', 4],
      ['b:1', 4],
    ]);
    const ping = { from: heard('c:1'), kind: 'ping' } as const;
    for (let packet = 0; packet < 4; packet++) {
      const [ack] = sent(machine.receive({ ...ping, to: machine.entry(SELF) }));
      assert.deepEqual(
        new Set(ack?.entries.slice(0, 2).map(({ uri }) => uri)),
        new Set(['a:1', 'b:1']),
      );
    }
    assert.deepEqual([...machine.state.news.keys()], []);
  });
});
