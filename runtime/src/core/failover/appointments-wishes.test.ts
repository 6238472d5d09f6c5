import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Appointment } from '../../contract/provider-records.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';
import { type Decision, planAppointments, type ReplicaSetSnapshot } from './appointments.ts';
import type { Candidate, PromiseReport } from './candidate.ts';
import { standings } from './candidate-order.ts';
import { explainPromotion } from './explain-promotion.ts';
import type { Wish } from './forced-appointment.ts';
import type { Health } from './instance-health.ts';

const TTL = 2000;
const NOW = 100_000;
const LONG_AGO = { version: '9 n', sinceMs: NOW - 1.1 * TTL };
const JUST_NOW = { version: '9 n', sinceMs: NOW - 1 };

const seat = (uuid: string, incarnation = 1) => ({ uuid, incarnation });
const member = (uuid: string, zone?: string): Candidate => ({
  ...{ uuid, electable: true, disabled: false },
  ...(zone === undefined ? {} : { zone }),
});
const force = (stopped: readonly string[] = []) => ({ command: 'cmd', stopped });

function report(sequence: number, logIncarnation = 1): PromiseReport {
  return { promisedTerm: 4, position: { term: 3, sequence }, logIncarnation };
}

/** Led by A in term 3; asked in this round were those with a report. */
function asked(
  reports: Readonly<Record<string, PromiseReport>>,
  change: Partial<ReplicaSetSnapshot> & { readonly inSync?: readonly string[] } = {},
): ReplicaSetSnapshot {
  const { inSync = ['a', 'b', 'c'], ...rest } = change;
  const lease = {
    v: 1,
    term: 3,
    holder: 'a',
    incarnation: 1,
    nonce: 'n',
    released: false,
  } as const;
  const seats = inSync.map((uuid) => seat(uuid));
  const appointment: Appointment = { v: 1, term: 3, leader: 'a', inSync: seats, reason: '' };
  return {
    ...{ uuid: 'rs', members: [member('a'), member('b'), member('c')], appointment, lease },
    ...{ observation: LONG_AGO, highestPromise: 0 },
    round: { term: 4, reports: new Map(Object.entries(reports)) },
    ...rest,
  };
}

function decide(set: ReplicaSetSnapshot): Decision {
  const [decision] = planAppointments({ ttlMs: TTL, replicaSets: [set] }, NOW);
  assert.ok(decision);
  return decision;
}

function brief(decision: Decision): string {
  if (decision.kind !== 'appoint') return decision.kind === 'keep' ? decision.reason : 'ask';
  const { leader, inSync } = decision.appointment;
  return `${leader} of ${inSync.length} (${decision.reason})`;
}

const released = {
  v: 1,
  term: 3,
  holder: 'a',
  incarnation: 1,
  nonce: 'n',
  released: true,
} as const;
const zoned = [member('a', 'x'), member('b', 'x'), member('c', 'y')];

function standing(
  unhealthy: readonly string[],
  wishes: Parameters<typeof standings>[2],
  leaders: readonly Candidate[] = [],
): ReturnType<typeof standings> {
  const healthOf = (uuid: string): Health =>
    unhealthy.includes(uuid)
      ? { kind: 'unhealthy', configVersion: 1, why: '' }
      : { kind: 'healthy', configVersion: 1 };
  return standings(zoned, healthOf, wishes, leaders);
}

const none = { spread_leaders: 'none' } as const;
const equal = { b: report(5), c: report(5) };
const elsewhere = [member('k', 'y'), member('l', 'y'), member('m', 'x')];

const wish = (to: string | undefined, more: Partial<Wish> = {}) => ({ wish: { to, ...more } });

