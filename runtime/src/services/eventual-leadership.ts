/**
 * Leadership by membership: each instance decides by itself, from what gossip has told it (FO-26 to FO-29).
 *
 * Two may lead at once while gossip disagrees: this mode promises no more than that they agree in the end, that no two
 * use a term for different rows, and that a leader which gives way loses no row to a peer that it reaches. Writes are
 * acknowledged by the leader alone. Whoever loses an argument follows, and its rows that nobody else has are kept in
 * `lost/`. With fencing, a leader that sees no majority of its replica set lets its own deadline pass (FO-80).
 */
import type { Topology } from '../contract/cluster-config.ts';
import type { InstanceIdentity } from '../contract/identity.ts';
import type { Issue, Position } from '../contract/instance-status.ts';
import type { Seat } from '../contract/provider-records.ts';
import { ClusterError } from '../core/errors.ts';
import {
  chooseEventualLeader,
  chooseHeir,
  chooseLongestLog,
  chooseSuccessor,
  type EventualLeader,
  type EventualMember,
  FENCED_FROM,
  mayLead,
  readMembers,
  renderPosition,
  seesMajority,
} from '../core/failover/eventual-leader.ts';
import { nextTermOf } from '../core/failover/eventual-term.ts';
import { addressOf } from '../core/failover/leader-order.ts';
import { comparePositions, sameSeat } from '../core/failover/seats.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { InSyncOutcome, Leadership } from '../ports/leadership.ts';
import type { Membership } from '../ports/membership.ts';
import type { Peers } from '../ports/peers.ts';
import { EventualHandover } from './eventual-handover.ts';
import { Exclusive } from './exclusive.ts';
import type { InSyncFile } from './in-sync-file.ts';
import type { KnownLeader, LeadershipEngine, TakeRequest } from './leadership-engine.ts';
import { LocalTerm } from './local-term.ts';
import type { ReplicaSetStorage } from './replica-set-storage.ts';
import { WakeUp } from './wake-up.ts';

export interface EventualLeadershipOptions {
  readonly membership: Membership;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly peers: Peers;
  readonly identity: InstanceIdentity;
  readonly replicaSetUuid: string;
  readonly storage: ReplicaSetStorage;
  readonly file: InSyncFile;
  /** While true nothing is decided anew (FO-60). */
  readonly isPaused: () => boolean;
  readonly onChange: () => void;
  readonly onLeadersChange: () => void;
}

const TICK_MS = 250;
const NOBODY: Leadership = { kind: 'none', term: 0, reason: 'nobody was heard yet' };

export class EventualLeadership implements LeadershipEngine {
  readonly #options: EventualLeadershipOptions;
  readonly #own: LocalTerm;
  readonly #handover: EventualHandover;
  readonly #work = new Exclusive();
  readonly #wakeUp: WakeUp;
  readonly #stopListening: () => void;
  #topology: Topology | undefined;
  #members: readonly EventualMember[] = [];
  #leaders: ReadonlyMap<string, KnownLeader> = new Map();
  /** Of the own replica set, as this instance judges; itself too. */
  #chosen: EventualLeader | undefined;
  /** To whom this instance has just handed over; gossip tells of it later. */
  #yielded: KnownLeader | undefined;
  #told: Leadership = NOBODY;
  #leaderlessSinceMs: number;
  /** When the leadership of this instance ends, unless it sees a majority before. */
  #fencedAtMs = Number.POSITIVE_INFINITY;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #isTaking = false;
  #isLeaving = false;
  #isEvaluating = false;

  constructor(options: EventualLeadershipOptions) {
    this.#options = options;
    const { clock, membership } = options;
    this.#own = new LocalTerm({ ...options, onChange: () => this.#tell() });
    this.#handover = new EventualHandover(options);
    this.#wakeUp = new WakeUp(clock);
    this.#leaderlessSinceMs = clock.monotonicMs();
    this.#stopListening = membership.onChange(() => this.#evaluate());
    this.#publish('no');
  }

