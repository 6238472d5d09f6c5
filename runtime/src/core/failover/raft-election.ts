/**
 * Election of a leader among the instances of a replica set: one instance's part of it, without clock, chance or wire.
 *
 * Nothing acknowledged is lost by these rules, which are those of Raft: an instance votes once in a term, for a log that
 * is not behind its own in (term, sequence); a vote promises to refuse rows of lower terms; a leader needs the votes of
 * a majority. A vote counts only if the voter's log is *sound*, which it is from the moment when it was caught up under
 * a leader of this mode, and until its end may be lost. So whatever a majority acknowledged, some counted voter has.
 * Where too few are sound, all must vote: then the longest log leads, and nothing that is left anywhere is lost.
 *
 * At most one is writable at any moment, by clock rates alone: who hears from a leader votes for nobody else during the
 * time that the leader asked for, and the leader counts a tenth less of it, from the moment of *sending* to the latest
 * majority. Whoever starts waits for as long as it last was asked to. Only a leader that has laid down its lease by
 * itself may allow a vote before that, in the name of its term.
 *
 * When the enabled instances change by one, every majority of before shares an instance with every one of afterwards:
 * this is safe while some instances do not know of the change yet. A change of several at once is safe once all have
 * applied it; a partition or a crash in that moment may lose what was acknowledged then.
 */
import type { Position } from '../../contract/instance-status.ts';
import type { Seat } from '../../contract/provider-records.ts';
import { type Moment, validUntilMs } from './lease-hold.ts';
import { comparePositions } from './seats.ts';

export interface RaftTiming {
  readonly heartbeatMs: number;
  /** A follower stands for election when it has heard from no leader for something between these two. */
  readonly shortestMs: number;
  readonly longestMs: number;
}

/** For how much of the time for which voters keep still a leader counts on them: clocks run at different rates. */
export const LEASE_SHARE = 0.9;
const LEAST_TIMEOUT_MS = 200;

export function raftTiming(failoverTimeoutSeconds: number): RaftTiming {
  const longestMs = Math.max(failoverTimeoutSeconds * 1000, LEAST_TIMEOUT_MS);
  return { heartbeatMs: longestMs / 10, shortestMs: longestMs / 2, longestMs };
}

export type RoundKind = 'pre-vote' | 'vote';

export interface VoteRequest {
  readonly kind: RoundKind;
  readonly term: number;
  readonly candidate: string;
  readonly position: Position;
  /** The leader of this term has laid down its lease and lets the candidate stand; 0 for none. */
  readonly releasedTerm: number;
}

export interface Ballot {
  readonly isGranted: boolean;
  /** Counts towards a majority: the voter's log has everything that it ever acknowledged. */
  readonly isSound: boolean;
  /** The log was sound once, and its end may have been lost since. */
  readonly hasLostEnd: boolean;
  readonly seat: Seat;
}

export interface Voter {
  readonly position: Position;
  /** Whom it has voted for in the term of the request. */
  readonly votedFor: string | undefined;
}

export type Verdict =
  | { readonly isGranted: true }
  | {
      readonly isGranted: false;
      readonly reason: 'term-is-over' | 'leader-heard' | 'has-voted' | 'log-is-behind';
    };

export type Election =
  | { readonly kind: 'open' }
  /** By a majority of sound logs, or by all instances, when fewer are sound. */
  | { readonly kind: 'won'; readonly by: 'majority' }
  | { readonly kind: 'won'; readonly by: 'all'; readonly hasLostEnd: boolean };

export type Due = 'nothing' | 'stand' | 'step-down';

interface Follower {
  readonly seat: Seat;
  /** When the last message that it has answered was sent; undefined before the first. */
  readonly sent: Moment | undefined;
  /** For how long it was asked to vote for nobody else. */
  readonly quietMs: number;
}

export class RaftElection {
  readonly #own: string;
  #timing: RaftTiming;
  #voters: readonly string[] = [];
  #role: 'follower' | 'leader' = 'follower';
  #term: number;
  #leader: string | undefined;
  #ledSinceMs = 0;
  #quietMs: number;
  #quietUntilMs: number;
  /** Of the leader that was heard last, or a higher one: it has asked for the quiet time. */
  #heardTerm: number;
  #standAtMs: number;
  #round: { kind: RoundKind; term: number; ballots: Map<string, Ballot> } | undefined;
  readonly #followers = new Map<string, Follower>();

