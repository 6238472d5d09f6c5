/**
 * The rounds of one coordinator on one state provider: hold the lock, look, ask for promises, appoint.
 *
 * Each round starts from what it has just read. Nothing is written unless lock, leader and lease are as they were
 * read, in one transaction; so a coordinator that was stopped for any time does no harm when it wakes.
 */
import type { StateProviderConfig, Topology } from '../contract/cluster-config.ts';
import type { InstanceIdentity } from '../contract/identity.ts';
import type { Issue } from '../contract/instance-status.ts';
import { type Lease, leaseSchema, providerKeys } from '../contract/provider-records.ts';
import { ClusterError } from '../core/errors.ts';
import {
  type Decision,
  planAppointments,
  type ReplicaSetSnapshot,
} from '../core/failover/appointments.ts';
import type { PromiseReport } from '../core/failover/candidate.ts';
import { type Standing, standings } from '../core/failover/candidate-order.ts';
import type { Health } from '../core/failover/instance-health.ts';
import { type Lapses, NO_LAPSES, noteLapse } from '../core/failover/lapses.ts';
import { addressOf, candidateOf, leaderOrder } from '../core/failover/leader-order.ts';
import {
  judgeRecord,
  OBSERVER_PATIENCE,
  type Observation,
  observe,
  versionOf,
} from '../core/failover/lease-observer.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Random } from '../foundation/random.ts';
import type { Peers } from '../ports/peers.ts';
import type { ProviderChange, ProviderWrite, StateProvider } from '../ports/state-provider.ts';
import type { AutomaticChanges } from './automatic-changes.ts';
import type { CoordinatorLockKeeper } from './coordinator-lock.ts';
import { type Outcome, outcomeOf } from './coordinator-outcome.ts';
import { promiseReportSchema, readView, type View } from './coordinator-view.ts';
import { InstanceProbes } from './instance-probes.ts';
import type { KnownLeader } from './leadership-engine.ts';
import { ManualPromotions, type PromotionRequest } from './manual-promotions.ts';
import { ProviderOwner } from './provider-owner.ts';
import { isProviderTrouble, parseRecord } from './stored-records.ts';
import { VoluntaryHandovers } from './voluntary-handovers.ts';
import { within } from './within.ts';

export interface CoordinatorSessionOptions {
  readonly provider: StateProvider;
  /** Of the provider. */
  readonly config: StateProviderConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly peers: Peers;
  readonly identity: InstanceIdentity;
  readonly ttlMs: number;
  readonly lock: CoordinatorLockKeeper;
  readonly changes: AutomaticChanges;
  readonly cookieHash: string | undefined;
  /** A full round has something to look at. */
  readonly onUnhealthy: () => void;
}

/** A lease record, and since when this instance has seen it as it is. */
interface Observed {
  readonly revision: number;
  readonly observation: Observation;
}

/** A refused promise names a higher term; so often it is asked for again within one round. */
const ASKINGS = 3;

export class CoordinatorSession {
  readonly #options: CoordinatorSessionOptions;
  readonly #observed = new Map<string, Observed>();
  readonly #highestPromise = new Map<string, number>();
  readonly #lapses = new Map<string, Lapses>();
  readonly #reasons = new Map<string, string>();
  readonly #probes: InstanceProbes;
  readonly #handovers: VoluntaryHandovers;
  readonly #promotions: ManualPromotions;
  readonly #owner: ProviderOwner;
  #failoverTimeoutMs = 0;
  /** In the last round the state provider did not answer. */
  #hasMissed = false;