  current(): Leadership {
    const { led } = this.#own;
    const deadlineMs = this.#fencedAtMs;
    if (led !== undefined && this.#options.clock.monotonicMs() < deadlineMs) {
      return { kind: 'leader', ...led, deadlineMs, ack: 'local' };
    }
    const { promisedTerm } = this.#options.storage.report();
    if (led !== undefined) {
      const reason = 'this instance sees no majority of its replica set';
      return { kind: 'none', term: promisedTerm, reason };
    }
    const followed = this.#followed();
    if (followed !== undefined) {
      return { kind: 'follower', term: followed.term, leader: followed.uuid };
    }
    return { kind: 'none', term: promisedTerm, reason: 'no instance says that it leads' };
  }

  leaderOf(replicaSetUuid: string): KnownLeader | undefined {
    return this.#leaders.get(replicaSetUuid);
  }

  async configure(topology: Topology): Promise<void> {
    this.#topology = topology;
    this.#evaluate();
  }

  proposeInSync(seats: readonly Seat[], reason: string): Promise<InSyncOutcome> {
    return this.#own.proposeInSync(seats, reason);
  }

  promising(): void {
    throw new ClusterError('STATE_FORBIDS', {
      message: 'Failover is eventual here: instances decide by themselves, and no coordinator.',
    });
  }

  handover(): Promise<KnownLeader> {
    throw new ClusterError('STATE_FORBIDS', {
      message:
        'Failover is eventual: put the wanted leader first in the failover priority of its replica set, and it takes over when it has all rows.',
    });
  }

  /** The leader has frozen its rows and gives leadership to this instance. */
  async take({ from, term, position }: TakeRequest): Promise<KnownLeader> {
    const own = this.#options.storage.report().position;
    const { uuid } = this.#options.identity;
    const followed = this.#followed();
    const isFollower = followed?.uuid === from && followed.term === term;
    const may = isFollower && !this.#isLeaving && this.#seesEnough();
    if (!may || comparePositions(own, position) !== 0) {
      throw new ClusterError('STATE_FORBIDS', {
        message: `Instance ${uuid} cannot take over from ${from} in term ${term} now: it does not follow it, or lacks rows.`,
      });
    }
    await this.#lead(`handed over by ${from}`, () => true);
    return { uuid, term: this.#own.led?.term ?? 0 };
  }

  issues(): readonly Issue[] {
    const { led } = this.#own;
    if (led === undefined) return [];
    const issue = (level: Issue['level'], message: string): Issue => {
      return { level, topic: 'failover', message };
    };
    const local =
      'With failover mode eventual a write is acknowledged by the leader alone, and two instances may lead for a while: rows can be lost. Use mode stateful or raft where that matters.';
    const issues = [issue('warning', local)];
    if (this.current().kind !== 'leader') {
      const message =
        'This leader sees no majority of its replica set and accepts no writes until it does (fencing).';
      issues.push(issue('critical', message));
    }
    const enabled = this.#members.filter(({ disabled }) => !disabled).length;
    if (this.#topology?.failover.fencing_enabled === true && enabled < FENCED_FROM) {
      const message = `Fencing is enabled, but has no effect in this replica set: it has ${enabled} enabled instances, and needs ${FENCED_FROM}.`;
      issues.push(issue('warning', message));
    }
    return issues;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#evaluate();
      await this.#wakeUp.sleep(TICK_MS, signal);
    }
  }

