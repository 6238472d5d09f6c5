import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Seat } from '../../contract/provider-records.ts';
import type { Moment } from './lease-hold.ts';
import {
  endsGrant,
  type GrantorView,
  givenGrant,
  judgeGrant,
  laterGrant,
  loneDeadline,
  peerDeadline,
} from './peer-lease.ts';

const TTL = 1000;
const [A, B, C] = ['a', 'b', 'c'];

const seat = (uuid: string, incarnation = 1): Seat => ({ uuid, incarnation });
const at = (monotonicMs: number, wallMs = monotonicMs): Moment => ({ monotonicMs, wallMs });
const grant = (uuid: string, sentMs: number, incarnation = 1) => ({
  seat: seat(uuid, incarnation),
  sent: at(sentMs),
});

describe('the deadline of a holder by peer leases', () => {
  it('is that of the grant which was asked for first', () => {
    const grants = [grant(B, 300), grant(C, 100)];
    assert.equal(peerDeadline(grants, [seat(B), seat(C)], TTL, at(500)), 1100);
  });

  it('is none while a seat has not granted', () => {
    const deadline = peerDeadline([grant(B, 300)], [seat(B), seat(C)], TTL, at(500));
    assert.equal(deadline, Number.NEGATIVE_INFINITY);
  });

  it('does not count the grant of an instance that has lost its seat', () => {
    const deadline = peerDeadline([grant(B, 300, 2)], [seat(B)], TTL, at(500));
    assert.equal(deadline, Number.NEGATIVE_INFINITY);
  });

  it('needs no grant of an instance that has no seat', () => {
    assert.equal(peerDeadline([grant(B, 300), grant(C, 0)], [seat(B)], TTL, at(500)), 1300);
  });

  it('is over when the machine was suspended since a grant was asked for', () => {
    const deadline = peerDeadline([grant(B, 300)], [seat(B)], TTL, at(500, 701));
    assert.equal(deadline, Number.NEGATIVE_INFINITY);
  });
});

describe('the deadline of a holder that is alone in sync', () => {
  const sent = (...sentMs: readonly number[]) => sentMs.map((ms) => ({ sent: at(ms) }));

  it('is that of the last renewal which has waited for long', () => {
    assert.equal(loneDeadline(sent(100, 400, 750), TTL, at(800)), 2400);
  });

  it('is none while no renewal has waited for long', () => {
    assert.equal(loneDeadline(sent(750), TTL, at(800)), Number.NEGATIVE_INFINITY);
    assert.equal(loneDeadline([], TTL, at(800)), Number.NEGATIVE_INFINITY);
  });

  it('has passed for one that was stopped, until it has tried again', () => {
    assert.equal(loneDeadline(sent(100), TTL, at(9000)), 2100);
  });
});

describe('a grantor', () => {
  const request = { term: 5, holder: A, round: 1, ttlMs: TTL };
  const follows: GrantorView = {
    appointment: { term: 5, leader: A },
    promisedTerm: 5,
    seenTerm: 5,
  };

  it('grants the leader of the term that it follows', () => {
    assert.deepEqual(judgeGrant(request, follows), { kind: 'granted' });
  });

  const refusals: Readonly<Record<string, readonly [Partial<GrantorView>, RegExp]>> = {
    'one that has promised a higher term': [{ promisedTerm: 6 }, /term 6 was promised/],
    'one that has heard of a higher term': [{ seenTerm: 7 }, /term 7 was promised/],
    'one that was made successor': [{ appointment: { term: 6, leader: B } }, /leader of term 6/],
    'one that knows of another leader': [
      { appointment: { term: 5, leader: B } },
      /which is another/,
    ],
    'one that knows of an older leader': [{ appointment: { term: 4, leader: A } }, /term 4/],
    'one that knows of no leader': [{ appointment: undefined }, /no leader/],
    'one that has not promised the term': [{ promisedTerm: 4, seenTerm: 4 }, /does not follow/],
  };
  for (const [who, [view, reason]] of Object.entries(refusals)) {
    it(`refuses as ${who}`, () => {
      const verdict = judgeGrant(request, { ...follows, ...view });
      assert.match(verdict.kind === 'refused' ? verdict.reason : 'granted', reason);
    });
  }

  it('counts more than the time to live, from when it grants', () => {
    assert.deepEqual(givenGrant(request, 500), { ...request, untilMs: 1600 });
  });

  it('keeps the longer wait and the later round of two grants', () => {
    const later = givenGrant({ ...request, round: 2 }, 900);
    const earlier = givenGrant({ ...request, ttlMs: 100 }, 950);
    assert.deepEqual(laterGrant(later, earlier), {
      ...request,
      ttlMs: 100,
      round: 2,
      untilMs: 2000,
    });
    assert.deepEqual(laterGrant(undefined, later), later);
  });

  it('ends a grant for its holder, and none of a later round', () => {
    const given = givenGrant({ ...request, round: 2 }, 0);
    const end = { term: 5, holder: A, round: 2 };
    assert.equal(endsGrant(given, end), true);
    assert.equal(endsGrant(given, { ...end, round: 3 }), true);
    assert.equal(endsGrant(given, { ...end, round: 1 }), false);
    assert.equal(endsGrant(given, { ...end, term: 4 }), false);
    assert.equal(endsGrant(given, { ...end, holder: B }), false);
  });
});