const table: readonly [string, ReplicaSetSnapshot, string][] = [
  [
    'takes the healthy one even with a shorter log',
    asked({ b: report(9), c: report(5) }, { standings: standing(['b'], none) }),
    'c of 2 (new-leader-selected)',
  ],
  [
    'takes an unhealthy one rather than none',
    asked({ b: report(9) }, { standings: standing(['b'], none) }),
    'b of 1 (new-leader-selected)',
  ],
  [
    'takes the longest log before the preferred zone',
    asked(
      { b: report(6), c: report(5) },
      { members: zoned, standings: standing([], { ...none, preferred_zone: 'y' }) },
    ),
    'b of 2 (new-leader-selected)',
  ],
  [
    'takes the preferred zone before the priority, among equal logs [CMP-13]',
    asked(equal, { members: zoned, standings: standing([], { ...none, preferred_zone: 'y' }) }),
    'c of 2 (new-leader-selected)',
  ],
  [
    'takes the zone where most leaders are, when none is preferred [CMP-13]',
    asked(equal, { members: zoned, standings: standing([], none, elsewhere) }),
    'c of 2 (new-leader-selected)',
  ],
  [
    'takes the zone with the fewest leaders when they are to be spread',
    asked(equal, {
      members: zoned,
      standings: standing([], { spread_leaders: 'zone' }, elsewhere),
    }),
    'b of 2 (new-leader-selected)',
  ],
  ['takes whom somebody asks for', asked(equal, wish('c')), 'c of 2 (asked-for)'],
  [
    'does not wait for whom somebody asks for',
    asked({ b: report(5) }, wish('c')),
    'b of 1 (new-leader-selected)',
  ],
  [
    'does not take one that was not in sync because somebody asks for it',
    asked({ c: report(9) }, { inSync: ['a', 'b'], ...wish('c') }),
    'no-healthy-candidates',
  ],
  [
    'forces nothing while an in-sync member is there',
    asked(
      { b: report(5), c: report(9) },
      { inSync: ['a', 'b'], ...wish('c', { force: force(['a']) }) },
    ),
    // It is appointed as it would be without.
    'b of 1 (new-leader-selected)',
  ],
  [
    'says so when that one may not lead',
    asked(
      { b: report(5), c: report(9) },
      {
        members: [member('a'), { ...member('b'), electable: false }, member('c')],
        inSync: ['a', 'b'],
        ...wish('c', { force: force(['a']) }),
      },
    ),
    'force-not-needed',
  ],
  [
    'forces nothing while the lease may be held [FO-55]',
    asked(
      { c: report(9) },
      { inSync: ['a', 'b'], observation: JUST_NOW, ...wish('c', { force: force(['a']) }) },
    ),
    'current-leader-healthy',
  ],
  [
    'forces nothing before its holder is known to be dead, for it may go on without the provider',
    asked({ c: report(9) }, { inSync: ['a', 'b'], ...wish('c', { force: force(['b']) }) }),
    'force-needs-stopped',
  ],
  [
    'forces it when the holder was stopped for good [FO-55]',
    asked({ c: report(9) }, { inSync: ['a', 'b'], ...wish('c', { force: force(['a']) }) }),
    'c of 1 (forced)',
  ],
  [
    'forces it at once after a release',
    asked(
      { c: report(9) },
      {
        inSync: ['a', 'b'],
        lease: released,
        observation: JUST_NOW,
        ...wish('c', { force: force() }),
      },
    ),
    'c of 1 (forced)',
  ],
  [
    'forces it when the holder has promised, with the end of its log lost',
    asked(
      { a: report(2, 2), c: report(9) },
      { inSync: ['a', 'b'], ...wish('c', { force: force() }) },
    ),
    'c of 1 (forced)',
  ],
  [
    'takes the longest log when nobody is named',
    asked(
      { a: report(2, 2), c: report(9) },
      { inSync: ['a', 'b'], ...wish(undefined, { force: force() }) },
    ),
    'c of 1 (forced)',
  ],
  [
    'waits for whom somebody names by force',
    asked({ a: report(2, 2) }, { inSync: ['a', 'b'], ...wish('c', { force: force() }) }),
    'no-healthy-candidates',
  ],
  [
    'forces nothing when the provider has forgotten and one that may lead is silent',
    asked(
      { b: report(5), c: report(9) },
      { appointment: undefined, lease: undefined, ...wish('c', { force: force() }) },
    ),
    'force-needs-stopped',
  ],
  [
    'forces it when the silent one was stopped for good',
    asked(
      { b: report(5), c: report(9) },
      { appointment: undefined, lease: undefined, ...wish('c', { force: force(['a']) }) },
    ),
    'c of 1 (forced)',
  ],
];

describe('planAppointments, as somebody asks', () => {
  for (const [name, set, wanted] of table) {
    it(name, () => assert.equal(brief(decide(set)), wanted));
  }

  it('records what was forced, and how many acknowledged rows are known to be gone [FO-55]', () => {
    const set = asked(
      { c: report(9) },
      {
        inSync: ['a', 'b'],
        acknowledged: { term: 3, sequence: 14 },
        ...wish('c', { force: force(['a']) }),
      },
    );
    assert.deepEqual(decide(set), {
      replicaSetUuid: 'rs',
      kind: 'appoint',
      reason: 'forced',
      appointment: {
        ...{ v: 1, term: 4, leader: 'c', inSync: [seat('c')], reason: 'forced' },
        forced: { term: 4, command: 'cmd', missing: ['a', 'b'], rowsLost: 5 },
      },
    });
  });

  it('appoints from any state only what is safe, forced or not', () => {
    const sets = Array.from({ length: 5000 }, (_, seed) => randomSet(new SeededRandom(seed)));
    const decisions = sets.map((set) => [set, decide(set)] as const);
    const broken = decisions.flatMap(([set, decision]) => whatIsBroken(set, decision));
    assert.deepEqual(broken, []);
    const forced = decisions.filter(([, decision]) => decision.reason === 'forced');
    assert.ok(forced.length > 100, `${forced.length}`);
  });
});

