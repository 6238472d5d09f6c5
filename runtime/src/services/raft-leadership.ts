/**
 * Leadership by election among the instances of the replica set, without a state provider.
 *
 * The rules are in `raft-election.ts`; here they meet clock, disk and peers. The leader asks all instances for their
 * vote to be kept for it, several times within an election timeout; who hears of no leader asks first whether it would
 * be elected (which disturbs nobody), then stands. A leader that learns of a higher promise gives way and stands again
 * at once, because who has promised that term cannot follow it any more.
 */
import type { Topology } from '../contract/cluster-config.ts';
import type { InstanceIdentity } from '../contract/identity.ts';
import type { Issue } from '../contract/instance-status.ts';
import { ClusterError } from '../core/errors.ts';
import { gossipedLeader } from '../core/failover/gossiped-leader.ts';
import { addressOf, leaderOrder } from '../core/failover/leader-order.ts';
import {
  type Ballot,
  type Election,
  RaftElection,
  type RaftTiming,
  raftTiming,
  type VoteRequest,
} from '../core/failover/raft-election.ts';
import { raftIssues } from '../core/failover/raft-issues.ts';
import {
  heartbeatAnswerSchema,
  heartbeatRequestSchema,
  standRequestSchema,
  voteAnswerSchema,
  voteRequestSchema,
} from '../core/failover/raft-messages.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Random } from '../foundation/random.ts';
import type { InSyncOutcome, Leadership } from '../ports/leadership.ts';
import type { Membership } from '../ports/membership.ts';
import type { InternalHandlers, Peers } from '../ports/peers.ts';
import type { KnownLeader, LeadershipEngine } from './leadership-engine.ts';
import type { RaftFile } from './raft-file.ts';
import { RaftHandover } from './raft-handover.ts';
import { RaftMember } from './raft-member.ts';
import type { ReplicaSetStorage } from './replica-set-storage.ts';
import { WakeUp } from './wake-up.ts';

export interface RaftLeadershipOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly peers: Peers;
  readonly identity: InstanceIdentity;
  readonly replicaSetUuid: string;
  readonly storage: ReplicaSetStorage;
  readonly raft: RaftFile;
  /** Tells the other replica sets who leads here. Left out: they are not told, and nothing is known of them. */
  readonly membership?: Membership | undefined;
  readonly onChange: () => void;
  readonly onLeadersChange: () => void;
}

export class RaftLeadership implements LeadershipEngine {
  readonly #options: RaftLeadershipOptions;
  readonly #election: RaftElection;
  readonly #member: RaftMember;
  readonly #handover: RaftHandover;
  readonly #closing = new AbortController();
  readonly #wakeUp: WakeUp;
  #topology: Topology | undefined;
  #timing: RaftTiming = raftTiming(0);
  /** What the storage was told last. */
  #told = '';
  #lastLeader: KnownLeader | undefined;
  #leaderlessSinceMs: number;
  /** The last term that this instance led, and whose lease it has laid down. */
  #releasedTerm = 0;
  /** A term for which the end of the log of a majority had been lost. */
  #termAfterLoss: number | undefined;
  #leaving = false;

