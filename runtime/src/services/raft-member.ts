/**
 * One instance as a voter of its replica set: answers candidates and leaders, and votes for itself.
 *
 * What it says is durable first: the promise of the term, then the vote. In memory the term is raised before that, so
 * that a leader of a lower one is not told meanwhile that nobody else gets this vote. The logs are compared after the
 * promise, because rows of the old leader may come in until then.
 */
import type { InstanceIdentity } from '../contract/identity.ts';
import type { Position } from '../contract/instance-status.ts';
import type { Seat } from '../contract/provider-records.ts';
import type { Moment } from '../core/failover/lease-hold.ts';
import type { Ballot, RaftElection, VoteRequest } from '../core/failover/raft-election.ts';
import type {
  HeartbeatAnswer,
  HeartbeatRequest,
  VoteAnswer,
} from '../core/failover/raft-messages.ts';
import { comparePositions, sameSeat } from '../core/failover/seats.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Random } from '../foundation/random.ts';
import { Exclusive } from './exclusive.ts';
import type { RaftFile } from './raft-file.ts';
import type { ReplicaSetStorage } from './replica-set-storage.ts';

export interface RaftMemberOptions {
  readonly identity: InstanceIdentity;
  readonly clock: Clock;
  readonly random: Random;
  readonly storage: ReplicaSetStorage;
  readonly raft: RaftFile;
  readonly election: RaftElection;
  /** Term, leader or what this instance leads may be others now. */
  readonly onChange: () => void;
}

export class RaftMember {
  readonly #options: RaftMemberOptions;
  readonly #votes = new Exclusive();

  constructor(options: RaftMemberOptions) {
    this.#options = options;
  }

  get seat(): Seat {
    const { uuid, logIncarnation } = this.#options.identity;
    return { uuid, incarnation: logIncarnation };
  }

  /** Its own, for itself. */
  ballot(): Ballot {
    const { soundIncarnation } = this.#options.raft.record;
    const isSound = soundIncarnation === this.seat.incarnation;
    const hasLostEnd = !isSound && soundIncarnation > 0;
    return { isGranted: true, isSound, hasLostEnd, seat: this.seat };
  }

  now(): Moment {
    const { clock } = this.#options;
    return { monotonicMs: clock.monotonicMs(), wallMs: clock.wallTime().getTime() };
  }

  vote(request: VoteRequest): Promise<VoteAnswer> {
    if (request.kind === 'pre-vote') return Promise.resolve(this.#answer(this.#isFit(request)));
    return this.#votes.run(async () => this.#answer(await this.#grant(request)));
  }

  async heartbeat(request: HeartbeatRequest): Promise<HeartbeatAnswer> {
    const { election, clock, random, raft, storage, onChange } = this.#options;
    const { term, quietMs } = request;
    if (!election.heard(request, clock.monotonicMs(), random.fraction())) {
      return { term: election.term, isHeard: false, seat: this.seat };
    }
    onChange();
    if (storage.report().promisedTerm < term) await storage.promise(term);
    if (raft.record.quietMs !== quietMs) await raft.save({ quietMs });
    if (this.#isCaughtUp(request)) await this.becomeSound();
    return { term: election.term, isHeard: election.term === term, seat: this.seat };
  }

  /** Votes for itself in a new term; undefined when that is overtaken. */
  stand(releasedTerm: number): Promise<VoteRequest | undefined> {
    const { election, storage, raft, random, clock, onChange } = this.#options;
    const { uuid } = this.seat;
    return this.#votes.run(async () => {
      const term = this.nextTerm();
      election.observe(term);
      onChange();
      const { promisedTerm, position } = await storage.promise(term);
      if (promisedTerm > term || election.term > term) return undefined;
      await raft.save({ term, votedFor: uuid });
      if (election.term > term || election.leader !== undefined) return undefined;
      election.begin({ kind: 'vote', term }, clock.monotonicMs(), random.fraction());
      return { kind: 'vote', term, candidate: uuid, position, releasedTerm };
    });
  }

  /** What it would stand with. */
  preVote(releasedTerm: number): VoteRequest {
    const { election, storage, random, clock } = this.#options;
    const term = this.nextTerm();
    election.begin({ kind: 'pre-vote', term }, clock.monotonicMs(), random.fraction());
    const { position } = storage.report();
    return { kind: 'pre-vote', term, candidate: this.seat.uuid, position, releasedTerm };
  }

  nextTerm(): number {
    const { election, storage } = this.#options;
    const { promisedTerm, position } = storage.report();
    return Math.max(election.term, promisedTerm, storage.seenTerm(), position.term) + 1;
  }

  async becomeSound(): Promise<void> {
    await this.#options.raft.save({ soundIncarnation: this.seat.incarnation });
  }

  async #grant(request: VoteRequest): Promise<boolean> {
    const { election, storage, raft, onChange } = this.#options;
    const { term, candidate } = request;
    if (!this.#isFit(request)) return false;
    election.observe(term);
    onChange();
    const { promisedTerm, position } = await storage.promise(term);
    if (promisedTerm > term || election.term > term) return false;
    if (comparePositions(request.position, position) < 0) return false;
    await raft.save({ term, votedFor: candidate });
    return true;
  }

  #isFit(request: VoteRequest): boolean {
    const { election, storage, raft } = this.#options;
    const { term, votedFor } = raft.record;
    const voter = {
      position: storage.report().position,
      votedFor: term === request.term ? (votedFor ?? undefined) : undefined,
    };
    const isOver = request.term < storage.report().promisedTerm || request.term < term;
    return !isOver && election.judge(request, voter, this.now()).isGranted;
  }

  #answer(isGranted: boolean): VoteAnswer {
    return { ...this.ballot(), isGranted, term: this.#options.election.term };
  }

  /** The log has everything that was acknowledged with its help, whatever it may have lost before. */
  #isCaughtUp({ term, seat, acknowledged }: HeartbeatRequest): boolean {
    const { position } = this.#options.storage.report();
    const knowsThisLog = seat !== undefined && sameSeat(seat, this.seat);
    return (
      knowsThisLog &&
      this.#options.storage.progress().isComplete &&
      isReached(position, { term, sequence: acknowledged.sequence }) &&
      acknowledged.term === term
    );
  }
}

/** In the same term: then both are places in the log of one leader. */
function isReached(position: Position, goal: Position): boolean {
  return position.term === goal.term && position.sequence >= goal.sequence;
}