interface Facts {
  readonly isVoid: boolean;
  readonly holderIsOut: boolean;
  readonly hasPromised: boolean;
  readonly isSeated: boolean;
  readonly seatsPresent: number;
  readonly reason: string;
}

function factsOf(set: ReplicaSetSnapshot, leader: string, reason: string): Facts {
  const reports = set.round?.reports ?? new Map<string, PromiseReport>();
  const present = (set.appointment?.inSync ?? []).filter(
    ({ uuid, incarnation }) => reports.get(uuid)?.logIncarnation === incarnation,
  );
  const isOut = set.lease?.released === true || reports.has('a');
  return {
    isVoid: isOut || set.observation === LONG_AGO,
    holderIsOut: isOut || set.wish?.force?.stopped.includes('a') === true,
    hasPromised: reports.has(leader),
    isSeated: present.some(({ uuid }) => uuid === leader),
    seatsPresent: present.length,
    reason,
  };
}

const rules: readonly [string, (facts: Facts) => boolean][] = [
  ['the lease is void', ({ isVoid }) => isVoid],
  ['the leader has promised', ({ hasPromised }) => hasPromised],
  [
    'the leader was in sync, or none is, or it is forced',
    ({ isSeated, reason }) => isSeated || reason === 'all-seats-lost' || reason === 'forced',
  ],
  [
    'nothing is forced past an in-sync member',
    ({ seatsPresent, reason }) => seatsPresent === 0 || reason !== 'forced',
  ],
  [
    'nothing is forced past a holder that may write',
    ({ holderIsOut, reason }) => holderIsOut || reason !== 'forced',
  ],
];

function whatIsBroken(set: ReplicaSetSnapshot, decision: Decision): readonly string[] {
  if (decision.kind !== 'appoint') return [];
  const facts = factsOf(set, decision.appointment.leader, decision.reason);
  return rules.filter(([, holds]) => !holds(facts)).map(([name]) => name);
}

function randomSet(random: SeededRandom): ReplicaSetSnapshot {
  const answering = ['a', 'b', 'c'].filter(() => random.chance(0.5));
  const reports = answering.map((uuid) => [uuid, report(random.integer(9), 1 + random.integer(2))]);
  const stopped = ['a', 'b'].filter(() => random.chance(0.5));
  return asked(Object.fromEntries(reports) as Record<string, PromiseReport>, {
    inSync: ['a', ...['b', 'c'].filter(() => random.chance(0.5))],
    observation: random.chance(0.3) ? JUST_NOW : LONG_AGO,
    highestPromise: random.chance(0.5) ? 4 : 0,
    ...(random.chance(0.3) ? { lease: released } : {}),
    ...(random.chance(0.8) ? wish('c', random.chance(0.8) ? { force: force(stopped) } : {}) : {}),
  });
}

describe('explainPromotion', () => {
  it('says who is missing and what force would give up', () => {
    const set = asked(
      { b: report(4, 2), c: report(9) },
      { inSync: ['a', 'b'], acknowledged: { term: 3, sequence: 14 }, ...wish('c') },
    );
    assert.deepEqual(
      explainPromotion(set, 'no-healthy-candidates', (uuid) => uuid.toUpperCase()),
      {
        code: 'NOT_IN_SYNC',
        message:
          'Instance C was not appointed in replica set rs: in sync were A (does not answer), B (has lost the end of its log). ' +
          'Start one of these, or make it electable and enabled. Only if they are lost for good use force: the rows that only they have are given up, at least 5 acknowledged rows.',
      },
    );
  });

  it('names whom it does not know to be stopped', () => {
    const set = asked({ c: report(9) }, { inSync: ['a', 'b'], ...wish('c', { force: force() }) });
    const { code, message } = explainPromotion(set, 'force-needs-stopped', (uuid) => uuid);
    assert.equal(code, 'STATE_FORBIDS');
    assert.match(message, / a does not answer, .* name it as stopped/);
  });
});