  constructor(options: RaftLeadershipOptions) {
    this.#options = options;
    const { clock, random, identity, storage, raft } = options;
    this.#wakeUp = new WakeUp(clock);
    this.#leaderlessSinceMs = clock.monotonicMs();
    this.#election = new RaftElection(identity.uuid, this.#timing, {
      term: Math.max(storage.report().promisedTerm, raft.record.term),
      quietMs: raft.record.quietMs,
      nowMs: clock.monotonicMs(),
      fraction: random.fraction(),
    });
    const onChange = (): void => this.#changed();
    this.#member = new RaftMember({ ...options, election: this.#election, onChange });
    this.#handover = new RaftHandover({
      ...options,
      patienceMs: () => this.#timing.longestMs,
      seatOf: (uuid) => this.#election.seatOf(uuid),
      layDown: () => this.#layDown(this.#timing.longestMs),
      leader: () => this.#knownLeader(),
    });
  }

  current(): Leadership {
    const { role, term, leader } = this.#election;
    const promisedTerm = Math.max(term, this.#options.storage.report().promisedTerm);
    if (leader === undefined || promisedTerm > term) {
      return { kind: 'none', term: promisedTerm, reason: 'no leader is elected' };
    }
    if (role === 'follower') return { kind: 'follower', term, leader };
    return {
      ...{ kind: 'leader', term, ack: 'majority' },
      deadlineMs: this.#election.deadlineMs(this.#member.now()),
      inSync: this.#election.seats(this.#member.seat),
    };
  }

  leaderOf(replicaSetUuid: string): KnownLeader | undefined {
    // Who led last is asked as long as nobody else does [FO-93].
    if (replicaSetUuid === this.#options.replicaSetUuid) return this.#lastLeader;
    const { membership } = this.#options;
    if (membership === undefined || this.#topology === undefined) return undefined;
    return gossipedLeader(membership.entries(), this.#topology, replicaSetUuid);
  }

  async configure(topology: Topology): Promise<void> {
    this.#topology = topology;
    this.#timing = raftTiming(topology.failover.failover_timeout);
    const enabled = this.#members().filter(({ disabled }) => !disabled);
    this.#election.configure(
      enabled.map(({ uuid }) => uuid),
      this.#timing,
    );
    this.#changed();
    this.#wakeUp.wake();
  }

  /** Nobody is taken out: a majority is enough, whoever it is. */
  proposeInSync(): Promise<InSyncOutcome> {
    return Promise.resolve('lost');
  }

  promising(): void {
    throw new ClusterError('STATE_FORBIDS', {
      message: 'In failover mode "raft" the instances elect a leader; no coordinator may ask.',
    });
  }

  async handover(target: string | undefined, reason: string): Promise<KnownLeader> {
    if (this.#topology === undefined) throw new ClusterError('CONFIG_MISSING');
    const { role } = this.#election;
    const now = this.#member.now();
    if (role !== 'leader' || this.#election.deadlineMs(now) <= now.monotonicMs) {
      throw new ClusterError('NOT_LEADER');
    }
    this.#options.logger.info({ target, reason }, 'leadership is handed over');
    return this.#handover.run(this.#topology, target, this.#closing.signal);
  }

  issues(): readonly Issue[] {
    const { voters } = this.#election;
    const leaderlessMs = this.#options.clock.monotonicMs() - this.#leaderlessSinceMs;
    const isLeaderless = leaderlessMs > 2 * this.#timing.longestMs;
    const silent = isLeaderless ? this.#election.silent() : undefined;
    return raftIssues({ voters, silent, termAfterLoss: this.#termAfterLoss });
  }

  handlers(): InternalHandlers {
    return new Map([
      ['leadership.vote', (body) => this.#onVote(body)],
      ['leadership.heartbeat', (body) => this.#onHeartbeat(body)],
      ['leadership.stand', (body) => this.#onStand(body)],
    ]);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { membership, onLeadersChange } = this.#options;
    const stopListening = membership?.onChange(onLeadersChange);
    signal.addEventListener('abort', () => this.#closing.abort(stopListening?.()), { once: true });
    while (!signal.aborted) {
      const { monotonicMs } = this.#member.now();
      await (this.#election.role === 'leader' ? this.#leadOn() : this.#follow());
      const { heartbeatMs } = this.#timing;
      const untilMs = this.#election.role === 'leader' ? Infinity : this.#election.standAtMs;
      const restMs = Math.min(monotonicMs + heartbeatMs, untilMs) - this.#member.now().monotonicMs;
      await this.#wakeUp.sleep(Math.max(restMs, heartbeatMs / 20), signal);
    }
  }

  async release(): Promise<void> {
    this.#leaving = true;
    if (this.#election.role !== 'leader') return;
    await this.handover(undefined, 'the leader stops').catch((error: unknown) => {
      this.#options.logger.warn({ error }, 'leadership was not handed over');
    });
    this.#layDown(this.#timing.longestMs);
  }

  async #leadOn(): Promise<void> {
    const { storage, identity } = this.#options;
    const { term, voters } = this.#election;
    const seenTerm = storage.seenTerm();
    if (seenTerm > term) {
      this.#giveWay(seenTerm);
      return;
    }
    if (this.#election.due(this.#member.now(), false) === 'step-down') {
      this.#options.logger.warn({ term }, 'no majority was heard for long; leadership has ended');
      this.#layDown();
      return;
    }
    this.#beat();
    if (storage.progress().acknowledged.term === term) await this.#member.becomeSound();
    if (voters.includes(identity.uuid) || this.#leaving) return;
    await this.release();
    this.#leaving = false;
  }

  async #follow(): Promise<void> {
    const mayStand = this.#mayStand();
    if (this.#election.due(this.#member.now(), mayStand) !== 'stand') return;
    this.#ask(this.#member.preVote(this.#releasedTerm));
  }

  #mayStand(): boolean {
    const { identity, storage } = this.#options;
    const own = this.#members().find(({ uuid }) => uuid === identity.uuid);
    const isEligible = own?.electable === true && !own.disabled;
    return isEligible && !this.#leaving && storage.progress().isComplete;
  }

  async #stand(releasedTerm: number): Promise<void> {
    if (!this.#mayStand()) return;
    const request = await this.#member.stand(releasedTerm);
    if (request !== undefined) this.#ask(request);
  }

  #ask(request: VoteRequest): void {
    const { identity, replicaSetUuid, peers } = this.#options;
    this.#count(request, identity.uuid, this.#member.ballot());
    const options = { timeoutMs: this.#timing.shortestMs, signal: this.#closing.signal };
    for (const { uuid, address } of this.#peers()) {
      if (!this.#election.voters.includes(uuid)) continue;
      peers
        .call(address, 'leadership.vote', { ...request, replicaSetUuid }, options)
        .then((answer) => {
          const { term, ...ballot } = voteAnswerSchema.parse(answer);
          this.#observe(term);
          this.#count(request, uuid, ballot);
        })
        // Not reachable, or not in this mode yet: it does not vote.
        .catch((error: unknown) => this.#options.logger.debug({ error, uuid }, 'it did not vote'));
    }
  }

  #count(request: VoteRequest, uuid: string, ballot: Ballot): void {
    const election = this.#election.ballot(request, uuid, ballot);
    if (election.kind === 'open') return;
    if (request.kind === 'vote') this.#lead(request.term, election);
    else void this.#stand(request.releasedTerm).catch((error: unknown) => this.#failed(error));
  }

  #lead(term: number, election: Election & { readonly kind: 'won' }): void {
    this.#election.lead(this.#options.clock.monotonicMs());
    const hasLostEnd = election.by === 'all' && election.hasLostEnd;
    this.#termAfterLoss = hasLostEnd ? term : undefined;
    this.#options.logger.info({ term, by: election.by }, 'this instance was elected');
    this.#changed();
    this.#wakeUp.wake();
  }

  #beat(): void {
    const { identity, replicaSetUuid, peers, storage } = this.#options;
    const { term } = this.#election;
    const sent = this.#member.now();
    const { acknowledged } = storage.progress();
    const options = { timeoutMs: this.#timing.shortestMs, signal: this.#closing.signal };
    const quietMs = this.#timing.shortestMs;
    for (const { uuid, address } of this.#peers()) {
      const seat = this.#election.seatOf(uuid);
      const body = { replicaSetUuid, term, leader: identity.uuid, quietMs, acknowledged, seat };
      peers
        .call(address, 'leadership.heartbeat', body, options)
        .then((answer) => {
          const heard = heartbeatAnswerSchema.parse(answer);
          this.#observe(heard.term);
          if (!heard.isHeard || this.#election.role !== 'leader') return;
          if (this.#election.term !== term) return;
          this.#election.answered(heard.seat, sent, quietMs);
          this.#changed();
        })
        .catch((error: unknown) =>
          this.#options.logger.debug({ error, uuid }, 'a follower did not answer'),
        );
    }
  }

  #observe(term: number): void {
    if (term <= this.#election.term) return;
    if (this.#election.role === 'leader') {
      this.#giveWay(term);
    } else {
      this.#election.observe(term);
      this.#changed();
    }
  }

  /** A member that has promised a higher term follows no more: this instance leads it again in one that is higher. */
  #giveWay(seenTerm: number): void {
    const { random, logger } = this.#options;
    logger.warn({ term: this.#election.term, seenTerm }, 'a higher term was promised elsewhere');
    this.#layDown(random.fraction() * this.#timing.heartbeatMs, seenTerm);
  }

  /** Leads no more, and stands again after that time; gives the term that was led. */
  #layDown(standAgainMs?: number, seenTerm = 0): number | undefined {
    const { clock, random } = this.#options;
    const { role, term } = this.#election;
    if (role !== 'leader') return undefined;
    this.#election.stepDown(clock.monotonicMs(), random.fraction(), standAgainMs);
    this.#election.observe(seenTerm);
    this.#releasedTerm = term;
    this.#changed();
    this.#wakeUp.wake();
    return term;
  }

  async #onVote(body: unknown): Promise<unknown> {
    const { replicaSetUuid, ...request } = voteRequestSchema.parse(body);
    this.#requireOwn(replicaSetUuid);
    const { identity } = this.#options;
    if (!this.#election.voters.includes(identity.uuid)) {
      throw new ClusterError('STATE_FORBIDS', {
        message: 'This instance is disabled: it has no vote.',
      });
    }
    return this.#member.vote(request);
  }

  async #onHeartbeat(body: unknown): Promise<unknown> {
    const request = heartbeatRequestSchema.parse(body);
    this.#requireOwn(request.replicaSetUuid);
    return this.#member.heartbeat(request);
  }

  async #onStand(body: unknown): Promise<unknown> {
    const { replicaSetUuid, term } = standRequestSchema.parse(body);
    this.#requireOwn(replicaSetUuid);
    await this.#stand(term);
    return {};
  }

  #requireOwn(replicaSetUuid: string): void {
    if (replicaSetUuid === this.#options.replicaSetUuid) return;
    throw new ClusterError('REQUEST_INVALID', {
      field: 'replicaSetUuid',
      message: `This instance belongs to replica set ${this.#options.replicaSetUuid}.`,
    });
  }

  #members(): ReturnType<typeof leaderOrder> {
    const { replicaSetUuid } = this.#options;
    return this.#topology === undefined ? [] : leaderOrder(this.#topology, replicaSetUuid);
  }

  #peers(): readonly { readonly uuid: string; readonly address: string }[] {
    const topology = this.#topology;
    if (topology === undefined) return [];
    return this.#members().flatMap(({ uuid }) => {
      const address = addressOf(topology, uuid);
      return uuid === this.#options.identity.uuid || address === undefined
        ? []
        : [{ uuid, address }];
    });
  }

  #knownLeader(): KnownLeader | undefined {
    const { leader, term } = this.#election;
    return leader === undefined ? undefined : { uuid: leader, term };
  }

  /** Tells who must know, if anything is other than it was; not of the deadline, which only moves. */
  #changed(): void {
    const { onChange, onLeadersChange, membership, clock } = this.#options;
    const current = this.current();
    const told = JSON.stringify({ ...current, deadlineMs: null });
    const isLeaderless = current.kind === 'none';
    if (!isLeaderless) this.#leaderlessSinceMs = clock.monotonicMs();
    if (told === this.#told) return;
    this.#told = told;
    onChange();
    const known = this.#knownLeader();
    if (known === undefined || known.term === this.#lastLeader?.term) return;
    this.#lastLeader = known;
    membership?.setPayload('leader_uuid', known.uuid);
    membership?.setPayload('raft_term', String(known.term));
    onLeadersChange();
  }

  #failed(error: unknown): void {
    // A promise or a vote that could not be stored has stopped the storage; anything else is a bug.
    this.#options.logger.error({ error }, 'standing for election failed');
  }
}
