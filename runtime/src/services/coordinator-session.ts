/**
 * The rounds of one coordinator on one state provider: hold the lock, look, ask for promises, appoint.
 *
 * Each round starts from what it has just read. Nothing is written unless lock, leader and lease are as they were
 * read, in one transaction; so a coordinator that was stopped for any time does no harm when it wakes.
 */
import { z } from 'zod';
import type { Topology } from '../contract/cluster-config.ts';
import type { InstanceIdentity } from '../contract/identity.ts';
import { positionSchema } from '../contract/instance-status.ts';
import {
  type Appointment,
  appointmentSchema,
  identitySchema,
  type Lease,
  leaseSchema,
  providerKeys,
  seatSchema,
} from '../contract/provider-records.ts';
import { ClusterError } from '../core/errors.ts';
import {
  type Decision,
  type PromiseReport,
  planAppointments,
  type ReplicaSetSnapshot,
} from '../core/failover/appointments.ts';
import { addressOf, leaderOrder } from '../core/failover/leader-order.ts';
import { type Observation, observe, versionOf } from '../core/failover/lease-observer.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Random } from '../foundation/random.ts';
import type { Peers } from '../ports/peers.ts';
import type { ProviderListing, ProviderWrite, StateProvider } from '../ports/state-provider.ts';
import type { CoordinatorLockKeeper } from './coordinator-lock.ts';
import { isProviderTrouble, parseRecord } from './stored-records.ts';

export interface CoordinatorSessionOptions {
  readonly provider: StateProvider;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly peers: Peers;
  readonly identity: InstanceIdentity;
  readonly ttlMs: number;
  readonly lock: CoordinatorLockKeeper;
}

interface Stored<T> {
  readonly record: T;
  readonly revision: number;
}

interface View {
  readonly leaders: ReadonlyMap<string, Stored<Appointment>>;
  readonly leases: ReadonlyMap<string, Stored<Lease>>;
}

const promiseReportSchema = z.object({
  position: positionSchema,
  promisedTerm: z.int().min(0),
  logIncarnation: z.int().min(1),
  lastInSync: z
    .object({ term: z.int().min(1), leader: z.string(), inSync: z.array(seatSchema) })
    .optional(),
});
const statusSchema = z.object({ replicaSet: z.object({ promisedTerm: z.int() }).nullable() });

/** A refused promise names a higher term; so often it is asked for again within one round. */
const ASKINGS = 3;

export class CoordinatorSession {
  readonly #options: CoordinatorSessionOptions;
  readonly #observations = new Map<string, Observation>();
  readonly #highestPromise = new Map<string, number>();
  readonly #reasons = new Map<string, string>();
  #probedMs = Number.NEGATIVE_INFINITY;

  constructor(options: CoordinatorSessionOptions) {
    this.#options = options;
  }

