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
import type { Issue } from '../contract/instance-status.ts';
import type { Seat } from '../contract/provider-records.ts';
import { ClusterError } from '../core/errors.ts';
import {
  chooseHeir,
  chooseSuccessor,
  type EventualLeader,
  isFollowed,
  type LeadershipPayload,
  type LeaderView,
  mayLead,
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
import type { AutomaticChanges } from './automatic-changes.ts';
import { EventualHandover } from './eventual-handover.ts';
import { eventualIssues } from './eventual-issues.ts';
import { EventualView } from './eventual-view.ts';
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
  readonly changes: AutomaticChanges;
  readonly onChange: () => void;
  readonly onLeadersChange: () => void;
}

const TICK_MS = 250;
const NOBODY: Leadership = { kind: 'none', term: 0, reason: 'nobody was heard yet' };

export class EventualLeadership implements LeadershipEngine {
  readonly #options: EventualLeadershipOptions;
  readonly #own: LocalTerm;
  readonly #view: EventualView;
  readonly #handover: EventualHandover;
  readonly #work = new Exclusive();
  readonly #wakeUp: WakeUp;
  readonly #stopListening: () => void;
  #topology: Topology | undefined;
  #told: Leadership = NOBODY;
  /** When the leadership of this instance ends, unless it sees a majority before. */
  #fencedAtMs = Number.POSITIVE_INFINITY;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  /** Since it leads, a majority has followed. */
  #isBacked = false;
  /** The term of the leader that was told of a higher promise. */
  #raisedFor = 0;
  #isTaking = false;
  #isLeaving = false;
  #isEvaluating = false;

  constructor(options: EventualLeadershipOptions) {
    this.#options = options;
    const { clock, membership } = options;
    this.#own = new LocalTerm({ ...options, onChange: () => this.#tell() });
    this.#handover = new EventualHandover(options);
    this.#wakeUp = new WakeUp(clock);
    this.#view = new EventualView({ ...options, ownUuid: options.identity.uuid });
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
    const followed = this.#view.followed;
    if (followed !== undefined) {
      return { kind: 'follower', term: followed.term, leader: followed.uuid };
    }
    return { kind: 'none', term: promisedTerm, reason: 'no instance says that it leads' };
  }