  async release(): Promise<void> {
    this.#isLeaving = true;
    const heir = chooseHeir(this.#members, this.#options.identity.uuid);
    if (heir !== undefined && this.current().kind === 'leader') await this.#handOver(heir);
    await this.#work.run(async () => this.#own.end());
    this.#stopListening();
    this.#publish('no');
    this.#tell();
  }

  /** All that follows from what is known now; called after each change of gossip, in the same tick. */
  #evaluate(): void {
    const topology = this.#topology;
    // What it tells by gossip calls it again.
    if (topology === undefined || this.#isLeaving || this.#isEvaluating) return;
    this.#isEvaluating = true;
    try {
      const { membership, replicaSetUuid } = this.#options;
      const entries = new Map(membership.entries().map((entry) => [entry.uri, entry]));
      const views = Object.keys(topology.replicasets).map(
        (uuid) => [uuid, readMembers(topology, uuid, entries)] as const,
      );
      this.#members = this.#withOwn(views.find(([uuid]) => uuid === replicaSetUuid)?.[1] ?? []);
      this.#look(topology);
      if (!this.#options.isPaused()) this.#decide();
      this.#publish(this.#isReady ? 'yes' : 'no');
      this.#tell();
      this.#setLeaders(views);
    } finally {
      this.#isEvaluating = false;
    }
  }

  /** What it has told of itself may be older than what it knows. */
  #withOwn(members: readonly EventualMember[]): readonly EventualMember[] {
    const { identity, storage } = this.#options;
    const current = this.current();
    const followed = this.#followed();
    const leader = current.kind === 'leader' ? identity.uuid : (followed?.uuid ?? '');
    const own = {
      ...{ leader, term: current.kind === 'leader' ? current.term : (followed?.term ?? 0) },
      ...{ isReady: this.#isReady, position: storage.report().position },
    };
    return members.map((member) =>
      member.uuid === identity.uuid ? { ...member, ...own } : member,
    );
  }

  #decide(): void {
    const { identity, storage } = this.#options;
    const { led } = this.#own;
    this.#chosen = this.#choose();
    if (led === undefined) {
      if (this.#chosen?.uuid === identity.uuid && this.#chosen.reason !== 'none-ready') {
        this.#take('the first that is healthy');
      }
      return;
    }
    if (this.#chosen?.reason === 'leads' && this.#chosen.uuid !== identity.uuid) {
      this.#giveWay(`${this.#chosen.uuid} leads in term ${this.#chosen.term}`);
    } else if (!this.#members.some((one) => one.uuid === identity.uuid && mayLead(one))) {
      this.#giveBack();
      if (!this.#handover.isUnderWay) this.#giveWay('the config forbids that it leads');
    } else if (storage.seenTerm() > led.term) {
      // Rows of this term are refused by whoever has promised the higher one.
      this.#take('a higher term was promised');
    } else {
      this.#giveBack();
    }
  }

  /** The rule of all, and for a set without any leader the longest log. */
  #choose(): EventualLeader | undefined {
    const nowMs = this.#options.clock.monotonicMs();
    const chosen = chooseEventualLeader(this.#members);
    if (chosen?.reason !== 'none-ready') {
      this.#leaderlessSinceMs = nowMs;
      return chosen;
    }
    const patienceMs = (this.#topology?.failover.failover_timeout ?? 0) * 1000;
    const longest = chooseLongestLog(this.#members, nowMs < this.#leaderlessSinceMs + patienceMs);
    return longest === undefined ? chosen : { uuid: longest, term: 0, reason: 'longest-log' };
  }

  /** Whom this instance follows, and in which term: what it was told by gossip, or by its own handover. */
  #followed(): KnownLeader | undefined {
    const chosen = this.#chosen;
    if (chosen === undefined || chosen.uuid === this.#options.identity.uuid) return undefined;
    if (chosen.reason === 'leads') return { uuid: chosen.uuid, term: chosen.term };
    return this.#yielded?.uuid === chosen.uuid ? this.#yielded : undefined;
  }

  get #isReady(): boolean {
    if (this.#isLeaving) return false;
    if (this.#own.led !== undefined) return true;
    const { followed, promisedTerm } = this.#options.storage.report();
    const term = this.#followed()?.term ?? promisedTerm;
    // Once it follows in a later term, what it had of the one before says nothing any more.
    if (followed === undefined || followed.term !== term || promisedTerm !== term) return false;
    return followed.seats.some((seat) => sameSeat(seat, this.#own.ownSeat));
  }

  #take(reason: string): void {
    if (this.#isTaking || !this.#seesEnough()) return;
    this.#isTaking = true;
    const isWanted = (): boolean => this.#chosen?.uuid === this.#options.identity.uuid;
    this.#lead(reason, isWanted)
      .catch((error: unknown) => this.#options.logger.warn({ error }, 'the term did not begin'))
      .finally(() => {
        this.#isTaking = false;
      });
  }

  #lead(reason: string, isWanted: () => boolean): Promise<void> {
    return this.#work.run(async () => {
      const { identity, storage, file, logger } = this.#options;
      const { promisedTerm, position } = storage.report();
      const known = this.#members.map(({ term }) => term);
      const highest = [promisedTerm, position.term, storage.seenTerm(), file.last?.term ?? 0];
      const term = nextTermOf(identity.uuid, Math.max(...highest, ...known));
      const may = (): boolean => !this.#isLeaving && isWanted();
      if (!may()) return;
      logger.info({ term, reason }, 'this instance takes leadership');
      this.#fencedAtMs = this.#nextFence();
      await this.#own.begin({ term, inSync: [this.#own.ownSeat] }, reason, may);
      this.#evaluate();
    });
  }

  #giveWay(reason: string): void {
    this.#options.logger.warn({ reason }, 'leadership is given up');
    this.#own.end();
  }

  #giveBack(): void {
    const successor = chooseSuccessor(this.#members, this.#options.identity.uuid);
    if (successor === undefined || !this.#handover.isDue) return;
    void this.#handOver(successor);
  }

  async #handOver(uuid: string): Promise<void> {
    const { led } = this.#own;
    const address = this.#topology && addressOf(this.#topology, uuid);
    if (led === undefined || address === undefined) return;
    const taken = await this.#handover.run({ uuid, address }, led.term);
    if (taken === undefined) return;
    this.#yielded = taken;
    if (this.#own.led?.term === led.term) this.#own.end();
    this.#evaluate();
  }

  #seesEnough(): boolean {
    const fences = this.#topology?.failover.fencing_enabled === true;
    return !fences || seesMajority(this.#members, this.#options.identity.uuid);
  }

  /** Every `fencing_pause`: a majority in sight moves the deadline. */
  #look({ failover }: Topology): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (failover.fencing_enabled && nowMs < this.#lookedAtMs + failover.fencing_pause * 1000)
      return;
    this.#lookedAtMs = nowMs;
    if (this.#seesEnough()) this.#fencedAtMs = this.#nextFence();
  }

  #nextFence(): number {
    const failover = this.#topology?.failover;
    if (failover?.fencing_enabled !== true) return Number.POSITIVE_INFINITY;
    return this.#options.clock.monotonicMs() + failover.fencing_timeout * 1000;
  }

  #publish(ready: 'yes' | 'no'): void {
    const { membership, storage, identity } = this.#options;
    const current = this.current();
    const leader = current.kind === 'leader' ? identity.uuid : (this.#followed()?.uuid ?? '');
    const term = current.kind === 'none' ? 0 : current.term;
    const position: Position | undefined =
      ready === 'no' && leader === '' ? storage.report().position : undefined;
    membership.setPayload('position', position === undefined ? '' : renderPosition(position));
    membership.setPayload('ready', ready);
    membership.setPayload('raft_term', `${term}`);
    membership.setPayload('leader_uuid', leader);
  }

  #tell(): void {
    const now = this.current();
    if (JSON.stringify(now) === JSON.stringify(this.#told)) return;
    this.#told = now;
    this.#options.onChange();
  }

  #setLeaders(views: readonly (readonly [string, readonly EventualMember[]])[]): void {
    const { replicaSetUuid } = this.#options;
    const leaders = views.flatMap(([uuid, members]): (readonly [string, KnownLeader])[] => {
      const chosen = uuid === replicaSetUuid ? this.#ownLeader() : chooseEventualLeader(members);
      return chosen === undefined ? [] : [[uuid, { uuid: chosen.uuid, term: chosen.term }]];
    });
    const before = JSON.stringify([...this.#leaders]);
    this.#leaders = new Map(leaders);
    if (before !== JSON.stringify(leaders)) this.#options.onLeadersChange();
  }

  #ownLeader(): KnownLeader | undefined {
    const current = this.current();
    if (current.kind === 'leader') {
      return { uuid: this.#options.identity.uuid, term: current.term };
    }
    return this.#followed() ?? this.#chosen;
  }
}
