import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Ballot,
  RaftElection,
  raftTiming,
  type VoteRequest,
  type Voter,
} from './raft-election.ts';

const timing = raftTiming(2);
const at = (ms: number) => ({ monotonicMs: ms, wallMs: 1_000_000 + ms });
const seat = (uuid: string, incarnation = 1) => ({ uuid, incarnation });

function electionOf(voters: readonly string[], start: { term?: number; quietMs?: number } = {}) {
  const election = new RaftElection('a', timing, {
    ...{ term: start.term ?? 5, quietMs: start.quietMs ?? 0, nowMs: 0, fraction: 0 },
  });
  election.configure(voters, timing);
  return election;
}

function ballot(uuid: string, change: Partial<Ballot> = {}): Ballot {
  return { isGranted: true, isSound: true, hasLostEnd: false, seat: seat(uuid), ...change };
}

function leaderOf(voters: readonly string[]): RaftElection {
  const election = electionOf(voters);
  const round = { kind: 'vote', term: 6 } as const;
  election.observe(6);
  election.begin(round, 0, 0);
  for (const uuid of voters) election.ballot(round, uuid, ballot(uuid));
  election.lead(0);
  return election;
}

describe('the timing of elections', () => {
  it('follows the failover timeout, with a bound below [FO-12]', () => {
    assert.deepEqual(raftTiming(2), { heartbeatMs: 200, shortestMs: 1000, longestMs: 2000 });
    assert.deepEqual(raftTiming(0), { heartbeatMs: 20, shortestMs: 100, longestMs: 200 });
  });
});

describe('a vote', () => {
  const request: VoteRequest = {
    ...{ kind: 'vote', term: 6, candidate: 'b', position: { term: 5, sequence: 10 } },
    releasedTerm: 0,
  };
  const voter: Voter = { position: { term: 5, sequence: 10 }, votedFor: undefined };
  const cases: readonly [string, Partial<VoteRequest>, Partial<Voter>, string][] = [
    ['for a log that is equal', {}, {}, 'granted'],
    ['of a higher last term', { position: { term: 6, sequence: 1 } }, {}, 'granted'],
    ['of a lower last term', { position: { term: 4, sequence: 99 } }, {}, 'log-is-behind'],
    ['of a shorter log', { position: { term: 5, sequence: 9 } }, {}, 'log-is-behind'],
    ['in a term that is over', { term: 4 }, {}, 'term-is-over'],
    ['in the term that is promised', { term: 5 }, {}, 'granted'],
    ['asked for in the term that is promised', { kind: 'pre-vote', term: 5 }, {}, 'term-is-over'],
    ['after one for another', {}, { votedFor: 'c' }, 'has-voted'],
    ['after one for the same', {}, { votedFor: 'b' }, 'granted'],
  ];
  for (const [what, change, changed, want] of cases) {
    it(`${what} is ${want}`, () => {
      const verdict = electionOf(['a', 'b', 'c']).judge(
        { ...request, ...change },
        { ...voter, ...changed },
        at(0),
      );
      assert.equal(verdict.isGranted ? 'granted' : verdict.reason, want);
    });
  }

  it('is given to nobody while a leader may count on it', () => {
    const election = electionOf(['a', 'b', 'c']);
    election.heard({ term: 6, leader: 'c', quietMs: 1000 }, 100, 0);
    const next = { ...request, term: 7 };
    assert.deepEqual(election.judge(next, voter, at(1099)), {
      isGranted: false,
      reason: 'leader-heard',
    });
    assert.deepEqual(election.judge(next, voter, at(1100)), { isGranted: true });
  });

  it('is given early in the name of the leader that was heard, or a later one [FO-95]', () => {
    const election = electionOf(['a', 'b', 'c']);
    election.heard({ term: 6, leader: 'c', quietMs: 1000 }, 100, 0);
    for (const [releasedTerm, isGranted] of [
      [5, false],
      [6, true],
      [7, true],
    ] as const) {
      const verdict = election.judge({ ...request, term: 8, releasedTerm }, voter, at(200));
      assert.equal(verdict.isGranted, isGranted, `released ${releasedTerm}`);
    }
  });

  it('is given to nobody for a while after a start', () => {
    const election = electionOf(['a', 'b', 'c'], { quietMs: 1000 });
    assert.equal(election.judge(request, voter, at(999)).isGranted, false);
    assert.equal(election.judge(request, voter, at(1000)).isGranted, true);
  });
});

