/**
 * Leadership by appointment: a coordinator appoints in the state provider, the appointed holds a lease there.
 *
 * This instance leads from its first confirmed renewal until its deadline, for as long as no higher term is promised
 * or appointed. Not reading the provider ends nothing before the deadline, nor after it while all other in-sync members
 * have granted peer leases; losing a comparison ends it at once.
 */
import type { Topology } from '../contract/cluster-config.ts';
import type { InstanceIdentity } from '../contract/identity.ts';
import type { Issue } from '../contract/instance-status.ts';
import { providerKeys, type Seat } from '../contract/provider-records.ts';
import { ClusterError } from '../core/errors.ts';
import { leaderOrder } from '../core/failover/leader-order.ts';
import { renewalPeriodMs } from '../core/failover/lease-hold.ts';
import type { GivenGrant, GrantRequest } from '../core/failover/peer-lease.ts';
import { sameSeat } from '../core/failover/seats.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Random } from '../foundation/random.ts';
import type { InSyncOutcome, Leadership } from '../ports/leadership.ts';
import type { LeaseRenewals } from '../ports/lease-renewals.ts';
import type { Peers } from '../ports/peers.ts';
import type { StateProvider } from '../ports/state-provider.ts';
import type { ForcedPromotions } from './forced-promotions.ts';
import { HandoverProtocol } from './handover-protocol.ts';
import type { HeldLease } from './held-report.ts';
import type { InSyncFile } from './in-sync-file.ts';
import { InSyncKeeper } from './in-sync-keeper.ts';
import { LeaderMap, type StoredAppointment } from './leader-map.ts';
import type { KnownLeader, LeadershipEngine, ToldAppointment } from './leadership-engine.ts';
import { LeaseKeeper, type PreparedLease } from './lease-keeper.ts';
import { PeerLeaseGrantor } from './peer-lease-grantor.ts';
import type { PeerLeaseGrants } from './peer-lease-grants.ts';
import { type GrantAnswer, PeerLeaseHolder } from './peer-lease-holder.ts';
import type { ReplicaSetStorage } from './replica-set-storage.ts';
import { isProviderTrouble } from './stored-records.ts';
import { WakeUp } from './wake-up.ts';

export interface StatefulLeadershipOptions {
  readonly provider: StateProvider;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly peers: Peers;
  readonly identity: InstanceIdentity;
  readonly replicaSetUuid: string;
  readonly ttlMs: number;
  readonly storage: ReplicaSetStorage;
  readonly file: InSyncFile;
  readonly forced: ForcedPromotions;
  readonly grants: PeerLeaseGrants;
  /** Renews the lease beside the main loop; left out: the main loop does it. */
  readonly renewals?: LeaseRenewals | undefined;
  readonly onChange: () => void;
  readonly onLeadersChange: () => void;
  readonly onHeld: (held: readonly HeldLease[]) => void;
}

export class StatefulLeadership implements LeadershipEngine {
  readonly #options: StatefulLeadershipOptions;
  readonly #leaders: LeaderMap;
  readonly #lease: LeaseKeeper;
  readonly #inSync: InSyncKeeper;
  readonly #peerLeases: PeerLeaseHolder;
  readonly #grantor: PeerLeaseGrantor;
  readonly #handover: HandoverProtocol;
  readonly #closing = new AbortController();
  readonly #wakeUp: WakeUp;
  #topology: Topology | undefined;
  /** Promised since this process started; the storage knows the rest. */
  #promised = 0;
  #leaving = false;

