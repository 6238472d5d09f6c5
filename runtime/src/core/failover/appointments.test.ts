import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Appointment, Lease } from '../../contract/provider-records.ts';
import { type Decision, planAppointments, type ReplicaSetSnapshot } from './appointments.ts';
import type { Candidate, LastInSync, PromiseReport } from './candidate.ts';

const TTL = 2000;
const NOW = 100_000;
const [A, B, C] = ['a', 'b', 'c'];

const member = (uuid: string, change: Partial<Candidate> = {}): Candidate => ({
  uuid,
  electable: true,
  disabled: false,
  ...change,
});
const seat = (uuid: string, incarnation = 1) => ({ uuid, incarnation });

function report(
  promisedTerm: number,
  [term, sequence]: readonly [number, number],
  more: { logIncarnation?: number; lastInSync?: LastInSync } = {},
): PromiseReport {
  return { promisedTerm, position: { term, sequence }, logIncarnation: 1, ...more };
}

function appointed(term: number, leader: string, inSync: readonly string[]): Appointment {
  return { v: 1, term, leader, inSync: inSync.map((uuid) => seat(uuid)), reason: '' };
}

function lease(term: number, holder: string, released = false): Lease {
  return { v: 1, term, holder, incarnation: 1, nonce: '', released };
}

/** Led by A in term 3, all in sync, its lease long expired. */
function expired(change: Partial<ReplicaSetSnapshot> = {}): ReplicaSetSnapshot {
  return {
    uuid: 'rs',
    members: [member(A), member(B), member(C)],
    appointment: appointed(3, A, [A, B, C]),
    lease: lease(3, A),
    observation: { version: '9 a', sinceMs: NOW - 1.1 * TTL },
    highestPromise: 0,
    round: undefined,
    ...change,
  };
}

function round(
  term: number,
  reports: Readonly<Record<string, PromiseReport>>,
): NonNullable<ReplicaSetSnapshot['round']> {
  return { term, reports: new Map(Object.entries(reports)) };
}

const fresh = { version: '9 a', sinceMs: NOW - 1 };
const never = { appointment: undefined, lease: undefined } as const;

function brief(decision: Decision | undefined): string {
  if (decision?.kind === 'keep') return decision.reason;
  if (decision?.kind === 'ask') return `ask ${decision.term}`;
  if (decision?.kind !== 'appoint') return 'nothing';
  const { term, inSync } = decision.appointment;
  const seats = inSync.map(({ uuid, incarnation }) => `${uuid}${incarnation}`).join(' ');
  return `term ${term}: ${seats} (${decision.reason})`;
}