  /** One round; throws what the provider throws. */
  async round(topology: Topology, signal: AbortSignal): Promise<void> {
    const { lock } = this.#options;
    await lock.ensure(signal);
    if (lock.compare() === undefined) return;
    const view = await this.#read(signal);
    if (!(await this.#identityFits(topology, view, signal))) return;
    await this.#probe(topology, signal);
    const uuids = Object.keys(topology.replicasets).sort();
    await Promise.all(uuids.map((uuid) => this.#decide(topology, view, uuid, signal)));
    await this.#forgetRemoved(topology, view, signal);
  }

  async #decide(topology: Topology, view: View, uuid: string, signal: AbortSignal): Promise<void> {
    let snapshot = this.#snapshot(topology, view, uuid);
    if (snapshot.members.length === 0) return;
    let decision = this.#plan(snapshot);
    for (let asking = 0; decision?.kind === 'ask' && asking < ASKINGS; asking++) {
      if (this.#options.lock.compare() === undefined) return;
      const { term } = decision;
      const reports = await this.#ask(topology, snapshot, term, signal);
      snapshot = {
        ...snapshot,
        highestPromise: this.#highestPromise.get(uuid) ?? 0,
        round: { term, reports },
      };
      decision = this.#plan(snapshot);
    }
    if (decision === undefined) return;
    this.#logChange(decision);
    if (decision.kind === 'appoint') await this.#appoint(decision, view, signal);
  }

  #plan(snapshot: ReplicaSetSnapshot): Decision | undefined {
    const { clock, ttlMs } = this.#options;
    return planAppointments({ ttlMs, replicaSets: [snapshot] }, clock.monotonicMs())[0];
  }

  #snapshot(topology: Topology, view: View, uuid: string): ReplicaSetSnapshot {
    const lease = view.leases.get(uuid);
    const appointment = view.leaders.get(uuid)?.record;
    const version = versionOf(lease?.record, lease?.revision ?? 0, appointment?.term);
    const nowMs = this.#options.clock.monotonicMs();
    const observation = observe(this.#observations.get(uuid), version, nowMs);
    this.#observations.set(uuid, observation);
    return {
      uuid,
      members: leaderOrder(topology, uuid),
      appointment,
      lease: lease?.record,
      observation,
      highestPromise: this.#highestPromise.get(uuid) ?? 0,
      round: undefined,
    };
  }

  async #read(signal: AbortSignal): Promise<View> {
    const { provider, ttlMs } = this.#options;
    const options = { timeoutMs: ttlMs / 3, signal };
    const [leaders, leases] = await Promise.all([
      provider.list(providerKeys.leaders, options),
      provider.list(providerKeys.leases, options),
    ]);
    return {
      leaders: byReplicaSet(leaders, providerKeys.leaders, appointmentSchema),
      leases: byReplicaSet(leases, providerKeys.leases, leaseSchema),
    };
  }

  /** Asks every instance of the set, and keeps the answers of those that answer in time. */
  async #ask(
    topology: Topology,
    set: ReplicaSetSnapshot,
    term: number,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, PromiseReport>> {
    const answers = await Promise.all(
      set.members.map(async ({ uuid }) => {
        const body = { replicaSetUuid: set.uuid, term };
        const report = await this.#call(topology, uuid, 'leadership.promise', body, signal).catch(
          (error: unknown) => {
            this.#learnRefusal(set.uuid, error);
            return undefined;
          },
        );
        const parsed = promiseReportSchema.safeParse(report);
        return parsed.success ? [[uuid, parsed.data] as const] : [];
      }),
    );
    return new Map(answers.flat());
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

  /** Now and then: has somebody promised a term that its leader does not know? Its rows would be refused for ever. */
  async #probe(topology: Topology, signal: AbortSignal): Promise<void> {
    const { clock, ttlMs } = this.#options;
    if (clock.monotonicMs() < this.#probedMs + ttlMs) return;
    this.#probedMs = clock.monotonicMs();
    const servers = Object.entries(topology.servers);
    await Promise.all(
      servers.map(async ([uuid, server]) => {
        if (server === 'expelled' || server.disabled) return;
        const answer = await this.#call(topology, uuid, 'status', {}, signal).catch(
          () => undefined,
        );
        const status = statusSchema.safeParse(answer);
        const promised = status.data?.replicaSet?.promisedTerm;
        if (promised !== undefined) this.#learnPromise(server.replicaset_uuid, promised);
      }),
    );
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
  ): Promise<void> {
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

  /** A provider that serves another cluster is left alone; one without identity gets it once all sets are known. */
  async #identityFits(topology: Topology, view: View, signal: AbortSignal): Promise<boolean> {
    const { provider, identity, ttlMs, logger } = this.#options;
    const entry = await provider.get(providerKeys.identity, { timeoutMs: ttlMs / 3, signal });
    if (entry !== undefined) {
      const fits = parseRecord(entry, identitySchema).clusterUuid === identity.clusterUuid;
      if (!fits) logger.error({}, 'the state provider is used by another cluster; nothing is done');
      return fits;
    }
    const known = Object.keys(topology.replicasets).every((uuid) => view.leaders.has(uuid));
    if (known) {
      const value = JSON.stringify({ v: 1, clusterUuid: identity.clusterUuid });
      const key = providerKeys.identity;
      await this.#transact([{ key, revision: 0 }], [{ kind: 'put', key, value }], signal);
    }
    return true;
  }

  async #forgetRemoved(topology: Topology, view: View, signal: AbortSignal): Promise<void> {
    const known = new Set([...view.leaders.keys(), ...view.leases.keys()]);
    const removed = [...known].filter((uuid) => topology.replicasets[uuid] === undefined);
    for (const uuid of removed) {
      this.#observations.delete(uuid);
      this.#highestPromise.delete(uuid);
      this.#reasons.delete(uuid);
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

function byReplicaSet<T extends z.ZodType>(
  listing: ProviderListing,
  prefix: string,
  schema: T,
): ReadonlyMap<string, Stored<z.infer<T>>> {
  return new Map(
    listing.entries.map((entry) => [
      entry.key.slice(prefix.length),
      { record: parseRecord(entry, schema), revision: entry.revision },
    ]),
  );
}