describe('a round', () => {
  const round = { kind: 'vote', term: 6 } as const;
  const begun = (): RaftElection => {
    const election = electionOf(['a', 'b', 'c']);
    election.observe(6);
    election.begin(round, 0, 0);
    return election;
  };

  it('is won by a majority of sound logs', () => {
    const election = begun();
    assert.deepEqual(election.ballot(round, 'a', ballot('a')), { kind: 'open' });
    assert.deepEqual(election.ballot(round, 'b', ballot('b', { isGranted: false })), {
      kind: 'open',
    });
    assert.deepEqual(election.silent(), ['c']);
    assert.deepEqual(election.ballot(round, 'c', ballot('c')), { kind: 'won', by: 'majority' });
  });

  it('needs all when fewer logs are sound, and tells whether an end was lost', () => {
    const election = begun();
    const doubtful = { isSound: false };
    assert.deepEqual(election.ballot(round, 'a', ballot('a')), { kind: 'open' });
    assert.deepEqual(election.ballot(round, 'b', ballot('b', doubtful)), { kind: 'open' });
    const lost = ballot('c', { ...doubtful, hasLostEnd: true });
    assert.deepEqual(election.ballot(round, 'c', lost), {
      ...{ kind: 'won', by: 'all', hasLostEnd: true },
    });
  });

  it('counts no instance that has no vote, and no answer of an earlier round', () => {
    const election = begun();
    election.ballot(round, 'a', ballot('a'));
    assert.deepEqual(election.ballot(round, 'x', ballot('x')), { kind: 'open' });
    assert.deepEqual(election.ballot({ kind: 'pre-vote', term: 6 }, 'b', ballot('b')), {
      kind: 'open',
    });
    assert.deepEqual(election.ballot({ kind: 'vote', term: 5 }, 'b', ballot('b')), {
      kind: 'open',
    });
    election.heard({ term: 6, leader: 'b', quietMs: 1000 }, 0, 0);
    assert.deepEqual(election.ballot(round, 'b', ballot('b')), { kind: 'open' });
  });
});

describe('a leader', () => {
  it('counts nine tenths of the quiet time of a majority, from the moment of sending', () => {
    const election = leaderOf(['a', 'b', 'c', 'd', 'e']);
    assert.equal(election.deadlineMs(at(0)), Number.NEGATIVE_INFINITY);
    election.answered(seat('b'), at(100), 1000);
    assert.equal(election.deadlineMs(at(150)), Number.NEGATIVE_INFINITY);
    election.answered(seat('c'), at(200), 1000);
    assert.equal(election.deadlineMs(at(250)), 1000);
    election.answered(seat('d'), at(300), 1000);
    assert.equal(election.deadlineMs(at(350)), 1100);
    election.answered(seat('d'), at(250), 1000);
    assert.equal(election.deadlineMs(at(350)), 1100, 'an earlier answer that comes late');
  });

  it('has nothing to count on when the machine was suspended', () => {
    const election = leaderOf(['a', 'b', 'c']);
    election.answered(seat('b'), at(100), 1000);
    const later = { monotonicMs: 150, wallMs: at(150).wallMs + 300 };
    assert.equal(election.deadlineMs(later), Number.NEGATIVE_INFINITY);
  });

  it('steps down when no majority has answered for a timeout', () => {
    const election = leaderOf(['a', 'b', 'c']);
    election.answered(seat('b'), at(500), 1000);
    assert.equal(election.due(at(2500), true), 'nothing');
    assert.equal(election.due(at(2501), true), 'step-down');
  });

  it('counts a row for the latest start of an instance only', () => {
    const election = leaderOf(['a', 'b', 'c']);
    election.answered(seat('b', 2), at(10), 1000);
    election.answered(seat('b', 1), at(20), 1000);
    assert.deepEqual(election.seats(seat('a')), [seat('a'), seat('b', 2), seat('c')]);
  });

  it('needs a majority beside itself when it has no vote any more', () => {
    const election = leaderOf(['a', 'b', 'c', 'd']);
    election.configure(['b', 'c', 'd'], timing);
    election.answered(seat('b'), at(100), 1000);
    assert.equal(election.deadlineMs(at(100)), Number.NEGATIVE_INFINITY);
    election.answered(seat('c'), at(100), 1000);
    assert.equal(election.deadlineMs(at(100)), 1000);
  });

  it('is none any more in a higher term', () => {
    const election = leaderOf(['a', 'b', 'c']);
    election.answered(seat('b'), at(100), 1000);
    election.observe(7);
    assert.equal(election.role, 'follower');
    assert.equal(election.deadlineMs(at(100)), Number.NEGATIVE_INFINITY);
    assert.equal(election.heard({ term: 6, leader: 'b', quietMs: 1 }, 100, 0), false);
  });
});

describe('a follower', () => {
  it('stands between one half and one timeout after it has heard its leader last', () => {
    for (const [fraction, dueMs] of [
      [0, 1100],
      [0.5, 1600],
    ] as const) {
      const election = electionOf(['a', 'b', 'c']);
      election.heard({ term: 6, leader: 'c', quietMs: 1000 }, 100, fraction);
      assert.equal(election.due(at(dueMs - 1), true), 'nothing');
      assert.equal(election.due(at(dueMs), true), 'stand');
      assert.equal(election.due(at(dueMs), false), 'nothing', 'it may not lead [FO-92]');
    }
  });
});