const table: readonly [string, ReplicaSetSnapshot, string][] = [
  [
    'keeps a leader whose lease is renewed',
    expired({ observation: fresh }),
    'current-leader-healthy',
  ],
  [
    'waits in full when the lease record is absent',
    expired({ observation: { version: '', sinceMs: NOW - 1 }, lease: undefined }),
    'lease-not-expired',
  ],
  ['asks for the next term when the lease has expired', expired(), 'ask 4'],
  [
    'asks at once after a release',
    expired({ observation: fresh, lease: lease(3, A, true) }),
    'ask 4',
  ],
  ['asks for no lower term than was promised', expired({ highestPromise: 7 }), 'ask 7'],
  [
    'asks again, higher, when a promise was refused',
    expired({ round: round(4, { b: report(6, [3, 5]) }) }),
    'ask 6',
  ],
  [
    'appoints the one with the longest log',
    expired({ round: round(4, { b: report(4, [3, 5]), c: report(4, [3, 6]) }) }),
    'term 4: c1 b1 (new-leader-selected)',
  ],
  [
    'takes the first in priority among equals',
    expired({ round: round(4, { c: report(4, [3, 6]), b: report(4, [3, 6]) }) }),
    'term 4: b1 c1 (new-leader-selected)',
  ],
  [
    'passes over one whose lease ran out, even with the longest log',
    expired({
      lapses: new Map([[A, 3]]),
      round: round(4, { a: report(4, [3, 9]), b: report(4, [3, 5]), c: report(4, [3, 6]) }),
    }),
    'term 4: c1 a1 b1 (new-leader-selected)',
  ],
  [
    'takes one whose lease ran out where that of all others did later',
    expired({
      lapses: new Map([
        [A, 3],
        [B, 2],
      ]),
      round: round(4, { a: report(4, [3, 9]), b: report(4, [3, 5]) }),
    }),
    'term 4: b1 a1 (new-leader-selected)',
  ],
  [
    'takes one whose lease ran out where there is no other',
    expired({ lapses: new Map([[A, 3]]), round: round(4, { a: report(4, [3, 9]) }) }),
    'term 4: a1 (new-leader-selected)',
  ],
  [
    'compares terms before sequences',
    expired({ round: round(4, { b: report(4, [2, 90]), c: report(4, [3, 1]) }) }),
    'term 4: c1 b1 (new-leader-selected)',
  ],
  [
    'never appoints one that was not in sync, even with a longer log',
    expired({
      appointment: appointed(3, A, [A, B]),
      round: round(4, { b: report(4, [3, 5]), c: report(4, [3, 9]) }),
    }),
    'term 4: b1 (new-leader-selected)',
  ],
  [
    'appoints nobody while only those out of sync answer',
    expired({ appointment: appointed(3, A, [A, B]), round: round(4, { c: report(4, [3, 9]) }) }),
    'no-healthy-candidates',
  ],
  [
    'appoints nobody whose log may have lost its end',
    expired({
      appointment: appointed(3, A, [A, B]),
      round: round(4, { b: report(4, [3, 5], { logIncarnation: 2 }) }),
    }),
    'no-healthy-candidates',
  ],
  [
    'respects electable and disabled, and keeps their seats',
    expired({
      members: [member(A), member(B, { electable: false }), member(C)],
      round: round(4, { b: report(4, [3, 9]), c: report(4, [3, 5]) }),
    }),
    'term 4: c1 b1 (new-leader-selected)',
  ],
  [
    'appoints nobody when all in-sync ones are disabled',
    expired({
      members: [member(A), member(B, { disabled: true }), member(C, { disabled: true })],
      round: round(4, { b: report(4, [3, 9]), c: report(4, [3, 5]) }),
    }),
    'no-healthy-candidates',
  ],
  [
    'lets the longest log lead when every seat lost its log’s end and all have reported',
    expired({
      appointment: appointed(3, A, [A, B]),
      round: round(4, {
        a: report(4, [3, 4], { logIncarnation: 2 }),
        b: report(4, [3, 5], { logIncarnation: 2 }),
        c: report(4, [3, 9]),
      }),
    }),
    'term 4: b2 (all-seats-lost)',
  ],
  [
    'does not wait for the seat of an expelled instance',
    expired({
      members: [member(B), member(C)],
      appointment: appointed(3, A, [A, B]),
      round: round(4, { b: report(4, [3, 5], { logIncarnation: 2 }) }),
    }),
    'term 4: b2 (all-seats-lost)',
  ],
  [
    'appoints of those that are left, when every seat was expelled and all of them have promised',
    expired({
      members: [member(B), member(C)],
      appointment: appointed(3, A, [A]),
      round: round(4, { b: report(4, [3, 5]), c: report(4, [3, 6]) }),
    }),
    'term 4: c1 (all-seats-expelled)',
  ],
  [
    'waits for all that are left, when every seat was expelled',
    expired({
      members: [member(B), member(C)],
      appointment: appointed(3, A, [A]),
      round: round(4, { b: report(4, [3, 5]) }),
    }),
    'no-healthy-candidates',
  ],
  [
    'gives a leader that was overtaken by a promise a new term, once it has promised it',
    expired({
      observation: fresh,
      highestPromise: 4,
      round: round(4, { a: report(4, [3, 8]), b: report(4, [3, 7]) }),
    }),
    'term 4: a1 b1 (higher-term-promised)',
  ],
  [
    'waits for the lease of an overtaken leader that does not answer',
    expired({ observation: fresh, highestPromise: 4, round: round(4, { b: report(4, [3, 7]) }) }),
    'lease-not-expired',
  ],
  ['asks for the first term', expired(never), 'ask 1'],
  [
    'makes no first appointment before every instance has answered',
    expired({ ...never, round: round(1, { a: report(1, [0, 0]), b: report(1, [0, 0]) }) }),
    'waiting-for-all-members',
  ],
  [
    'appoints the first in priority when nobody was ever led, without any wait',
    expired({
      ...never,
      observation: { version: '', sinceMs: NOW },
      round: round(1, { c: report(1, [0, 0]), b: report(1, [0, 0]), a: report(1, [0, 0]) }),
    }),
    'term 1: a1 (first-appointment)',
  ],
  [
    'waits for all when the provider has forgotten',
    expired({ ...never, round: round(5, { a: report(5, [4, 2]), b: report(5, [4, 1]) }) }),
    'waiting-for-all-members',
  ],
  [
    'lets the longest log lead, alone, when the provider has forgotten',
    expired({
      ...never,
      round: round(5, {
        a: report(5, [3, 9], { lastInSync: { term: 3, leader: A, inSync: [seat(A), seat(C)] } }),
        b: report(5, [4, 2], { lastInSync: { term: 4, leader: B, inSync: [seat(B), seat(C)] } }),
        c: report(5, [4, 1]),
      }),
    }),
    'term 5: b1 (provider-had-forgotten)',
  ],
  [
    'keeps in sync who is as far as the leader when the provider has forgotten',
    expired({
      ...never,
      round: round(5, {
        a: report(5, [3, 9]),
        b: report(5, [4, 2], { lastInSync: { term: 4, leader: B, inSync: [seat(B), seat(C)] } }),
        c: report(5, [4, 2]),
      }),
    }),
    'term 5: b1 c1 (provider-had-forgotten)',
  ],
  [
    'passes over a seat of an old copy when the provider has forgotten and the last seat is lost',
    expired({
      ...never,
      round: round(5, {
        a: report(5, [4, 9], {
          logIncarnation: 2,
          lastInSync: { term: 4, leader: A, inSync: [seat(A)] },
        }),
        b: report(5, [4, 2], { lastInSync: { term: 4, leader: A, inSync: [seat(A), seat(B)] } }),
        c: report(5, [3, 9]),
      }),
    }),
    'term 5: a2 (provider-had-forgotten)',
  ],
  [
    'distrusts a record that is older than what an instance has seen',
    expired({ round: round(6, { a: report(6, [5, 1]), b: report(6, [3, 5]) }) }),
    'waiting-for-all-members',
  ],
];

describe('planAppointments', () => {
  for (const [name, set, wanted] of table) {
    it(name, () => {
      const [decision, ...others] = planAppointments({ ttlMs: TTL, replicaSets: [set] }, NOW);
      assert.deepEqual(others, []);
      assert.equal(brief(decision), wanted);
    });
  }
});