  constructor(options: CoordinatorSessionOptions) {
    this.#options = options;
    this.#probes = new InstanceProbes({
      ...options,
      onPromise: (uuid, term) => this.#learnPromise(uuid, term),
    });
    this.#handovers = new VoluntaryHandovers({
      ...options,
      healthOf: (uuid) => this.#healthOf(uuid),
    });
    this.#promotions = new ManualPromotions(options);
    this.#owner = new ProviderOwner({
      ...options,
      transact: (...written) => this.#transact(...written),
    });
  }

  /** Done by the next rounds; rejects with the reason why it cannot be done. */
  promote(request: PromotionRequest): Promise<KnownLeader> {
    return this.#promotions.ask(request);
  }

  issues(): readonly Issue[] {
    return this.#owner.issues();
  }

  /** Nothing that was asked for is done any more. */
  close(): void {
    this.#promotions.close(new ClusterError('NO_COORDINATOR'));
  }

  /**
   * One round; throws what the provider throws. When not full it only keeps the lock. True when there is nothing to do
   * until a lease expires or something else happens.
   */
  async round(topology: Topology, isFull: boolean, signal: AbortSignal): Promise<boolean> {
    const { lock, identity: own } = this.#options;
    const wasActive = lock.compare() !== undefined;
    let hasMissed = this.#hasMissed;
    this.#hasMissed = true;
    await lock.ensure(signal);
    // Its own record that could not be renewed is not waited for.
    if (lock.compare() === undefined && lock.holder === own.uuid) {
      hasMissed = true;
      await lock.ensure(signal);
    }
    this.#goOn(hasMissed);
    if (lock.compare() === undefined) this.close();
    if (lock.compare() === undefined || (wasActive && !isFull)) return true;
    const view = await readView(this.#options, signal);
    if (!(await this.#owner.isUs(topology, view, signal))) return true;
    this.#failoverTimeoutMs = topology.failover.failover_timeout * 1000;
    this.#probes.start(topology, signal);
    const uuids = Object.keys(topology.replicasets).sort();
    const outcomes = await Promise.all(
      uuids.map((uuid) => this.#decide(topology, view, uuid, signal)),
    );
    const led = outcomes.flatMap((outcome) => outcome.led ?? []);
    const isMoving = this.#handovers.consider(topology, led, signal);
    await this.#forgetRemoved(topology, view, signal);
    return !isMoving && outcomes.every(({ isQuiet }) => isQuiet);
  }

  /**
   * A renewal counts from when it is heard of, not from the next round. Older news than a round has read is none. Who
   * waits for the lock hears of them too: a record that is then read as it was heard of has not changed since.
   */
  seen(changes: readonly ProviderChange[]): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const { key, value, revision } of changes) {
      const uuid = key.slice(providerKeys.leases.length);
      const known = this.#observed.get(uuid);
      if (value === null || (known?.revision ?? 0) >= revision) continue;
      const { nonce } = parseRecord({ key, value, revision }, leaseSchema);
      const version = versionOf({ nonce }, revision);
      this.#observed.set(uuid, {
        revision,
        observation: observe(known?.observation, version, nowMs),
      });
    }
  }

  /** Until the first lease expires that is not renewed; not above 0 when one has. */
  untilExpiryMs(nowMs: number): number {
    const patienceMs = OBSERVER_PATIENCE * this.#options.ttlMs;
    const since = [...this.#observed.values()].map(({ observation }) => observation.sinceMs);
    return Math.min(...since) + patienceMs - nowMs;
  }

  async #decide(
    topology: Topology,
    view: View,
    uuid: string,
    signal: AbortSignal,
  ): Promise<Outcome> {
    let snapshot = this.#snapshot(topology, view, uuid);
    if (snapshot.members.length === 0) return { isQuiet: true };
    const { changes } = this.#options;
    if (changes.leavesAlone(snapshot, topology.failover)) return { isQuiet: changes.isPaused };
    let decision = this.#plan(snapshot);
    for (let asking = 0; decision?.kind === 'ask' && asking < ASKINGS; asking++) {
      if (this.#options.lock.compare() === undefined) return { isQuiet: false };
      const { term } = decision;
      const reports = await this.#ask(topology, snapshot, term, signal);
      snapshot = {
        ...snapshot,
        standings: this.#standings(topology, view, snapshot),
        highestPromise: this.#highestPromise.get(uuid) ?? 0,
        round: { term, reports },
      };
      decision = this.#plan(snapshot);
    }
    if (decision === undefined) return { isQuiet: true };
    this.#logChange(decision);
    const isApplied = decision.kind === 'appoint' && (await this.#appoint(decision, view, signal));
    this.#promotions.decided({ topology, set: snapshot, decision, isApplied }, signal);
    return outcomeOf(snapshot, decision, this.#promotions.wishFor(uuid) !== undefined);
  }

  #standings(
    topology: Topology,
    view: View,
    { uuid, members }: ReplicaSetSnapshot,
  ): ReadonlyMap<string, Standing> {
    const leaders = [...view.leaders].flatMap(([other, { record }]) =>
      other === uuid ? [] : (candidateOf(topology, record.leader) ?? []),
    );
    const healthOf = (member: string): Health => this.#healthOf(member);
    return standings(members, healthOf, topology.failover, leaders);
  }

  #healthOf(uuid: string): Health {
    return this.#probes.healthOf(uuid, this.#failoverTimeoutMs);
  }

  #plan(snapshot: ReplicaSetSnapshot): Decision | undefined {
    const { clock, ttlMs } = this.#options;
    return planAppointments({ ttlMs, replicaSets: [snapshot] }, clock.monotonicMs())[0];
  }

  /** Nobody could renew a lease while the provider did not answer: holders get the time to do so now. */
  #goOn(hasMissed: boolean): void {
    this.#hasMissed = false;
    if (hasMissed) this.#observed.clear();
  }

  #snapshot(topology: Topology, view: View, uuid: string): ReplicaSetSnapshot {
    const { record: lease, revision = 0 } = view.leases.get(uuid) ?? {};
    const appointment = view.leaders.get(uuid)?.record;
    const version = versionOf(lease, revision, appointment?.term);
    const { clock, ttlMs } = this.#options;
    const nowMs = clock.monotonicMs();
    const observation = observe(this.#observed.get(uuid)?.observation, version, nowMs);
    this.#observed.set(uuid, { revision, observation });
    const verdict = judgeRecord(observation, lease, ttlMs, nowMs);
    const known = this.#lapses.get(uuid) ?? NO_LAPSES;
    const lapses = noteLapse(known, { appointment, lease }, verdict);
    this.#lapses.set(uuid, lapses);
    return {
      uuid,
      members: leaderOrder(topology, uuid),
      wish: this.#promotions.wishFor(uuid),
      acknowledged: this.#probes.acknowledged(uuid),
      ...{ appointment, lease, observation, lapses },
      highestPromise: this.#highestPromise.get(uuid) ?? 0,
      round: undefined,
    };
  }

  /**
   * Asks every instance of the set, and keeps the answers of those that answer in time. A leader whose lease is void is
   * not waited for much longer than for the others: it is mostly frozen, and it is missed as if it were dead.
   */
  async #ask(
    topology: Topology,
    set: ReplicaSetSnapshot,
    term: number,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, PromiseReport>> {
    const { clock, ttlMs } = this.#options;
    const answers = new Map<string, PromiseReport>();
    const body = { replicaSetUuid: set.uuid, term };
    const ask = async ({ uuid }: { readonly uuid: string }): Promise<void> => {
      const report = await this.#call(topology, uuid, 'leadership.promise', body, signal).catch(
        (error: unknown) => this.#learnRefusal(set.uuid, error),
      );
      const parsed = promiseReportSchema.safeParse(report);
      if (parsed.success) answers.set(uuid, parsed.data);
    };
    const isVoid =
      judgeRecord(set.observation, set.lease, ttlMs, clock.monotonicMs()).kind !== 'held';
    const former = isVoid ? set.appointment?.leader : undefined;
    const asked = set.members.filter(({ uuid }) => uuid === former).map(ask);
    await Promise.all(set.members.filter(({ uuid }) => uuid !== former).map(ask));
    await within(clock, ttlMs / 40, Promise.all(asked));
    return new Map(answers);
  }

  #learnRefusal(replicaSetUuid: string, error: unknown): void {
    if (!(error instanceof ClusterError) || error.code !== 'STALE_TERM') return;
    const promised = error.details?.['promisedTerm'];
    if (typeof promised === 'number') this.#learnPromise(replicaSetUuid, promised);
  }

  #learnPromise(replicaSetUuid: string, term: number): void {
    const known = this.#highestPromise.get(replicaSetUuid) ?? 0;
    this.#highestPromise.set(replicaSetUuid, Math.max(known, term));
  }

  async #call(
    topology: Topology,
    uuid: string,
    method: string,
    ...[body, signal]: readonly [unknown, AbortSignal]
  ): Promise<unknown> {
    const address = addressOf(topology, uuid);
    if (address === undefined) return undefined;
    const timeoutMs = Math.min(this.#options.ttlMs / 4, 1000);
    return this.#options.peers.call(address, method, body, { timeoutMs, signal });
  }

  async #appoint(
    decision: Extract<Decision, { kind: 'appoint' }>,
    view: View,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { random, logger } = this.#options;
    const { appointment, replicaSetUuid: uuid } = decision;
    const lease: Lease = {
      ...{ v: 1, term: appointment.term, holder: appointment.leader, incarnation: 0 },
      nonce: random.uuid(),
      released: false,
    };
    const applied = await this.#transact(
      [
        { key: providerKeys.leader(uuid), revision: view.leaders.get(uuid)?.revision ?? 0 },
        { key: providerKeys.lease(uuid), revision: view.leases.get(uuid)?.revision ?? 0 },
      ],
      [
        { kind: 'put', key: providerKeys.leader(uuid), value: JSON.stringify(appointment) },
        { kind: 'put', key: providerKeys.lease(uuid), value: JSON.stringify(lease) },
      ],
      signal,
    );
    const fields = { replicaSetUuid: uuid, ...appointment };
    if (applied) logger.info(fields, 'a leader was appointed');
    else logger.info(fields, 'an appointment was not stored; looking again');
    if (applied && decision.reason === 'new-leader-selected') {
      this.#handovers.appointed(uuid, appointment.term);
    }
    return applied;
  }

  /** Compares the lock too; false when nothing is known to have happened. */
  async #transact(
    compare: readonly { readonly key: string; readonly revision: number }[],
    writes: readonly ProviderWrite[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const lock = this.#options.lock.compare();
    if (lock === undefined) return false;
    const options = { timeoutMs: this.#options.ttlMs / 3, signal };
    try {
      const outcome = await this.#options.provider.transact(
        { compare: [lock, ...compare], writes },
        options,
      );
      return outcome.kind === 'applied';
    } catch (error) {
      if (isProviderTrouble(error)) return false;
      throw error;
    }
  }

  async #forgetRemoved(topology: Topology, view: View, signal: AbortSignal): Promise<void> {
    for (const uuid of this.#observed.keys()) {
      if (topology.replicasets[uuid] === undefined) this.#observed.delete(uuid);
    }
    const known = new Set([...view.leaders.keys(), ...view.leases.keys()]);
    const removed = [...known].filter((uuid) => topology.replicasets[uuid] === undefined);
    for (const uuid of removed) {
      this.#observed.delete(uuid);
      this.#highestPromise.delete(uuid);
      this.#lapses.delete(uuid);
      this.#reasons.delete(uuid);
      this.#handovers.forget(uuid);
      await this.#transact(
        [],
        [
          { kind: 'delete', key: providerKeys.leader(uuid) },
          { kind: 'delete', key: providerKeys.lease(uuid) },
        ],
        signal,
      );
    }
  }

  #logChange(decision: Decision): void {
    const { replicaSetUuid, reason } = decision;
    if (this.#reasons.get(replicaSetUuid) === reason) return;
    this.#reasons.set(replicaSetUuid, reason);
    this.#options.logger.info({ replicaSetUuid, reason }, 'a decision about a leader');
  }
}