  constructor(options: StatefulLeadershipOptions) {
    this.#options = options;
    const { provider, clock, logger, replicaSetUuid, ttlMs, onChange } = options;
    this.#wakeUp = new WakeUp(clock);
    this.#leaders = new LeaderMap({
      ...{ provider, clock, logger, timeoutMs: Math.max(ttlMs / 3, 500) },
      onChange: (uuids) => this.#leadersChanged(uuids),
    });
    this.#lease = new LeaseKeeper({
      ...options,
      onChange: () => this.#leaseChanged(),
      onRenewalsFailed: () => this.#wakeUp.wake(),
    });
    this.#inSync = new InSyncKeeper({
      ...{ provider, clock, replicaSetUuid, onChange },
      timeoutMs: ttlMs / 3,
      selfUuid: options.identity.uuid,
      signal: this.#closing.signal,
      persist: (appointment) => options.file.store(appointment),
      persisted: () => options.file.last,
      heldTerm: () => this.#lease.term,
      onLost: (stored) => this.#lost(stored),
      onStored: (stored) => this.#leaders.set(replicaSetUuid, stored),
    });
    this.#peerLeases = new PeerLeaseHolder({
      ...options,
      standing: () => this.#lease.standing,
      seats: (term) => this.#inSync.seats(term),
      topology: () => this.#topology,
    });
    this.#grantor = new PeerLeaseGrantor({
      ...options,
      appointment: () => this.#known(),
      promisedTerm: () => this.#promisedTerm(),
    });
    this.#handover = new HandoverProtocol({
      ...options,
      leaders: this.#leaders,
      lease: this.#lease,
      inSync: this.#inSync,
    });
  }

  current(): Leadership {
    const known = this.#known();
    if (known === undefined) {
      const reason = this.#leaders.trouble ?? 'no leader was appointed yet';
      return { kind: 'none', term: this.#promisedTerm(), reason };
    }
    const { term, leader } = known;
    // Also with a higher promise: what it asks the leader for then tells that leader to give way.
    if (leader !== this.#options.identity.uuid) return { kind: 'follower', term, leader };
    if (this.#promisedTerm() > term) {
      return { kind: 'none', term: this.#promisedTerm(), reason: 'a higher term was promised' };
    }
    const inSync = this.#inSync.seats(term);
    const deadlineMs = this.#deadlineMs(term);
    if (this.#lease.term !== term || inSync === undefined || !Number.isFinite(deadlineMs)) {
      return { kind: 'none', term, reason: 'the lease is not held' };
    }
    const byPeerLeases = deadlineMs > this.#lease.deadlineMs();
    return { kind: 'leader', term, deadlineMs, inSync, ...(byPeerLeases && { byPeerLeases }) };
  }

  leaderOf(replicaSetUuid: string): KnownLeader | undefined {
    const stored = this.#leaders.get(replicaSetUuid);
    return stored && { uuid: stored.appointment.leader, term: stored.appointment.term };
  }

  async configure(topology: Topology): Promise<void> {
    this.#topology = topology;
    this.#wakeUp.wake();
  }

  async proposeInSync(seats: readonly Seat[], reason: string): Promise<InSyncOutcome> {
    // A change would not be stored, and until its outcome is known a new seat counts: that may not grant anything.
    if (this.#standsOnPeers()) {
      const { clock, ttlMs } = this.#options;
      await clock.sleep(ttlMs / 3, this.#closing.signal).catch(() => undefined);
      if (this.#standsOnPeers()) return 'unknown';
    }
    return this.#inSync.propose(seats, reason);
  }

  async grant(request: GrantRequest): Promise<GrantAnswer> {
    return this.#grantor.answer(request, this.#closing.signal);
  }

  async isGrantOver(grant: GivenGrant): Promise<boolean> {
    return this.#grantor.isOver(grant, this.#closing.signal);
  }

  promising(term: number): void {
    const held = this.#lease.term;
    if (held !== undefined && held >= term) {
      throw new ClusterError('STALE_TERM', {
        message: `This instance leads term ${held}, it cannot promise term ${term}.`,
        details: { promisedTerm: held },
      });
    }
    if (held !== undefined) this.#refuseOnPeerLeases(held);
    if (term <= this.#promised) return;
    this.#promised = term;
    this.#lease.drop(`term ${term} was promised`);
    this.#options.onChange();
  }

  async handover(target: string | undefined, reason: string): Promise<KnownLeader> {
    if (this.#topology === undefined) throw new ClusterError('CONFIG_MISSING');
    if (this.#peerLeases.isInTrouble) {
      throw new ClusterError('STATE_FORBIDS', {
        message: 'The state provider does not answer, so leadership cannot be moved; it stays.',
      });
    }
    return this.#handover.run(this.#topology, { target, reason, signal: this.#closing.signal });
  }

  async probe(): Promise<void> {
    const { provider, replicaSetUuid, ttlMs } = this.#options;
    const options = { timeoutMs: ttlMs / 6, signal: this.#closing.signal };
    await provider.get(providerKeys.lease(replicaSetUuid), options);
  }

  prepare(term: number): PreparedLease {
    if (this.#leaving || this.#lease.term !== undefined) {
      throw new ClusterError('STATE_FORBIDS', {
        message: 'This instance takes no leadership now.',
      });
    }
    return this.#lease.prepare(term);
  }

  async appointed({ appointment, place, nonce }: ToldAppointment): Promise<void> {
    const { provider, replicaSetUuid } = this.#options;
    const revision = await provider.revisionAt(place);
    this.#leaders.set(replicaSetUuid, { appointment, revision });
    if (this.#ownAppointment()?.appointment.term !== appointment.term) return;
    this.#lease.takePrepared(appointment.term, nonce, revision);
  }

  issues(): readonly Issue[] {
    const issues: Issue[] = [];
    const { trouble } = this.#leaders;
    const stored = this.#leaders.get(this.#options.replicaSetUuid);
    if (trouble !== undefined) {
      const message = `The appointments cannot be read: ${trouble}`;
      issues.push({ level: 'warning', topic: 'failover', message });
    }
    if (this.#standsOnPeers()) {
      const message = `The state provider does not answer; writes of replica set ${this.#options.replicaSetUuid} go on by peer leases. While it is away, an in-sync member that fails stops them.`;
      issues.push({ level: 'warning', topic: 'failover', message });
    }
    if (stored?.appointment.reason === 'all-seats-lost') {
      const message = `In term ${stored.appointment.term} every in-sync member had lost the end of its log. The longest log leads; writes of the last moments before may be missing.`;
      issues.push({ level: 'critical', topic: 'failover', message });
    }
    return issues;
  }

  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#closing.abort(), { once: true });
    await Promise.all([
      this.#leaders.run(signal),
      this.#keepLease(signal),
      this.#peerLeases.run(signal),
    ]);
    await this.#lease.recall();
  }

  async release(signal: AbortSignal): Promise<void> {
    this.#leaving = true;
    if (this.current().kind === 'leader') {
      await this.handover(undefined, 'the leader stops').catch((error: unknown) => {
        this.#options.logger.warn({ error }, 'leadership was not handed over');
      });
    }
    await this.#lease.release(signal);
  }

  async #keepLease(signal: AbortSignal): Promise<void> {
    const { clock, ttlMs, logger } = this.#options;
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs();
      try {
        await this.#leaveWhenForbidden(signal);
        await this.#giveWay(signal);
        await this.#takeOrRenew(signal);
        this.#lease.forgetPrepared();
      } catch (error) {
        if (!isProviderTrouble(error)) throw error;
        logger.warn({ error }, 'the lease could not be renewed; trying again');
      }
      const nextMs = Math.min(startedMs + renewalPeriodMs(ttlMs), this.#lease.lateAtMs);
      const restMs = nextMs - clock.monotonicMs();
      // At least a little, so that a provider that fails at once is not flooded.
      await this.#wakeUp.sleep(Math.max(restMs, ttlMs / 30), signal);
    }
  }

  async #takeOrRenew(signal: AbortSignal): Promise<void> {
    const stored = this.#ownAppointment();
    if (stored === undefined) return this.#lease.recall();
    const { term } = stored.appointment;
    // While it leaves, an instance still renews what it holds.
    const may = (): boolean =>
      (!this.#leaving || this.#lease.term === term) &&
      this.#ownAppointment()?.appointment.term === term;
    await this.#inSync.follow(stored);
    if (may() && this.#lease.permit(term)) return;
    await this.#lease.exclusive(async () => {
      if (may()) await this.#lease.takeOrRenew(term, may, signal);
      if (may()) await this.#lease.delegate();
    });
  }

  /** The appointment of this process, if it may act on it. */
  #ownAppointment(): StoredAppointment | undefined {
    const { identity, replicaSetUuid } = this.#options;
    const stored = this.#leaders.get(replicaSetUuid);
    if (stored?.appointment.leader !== identity.uuid) return undefined;
    const { term, inSync } = stored.appointment;
    const own = { uuid: identity.uuid, incarnation: identity.logIncarnation };
    // Between its appointment and now the end of its log may have been lost.
    const seated = inSync.some((seat) => sameSeat(seat, own));
    const highest = Math.max(this.#promisedTerm(), this.#options.storage.seenTerm());
    return seated && highest <= term ? stored : undefined;
  }

  /** A member that has promised a higher term follows no more: only an appointment in a higher one brings it back. */
  async #giveWay(signal: AbortSignal): Promise<void> {
    const { storage, logger } = this.#options;
    const term = this.#lease.term;
    const seenTerm = storage.seenTerm();
    if (term === undefined || seenTerm <= term) return;
    logger.warn({ term, seenTerm }, 'a higher term was promised elsewhere; leadership is given up');
    await this.#lease.release(signal);
    // Whoever appoints learns of it here, even if it cannot reach those who promised it first.
    await storage.promise(seenTerm);
  }

  /** An instance that may not lead any more hands over, or at least lets go. */
  async #leaveWhenForbidden(signal: AbortSignal): Promise<void> {
    const { replicaSetUuid, identity } = this.#options;
    if (this.#topology === undefined || this.#lease.term === undefined) return;
    const own = leaderOrder(this.#topology, replicaSetUuid).find(
      ({ uuid }) => uuid === identity.uuid,
    );
    if (own !== undefined && !own.disabled) return;
    await this.release(signal);
    this.#leaving = false;
  }

  #leadersChanged(uuids: readonly string[]): void {
    const { replicaSetUuid, onLeadersChange, onChange, file, forced, logger } = this.#options;
    if (uuids.includes(replicaSetUuid)) {
      const stored = this.#leaders.get(replicaSetUuid);
      const held = this.#lease.term;
      // Without its appointment the hold would never be renewed, nor end, and would refuse promises for ever.
      if (held !== undefined && stored?.appointment.term !== held) {
        this.#lease.drop(`the appointment is that of term ${stored?.appointment.term ?? 'none'}`);
      }
      if (stored !== undefined && stored.appointment.leader !== this.#options.identity.uuid) {
        file.store(stored.appointment).catch((error: unknown) => {
          logger.error({ error }, 'the in-sync members could not be stored');
        });
      }
      if (stored !== undefined) {
        forced.learn(stored.appointment).catch((error: unknown) => {
          logger.error({ error }, 'a forced promotion could not be recorded');
        });
      }
      onChange();
      this.#wakeUp.wake();
    }
    onLeadersChange();
  }

  /** What was heard last; after a start without the state provider, what was heard before. */
  #known(): { readonly term: number; readonly leader: string } | undefined {
    const { replicaSetUuid, file, identity } = this.#options;
    const stored = this.#leaders.get(replicaSetUuid)?.appointment;
    if (stored !== undefined || this.#leaders.trouble === undefined) return stored;
    return file.last?.leader === identity.uuid ? undefined : file.last;
  }

  #leaseChanged(): void {
    this.#peerLeases.wake();
    this.#options.onChange();
  }

  /** By its record alone, else by the grants of the others. */
  #deadlineMs(term: number): number {
    const deadlineMs = this.#lease.deadlineMs();
    if (deadlineMs > this.#options.clock.monotonicMs()) return deadlineMs;
    return Math.max(deadlineMs, this.#peerLeases.deadlineMs(term));
  }

  #standsOnPeers(): boolean {
    const { term } = this.#lease;
    return term !== undefined && this.#peerLeases.isStanding(term);
  }

  /** Those who have granted rely on it that the leader promises nothing either. */
  #refuseOnPeerLeases(term: number): void {
    const { clock } = this.#options;
    const remainingMs = Math.ceil(this.#peerLeases.noPromiseUntilMs(term) - clock.monotonicMs());
    if (remainingMs <= 0) return;
    throw new ClusterError('PEER_LEASE_HELD', {
      message: `This instance leads term ${term} by peer leases, for ${remainingMs} ms more.`,
      details: { remainingMs },
    });
  }

  #lost(stored: StoredAppointment | undefined): void {
    this.#lease.drop('another appointment was found');
    if (stored !== undefined) this.#leaders.set(this.#options.replicaSetUuid, stored);
  }

  #promisedTerm(): number {
    return Math.max(this.#promised, this.#options.storage.report().promisedTerm);
  }
}