  /** `fraction` is by chance, from 0 up to 1, here and below. */
  constructor(
    own: string,
    timing: RaftTiming,
    start: {
      readonly term: number;
      readonly quietMs: number;
      readonly nowMs: number;
      readonly fraction: number;
    },
  ) {
    this.#own = own;
    this.#timing = timing;
    this.#term = start.term;
    this.#heardTerm = start.term;
    this.#quietMs = start.quietMs;
    this.#quietUntilMs = start.nowMs + start.quietMs;
    this.#standAtMs = this.#quietUntilMs + this.#spread(start.fraction);
  }

  get role(): 'follower' | 'leader' {
    return this.#role;
  }

  /** The highest that this instance has promised or is about to. */
  get term(): number {
    return this.#term;
  }

  /** Of the term; undefined while none was heard. */
  get leader(): string | undefined {
    return this.#leader;
  }

  /** For how long the last leader asked to vote for nobody else. */
  get quietMs(): number {
    return this.#quietMs;
  }

  get standAtMs(): number {
    return this.#standAtMs;
  }

  get voters(): readonly string[] {
    return this.#voters;
  }

  configure(voters: readonly string[], timing: RaftTiming): void {
    this.#voters = voters;
    this.#timing = timing;
  }

  /** A higher term is known: nobody leads in it yet, for all that is known here. */
  observe(term: number): void {
    if (term <= this.#term) return;
    this.#term = term;
    this.#leader = undefined;
    this.#role = 'follower';
    this.#round = undefined;
  }

  /** A leader says that it leads `term`; false when that is over. */
  heard(
    from: { readonly term: number; readonly leader: string; readonly quietMs: number },
    nowMs: number,
    fraction: number,
  ): boolean {
    if (from.term < this.#term) return false;
    this.observe(from.term);
    if (this.#role === 'leader') return false;
    this.#leader = from.leader;
    this.#heardTerm = from.term;
    this.#round = undefined;
    this.#quietMs = from.quietMs;
    this.#quietUntilMs = Math.max(this.#quietUntilMs, nowMs + from.quietMs);
    this.#standAtMs = nowMs + Math.max(from.quietMs, this.#timing.shortestMs);
    this.#standAtMs += this.#spread(fraction);
    return true;
  }

  judge(request: VoteRequest, voter: Voter, now: Moment): Verdict {
    const { kind, term, candidate, position, releasedTerm } = request;
    if (term < this.#term || (kind === 'pre-vote' && term === this.#term)) {
      return { isGranted: false, reason: 'term-is-over' };
    }
    // A leader was elected against the leases of all terms before its own: with its own, all are void.
    const isReleased = releasedTerm > 0 && releasedTerm >= this.#heardTerm;
    if (!isReleased && this.isQuiet(now)) return { isGranted: false, reason: 'leader-heard' };
    if (voter.votedFor !== undefined && voter.votedFor !== candidate) {
      return { isGranted: false, reason: 'has-voted' };
    }
    if (comparePositions(position, voter.position) < 0) {
      return { isGranted: false, reason: 'log-is-behind' };
    }
    return { isGranted: true };
  }

  /** Somebody may count on this instance to vote for nobody else. */
  isQuiet(now: Moment): boolean {
    if (this.#role === 'leader' && now.monotonicMs < this.deadlineMs(now)) return true;
    return now.monotonicMs < this.#quietUntilMs;
  }

  due(now: Moment, mayStand: boolean): Due {
    if (this.#role === 'leader') {
      const sinceMs = Math.max(this.#ledSinceMs, this.#majoritySentMs() ?? this.#ledSinceMs);
      return now.monotonicMs - sinceMs > this.#timing.longestMs ? 'step-down' : 'nothing';
    }
    return mayStand && now.monotonicMs >= this.#standAtMs ? 'stand' : 'nothing';
  }

  /** Asks all voters from now on; an earlier round is over. The next one is due later, by chance. */
  begin(
    round: { readonly kind: RoundKind; readonly term: number },
    nowMs: number,
    fraction: number,
  ): void {
    this.#round = { ...round, ballots: new Map() };
    this.#standAtMs = nowMs + this.#timing.shortestMs / 2 + this.#spread(fraction);
  }

  ballot(
    round: { readonly kind: RoundKind; readonly term: number },
    uuid: string,
    ballot: Ballot,
  ): Election {
    const current = this.#round;
    if (current?.kind !== round.kind || current.term !== round.term) return { kind: 'open' };
    if (!this.#voters.includes(uuid)) return { kind: 'open' };
    current.ballots.set(uuid, ballot);
    const granted = [...current.ballots.values()].filter(({ isGranted }) => isGranted);
    const sound = granted.filter(({ isSound }) => isSound);
    const isByMajority = sound.length >= this.#majority;
    if (!isByMajority && granted.length < this.#voters.length) return { kind: 'open' };
    // More ballots of it say nothing new.
    if (round.kind === 'pre-vote') this.#round = undefined;
    if (isByMajority) return { kind: 'won', by: 'majority' };
    return { kind: 'won', by: 'all', hasLostEnd: granted.some(({ hasLostEnd }) => hasLostEnd) };
  }

  /** Voters that have not answered in the round that is under way. */
  silent(): readonly string[] {
    return this.#voters.filter((uuid) => this.#round?.ballots.has(uuid) === false);
  }

  /** Leads the term of the round that was won. */
  lead(nowMs: number): void {
    this.#followers.clear();
    for (const [uuid, { seat }] of this.#round?.ballots ?? []) {
      if (uuid !== this.#own) this.#followers.set(uuid, { seat, sent: undefined, quietMs: 0 });
    }
    this.#round = undefined;
    this.#role = 'leader';
    this.#leader = this.#own;
    this.#heardTerm = this.#term;
    this.#ledSinceMs = nowMs;
  }

  /** A voter has answered, in the term that this instance leads, that it keeps still for so long. */
  answered(seat: Seat, sent: Moment, quietMs: number): void {
    const known = this.#followers.get(seat.uuid);
    // Answers overtake each other: an earlier start of the instance says nothing any more.
    if (known !== undefined && known.seat.incarnation > seat.incarnation) return;
    const isEarlier = known?.sent !== undefined && known.sent.monotonicMs >= sent.monotonicMs;
    this.#followers.set(seat.uuid, isEarlier ? { ...known, seat } : { seat, sent, quietMs });
  }

  /** Of those who are known in this term; a row counts for these. */
  seats(own: Seat): readonly Seat[] {
    const others = [...this.#followers.values()].map(({ seat }) => seat);
    return [own, ...others.filter(({ uuid }) => this.#voters.includes(uuid))];
  }

  seatOf(uuid: string): Seat | undefined {
    return this.#followers.get(uuid)?.seat;
  }

  /** Until when this instance may count on a majority to have voted for nobody else. */
  deadlineMs(now: Moment): number {
    if (this.#role !== 'leader') return Number.NEGATIVE_INFINITY;
    const deadlines = this.#others()
      .flatMap(({ sent, quietMs }) => (sent ? validUntilMs(sent, quietMs * LEASE_SHARE, now) : []))
      .toSorted((a, b) => b - a);
    if (this.#othersNeeded === 0) return now.monotonicMs + this.#timing.shortestMs;
    return deadlines[this.#othersNeeded - 1] ?? Number.NEGATIVE_INFINITY;
  }

  /** Leads no more. With `soonMs` it stands again then, rather than after a timeout. */
  stepDown(nowMs: number, fraction: number, soonMs?: number): void {
    if (this.#role !== 'leader') return;
    this.#role = 'follower';
    this.#leader = undefined;
    this.#standAtMs = nowMs + (soonMs ?? this.#timing.shortestMs + this.#spread(fraction));
  }

  get #majority(): number {
    return Math.floor(this.#voters.length / 2) + 1;
  }

  /** How many beside this instance make a majority. */
  get #othersNeeded(): number {
    return this.#majority - (this.#voters.includes(this.#own) ? 1 : 0);
  }

  #majoritySentMs(): number | undefined {
    if (this.#othersNeeded === 0) return Number.POSITIVE_INFINITY;
    const sent = this.#others().flatMap((follower) => follower.sent?.monotonicMs ?? []);
    return sent.toSorted((a, b) => b - a)[this.#othersNeeded - 1];
  }

  #others(): readonly Follower[] {
    return [...this.#followers]
      .filter(([uuid]) => uuid !== this.#own && this.#voters.includes(uuid))
      .map(([, follower]) => follower);
  }

  #spread(fraction: number): number {
    return fraction * (this.#timing.longestMs - this.#timing.shortestMs);
  }
}