  leaderOf(replicaSetUuid: string): KnownLeader | undefined {
    return this.#view.leaderOf(replicaSetUuid);
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
  async take({ from, term, position, isBacked }: TakeRequest): Promise<KnownLeader> {
    const own = this.#options.storage.report().position;
    const { uuid } = this.#options.identity;
    const followed = this.#view.followed;
    const isFollower = followed?.uuid === from && followed.term === term;
    const may = isFollower && !this.#isLeaving && this.#seesEnough();
    if (!may || comparePositions(own, position) !== 0) {
      throw new ClusterError('STATE_FORBIDS', {
        message: `Instance ${uuid} cannot take over from ${from} in term ${term} now: it does not follow it, or lacks rows.`,
      });
    }
    await this.#lead(`handed over by ${from}`, { isBacked, isWanted: () => true });
    return { uuid, term: this.#own.led?.term ?? 0 };
  }

  issues(): readonly Issue[] {
    if (this.#own.led === undefined) return [];
    return eventualIssues({
      isFenced: this.current().kind !== 'leader',
      fences: this.#topology?.failover.fencing_enabled === true,
      members: this.#view.members,
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#evaluate();
      await this.#wakeUp.sleep(TICK_MS, signal);
    }
  }

  async release(): Promise<void> {
    this.#isLeaving = true;
    const heir = chooseHeir(this.#view.members, this.#asLeader);
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
      this.#view.read(topology, {
        // What it has told of itself may be older than what it knows.
        ...{ ...this.#standing(), isBacked: this.#isBacked, isReady: this.#isReady },
        position: this.#options.storage.report().position,
      });
      this.#look(topology);
      this.#decide();
      this.#publish(this.#isReady ? 'yes' : 'no');
      this.#tell();
      const current = this.current();
      const own = { uuid: this.#options.identity.uuid, term: current.term };
      const isNew = this.#view.setLeaders(current.kind === 'leader' ? own : undefined);
      if (isNew) this.#options.onLeadersChange();
    } finally {
      this.#isEvaluating = false;
    }
  }

  #decide(): void {
    const { identity, storage } = this.#options;
    const { led } = this.#own;
    this.#isBacked =
      led !== undefined && (this.#isBacked || isFollowed(this.#view.members, identity.uuid));
    this.#view.choose((this.#topology?.failover.failover_timeout ?? 0) * 1000);
    const { chosen } = this.#view;
    this.#note(chosen);
    if (led === undefined) {
      this.#takeOrFollow();
      return;
    }
    if (chosen?.reason === 'leads' && chosen.uuid !== identity.uuid) {
      this.#giveWay(`${chosen.uuid} leads in term ${chosen.term}`);
    } else if (!this.#view.members.some((one) => one.uuid === identity.uuid && mayLead(one))) {
      this.#giveBack({ isAskedFor: true });
      if (!this.#handover.isUnderWay) this.#giveWay('the config forbids that it leads');
    } else if (storage.seenTerm() > led.term) {
      // Rows of this term are refused by whoever has promised the higher one.
      this.#take('a higher term was promised');
    } else {
      this.#giveBack({ isAskedFor: false });
    }
  }

  #note(chosen: EventualLeader | undefined): void {
    const { changes, replicaSetUuid } = this.#options;
    if (chosen?.reason !== 'leads' || this.#topology === undefined) return;
    changes.seen(replicaSetUuid, chosen.uuid, this.#topology.failover);
  }

  #takeOrFollow(): void {
    const { chosen } = this.#view;
    const isChosen = chosen?.uuid === this.#options.identity.uuid;
    if (isChosen && chosen.reason !== 'none-ready') {
      if (this.#mayMove) this.#take('the first that is healthy');
    } else this.#tellPromise();
  }

  /**
   * A leader of a lower term than is promised here hears of it when it is asked for rows. Who has led in that term
   * itself asks for none, and could not follow: so it promises one more.
   */
  #tellPromise(): void {
    const { storage, logger } = this.#options;
    const followed = this.#view.followed;
    const { promisedTerm } = storage.report();
    if (followed === undefined || promisedTerm <= followed.term) return;
    if (this.#raisedFor === followed.term) return;
    this.#raisedFor = followed.term;
    storage.promise(promisedTerm + 1).catch((error: unknown) => {
      logger.warn({ error }, 'the promise could not be raised');
    });
  }

  get #isReady(): boolean {
    if (this.#isLeaving) return false;
    if (this.#own.led !== undefined) return true;
    const { followed, promisedTerm } = this.#options.storage.report();
    const term = this.#view.followed?.term ?? promisedTerm;
    // Once it follows in a later term, what it had of the one before says nothing any more.
    if (followed === undefined || followed.term !== term || promisedTerm !== term) return false;
    return followed.seats.some((seat) => sameSeat(seat, this.#own.ownSeat));
  }

  #take(reason: string): void {
    if (this.#isTaking || !this.#seesEnough()) return;
    this.#isTaking = true;
    const isWanted = (): boolean => this.#view.chosen?.uuid === this.#options.identity.uuid;
    this.#lead(reason, { isBacked: this.#isBacked, isWanted })
      .catch((error: unknown) => this.#options.logger.warn({ error }, 'the term did not begin'))
      .finally(() => {
        this.#isTaking = false;
      });
  }

  #lead(
    reason: string,
    how: { readonly isBacked: boolean; readonly isWanted: () => boolean },
  ): Promise<void> {
    return this.#work.run(async () => {
      const { identity, storage, file, logger } = this.#options;
      const { promisedTerm, position } = storage.report();
      const known = this.#view.members.map(({ term }) => term);
      const highest = [promisedTerm, position.term, storage.seenTerm(), file.last?.term ?? 0];
      const term = nextTermOf(identity.uuid, Math.max(...highest, ...known));
      const may = (): boolean => !this.#isLeaving && how.isWanted();
      if (!may()) return;
      logger.info({ term, reason }, 'this instance takes leadership');
      this.#fencedAtMs = this.#nextFence();
      await this.#own.begin({ term, inSync: [this.#own.ownSeat] }, reason, may);
      this.#isBacked = how.isBacked;
      this.#evaluate();
    });
  }

  #giveWay(reason: string): void {
    this.#options.logger.warn({ reason }, 'leadership is given up');
    this.#own.end();
  }

  #giveBack({ isAskedFor }: { readonly isAskedFor: boolean }): void {
    if (!isAskedFor && !this.#mayMove) return;
    const successor = chooseSuccessor(this.#view.members, this.#asLeader);
    if (successor === undefined || !this.#handover.isDue) return;
    void this.#handOver(successor);
  }

  get #asLeader(): LeaderView {
    return { uuid: this.#options.identity.uuid, inSync: this.#own.led?.inSync ?? [] };
  }

  async #handOver(uuid: string): Promise<void> {
    const { led } = this.#own;
    const address = this.#topology && addressOf(this.#topology, uuid);
    if (led === undefined || address === undefined) return;
    const taken = await this.#handover.run({ uuid, address }, led.term, this.#isBacked);
    if (taken === undefined) return;
    // Gossip tells of it later.
    this.#view.follow(taken);
    if (this.#own.led?.term === led.term) this.#own.end();
    this.#evaluate();
  }

  get #mayMove(): boolean {
    const { changes, replicaSetUuid } = this.#options;
    return changes.allows(replicaSetUuid);
  }

  #seesEnough(): boolean {
    const fences = this.#topology?.failover.fencing_enabled === true;
    return !fences || seesMajority(this.#view.members, this.#options.identity.uuid);
  }

  /** Every `fencing_pause`: a majority in sight moves the deadline. */
  #look({ failover }: Topology): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (failover.fencing_enabled && nowMs < this.#lookedAtMs + failover.fencing_pause * 1000)
      return;
    this.#lookedAtMs = nowMs;
    const { led } = this.#own;
    const term = led?.term ?? 0;
    // Who comes back into sight may follow somebody else by now, of whom gossip tells later.
    const isOvertaken = this.#view.members.some((one) => one.isSeen && one.term > term);
    if (this.#seesEnough() && !isOvertaken) this.#fencedAtMs = this.#nextFence();
  }

  #nextFence(): number {
    const failover = this.#topology?.failover;
    if (failover?.fencing_enabled !== true) return Number.POSITIVE_INFINITY;
    return this.#options.clock.monotonicMs() + failover.fencing_timeout * 1000;
  }

  #publish(ready: 'yes' | 'no'): void {
    const { membership, storage } = this.#options;
    const { leader, term } = this.#standing();
    const isLost = ready === 'no' && leader === '';
    const payload: LeadershipPayload = {
      position: isLost ? renderPosition(storage.report().position) : '',
      ...{ ready, backed: this.#isBacked ? 'yes' : 'no', raft_term: `${term}` },
      // The last, so that nobody hears of a leader in another's term.
      leader_uuid: leader,
    };
    for (const [key, value] of Object.entries(payload)) membership.setPayload(key, value as string);
  }

  #standing(): { readonly leader: string; readonly term: number } {
    const current = this.current();
    const leader = current.kind === 'leader' ? this.#options.identity.uuid : '';
    return { leader: current.kind === 'follower' ? current.leader : leader, term: current.term };
  }

  #tell(): void {
    const now = this.current();
    if (JSON.stringify(now) === JSON.stringify(this.#told)) return;
    this.#told = now;
    this.#options.onChange();
  }
}
