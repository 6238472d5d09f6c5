/**
 * Who leads: for the storage of this instance, for its router, and for those who ask it to promise or to hand over.
 *
 * It chooses the engine that the config asks for, and replaces it as a whole when mode, state provider, lease time or
 * replica set change (FO-09), or when a set becomes too small for mode `raft` (FO-90). Without one, before the first config, nobody leads.
 */
import { z } from 'zod';
import { type StateProviderConfig, type Topology, uuidSchema } from '../contract/cluster-config.ts';
import type { InstanceIdentity } from '../contract/identity.ts';
import { type Issue, positionSchema } from '../contract/instance-status.ts';
import type { Seat } from '../contract/provider-records.ts';
import { ClusterError } from '../core/errors.ts';
import type { PromiseReport } from '../core/failover/candidate.ts';
import { effectiveMode, engineKey, type FailoverMode } from '../core/failover/effective-mode.ts';
import { comparePositions } from '../core/failover/seats.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Random } from '../foundation/random.ts';
import { TaskRegistry } from '../foundation/task-registry.ts';
import type { Disk } from '../ports/disk.ts';
import type { InSyncOutcome, Leadership, LeadershipPort } from '../ports/leadership.ts';
import type { LeaseRenewals } from '../ports/lease-renewals.ts';
import type { Membership } from '../ports/membership.ts';
import type { InternalHandler, InternalHandlers, Peers } from '../ports/peers.ts';
import type { StateProvider } from '../ports/state-provider.ts';
import { AutomaticChanges } from './automatic-changes.ts';
import { DisabledLeadership } from './disabled-leadership.ts';
import { EventualLeadership, type EventualLeadershipOptions } from './eventual-leadership.ts';
import { Exclusive } from './exclusive.ts';
import { ForcedPromotions } from './forced-promotions.ts';
import { type PrepareReport, type SeatReport, toldAppointmentSchema } from './handover-protocol.ts';
import type { HeldLease } from './held-report.ts';
import { InSyncFile } from './in-sync-file.ts';
import type { KnownLeader, LeadershipEngine } from './leadership-engine.ts';
import { grantEndSchema, grantRequestSchema, PeerLeaseGrants } from './peer-lease-grants.ts';
import type { GrantAnswer } from './peer-lease-holder.ts';
import { RaftFile } from './raft-file.ts';
import { RaftLeadership, type RaftLeadershipOptions } from './raft-leadership.ts';
import type { ReplicaSetStorage } from './replica-set-storage.ts';
import { StatefulLeadership } from './stateful-leadership.ts';
import { isProviderTrouble } from './stored-records.ts';

export interface FailoverServiceOptions {
  readonly identity: InstanceIdentity;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly disk: Disk;
  readonly peers: Peers;
  readonly storage: ReplicaSetStorage;
  /** Left out: never paused from outside. */
  readonly changes?: AutomaticChanges;
  /** What gossip tells; mode `eventual` needs it, and `raft` to know the leaders of other sets. */
  readonly membership?: Membership | undefined;
  /** A client of its own, with the cluster's prefix; this service closes it. */
  readonly openProvider: (config: StateProviderConfig) => StateProvider;
  /** What renews leases beside the main loop; left out: the main loop does it. */
  readonly openRenewals?: ((config: StateProviderConfig) => LeaseRenewals) | undefined;
  /** What the launcher must release if this process dies. */
  readonly onHeld: (held: readonly HeldLease[]) => void;
  /** A part of this service ended by a bug or a broken disk: the process must end. */
  readonly onFatal: (name: string, error: unknown) => void;
}

interface Running {
  readonly key: string;
  readonly engine: LeadershipEngine;
  readonly tasks: TaskRegistry;
  readonly provider: StateProvider | undefined;
  readonly ttlMs: number;
}

const RAFT_METHODS = ['leadership.vote', 'leadership.heartbeat', 'leadership.stand'] as const;

const promiseRequestSchema = z.strictObject({ replicaSetUuid: uuidSchema, term: z.int().min(1) });
const reportRequestSchema = z.strictObject({
  replicaSetUuid: uuidSchema,
  /** Answered only by one that can read the state provider: it is about to be handed leadership. */
  probe: z.boolean().default(false),
});
const appointedSchema = toldAppointmentSchema.extend({ replicaSetUuid: uuidSchema });
const prepareRequestSchema = z.strictObject({
  replicaSetUuid: uuidSchema,
  term: z.int().min(1),
  position: positionSchema,
});
const handoverRequestSchema = z.strictObject({
  replicaSetUuid: uuidSchema,
  to: uuidSchema.optional(),
  reason: z.string().max(200),
});

const takeRequestSchema = z.strictObject({
  replicaSetUuid: uuidSchema,
  from: uuidSchema,
  term: z.int().min(1),
  position: positionSchema,
  isBacked: z.boolean(),
});

export class FailoverService implements LeadershipPort {
  readonly #options: FailoverServiceOptions;
  readonly #configuring = new Exclusive();
  readonly #listeners = new Set<() => void>();
  readonly #leadersListeners = new Set<() => void>();
  readonly #grants: PeerLeaseGrants;
  #file: InSyncFile | undefined;
  #forced: ForcedPromotions | undefined;
  #raft: RaftFile | undefined;
  #replicaSetUuid: string | undefined;
  readonly #changes: AutomaticChanges;
  #running: Running | undefined;

  constructor(options: FailoverServiceOptions) {
    this.#options = options;
    this.#changes = options.changes ?? new AutomaticChanges(options);
    this.#grants = new PeerLeaseGrants(options);
  }

  async open(): Promise<void> {
    this.#file = await InSyncFile.open(this.#options.disk);
    this.#forced = await ForcedPromotions.open(this.#options.disk);
    this.#raft = await RaftFile.open(this.#options.disk);
    await this.#grants.open();
  }

  /** The config that is applied now. Resolves when the engine obeys it. */
  configure(topology: Topology): Promise<void> {
    return this.#configuring.run(async () => {
      const server = topology.servers[this.#options.identity.uuid];
      const own = server === undefined || server === 'expelled' ? undefined : server;
      const mode = effectiveMode(topology, own?.replicaset_uuid);
      const key = engineKey(topology, mode, own?.replicaset_uuid);
      if (key !== this.#running?.key) {
        await this.#stop();
        this.#replicaSetUuid = own?.replicaset_uuid;
        // What is acknowledged in another mode need not be on a majority: all must vote when this one comes again.
        if (mode !== 'raft') await this.#raft?.save({ soundIncarnation: 0 });
        if (own !== undefined) this.#start(topology, own.replicaset_uuid, key);
      }
      await this.#running?.engine.configure(topology);
    });
  }

  current(): Leadership {
    const engine = this.#running?.engine;
    if (engine !== undefined) return engine.current();
    return { kind: 'none', term: 0, reason: 'this instance belongs to no replica set yet' };
  }

  leaderOf(replicaSetUuid: string): KnownLeader | undefined {
    return this.#running?.engine.leaderOf(replicaSetUuid);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Called when the leader of any replica set may have changed. */
  onLeadersChange(listener: () => void): () => void {
    this.#leadersListeners.add(listener);
    return () => this.#leadersListeners.delete(listener);
  }

  async proposeInSync(seats: readonly Seat[], reason: string): Promise<InSyncOutcome> {
    return (await this.#running?.engine.proposeInSync(seats, reason)) ?? 'lost';
  }

  /** Moves leadership of the own replica set away from this instance, with no write lost or in doubt. */
  async handover(target: string | undefined, reason: string): Promise<KnownLeader> {
    const engine = this.#running?.engine;
    if (engine === undefined) throw new ClusterError('CONFIG_MISSING');
    return engine.handover(target, reason);
  }

  issues(): readonly Issue[] {
    return [...(this.#running?.engine.issues() ?? []), ...(this.#forced?.issues() ?? [])];
  }

  handlers(): InternalHandlers {
    return new Map<string, InternalHandler>([
      ['leadership.promise', (body) => this.#promise(body)],
      ['leadership.grant', (body) => this.#grant(body)],
      ['leadership.endGrant', (body) => this.#endGrant(body)],
      ['leadership.report', (body) => this.#report(body)],
      ['leadership.prepare', (body) => this.#prepare(body)],
      ['leadership.handover', (body) => this.#handover(body)],
      ['leadership.take', (body) => this.#take(body)],
      ['leadership.appointed', (body) => this.#appointed(body)],
      ...RAFT_METHODS.map((method): [string, InternalHandler] => [
        method,
        (body) => this.#delegate(method, body),
      ]),
    ]);
  }

  /** While the internal server and the storage still run: a successor must be able to catch up. */
  async close(): Promise<void> {
    await this.#configuring.run(() => this.#stop());
  }

  #start(topology: Topology, replicaSetUuid: string, key: string): void {
    const { logger, openProvider, openRenewals, onFatal } = this.#options;
    const [file, forced, raft] = [this.#file, this.#forced, this.#raft];
    if (file === undefined || forced === undefined || raft === undefined) {
      throw new ClusterError('INTERNAL', { message: 'not opened' });
    }
    const { state_provider: config, fencing_ttl: ttl } = topology.failover;
    const mode = effectiveMode(topology, replicaSetUuid);
    const provider = mode === 'stateful' && config !== undefined ? openProvider(config) : undefined;
    const renewals = config && openRenewals?.(config);
    const tasks = new TaskRegistry(logger, onFatal);
    const ttlMs = ttl * 1000;
    const shared = {
      ...this.#options,
      replicaSetUuid,
      file,
      changes: this.#changes,
      forced,
      grants: this.#grants,
      onChange: () => notify(this.#listeners),
      onLeadersChange: () => notify(this.#leadersListeners),
    };
    const engine =
      provider === undefined
        ? this.#withoutProvider(mode, { ...shared, raft })
        : new StatefulLeadership({ ...shared, provider, renewals, ttlMs });
    this.#running = { key, engine, tasks, provider, ttlMs };
    tasks.run('leadership', (signal) => engine.run(signal));
    tasks.run('granted peer leases', (signal) => this.#grants.run(signal));
  }

  #withoutProvider(
    mode: FailoverMode,
    shared: Omit<EventualLeadershipOptions & RaftLeadershipOptions, 'membership'>,
  ): LeadershipEngine {
    const { membership } = this.#options;
    if (mode === 'raft') return new RaftLeadership({ ...shared, membership });
    if (mode !== 'eventual') return new DisabledLeadership(shared);
    if (membership !== undefined) return new EventualLeadership({ ...shared, membership });
    throw new ClusterError('INTERNAL', {
      message: 'mode eventual needs gossip, and there is none',
    });
  }

  async #stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    const { clock } = this.#options;
    const ended = new AbortController();
    // A state provider that does not answer must not keep a process from ending: its lease then runs out.
    const patience = clock.sleep(3 * running.ttlMs, ended.signal).catch(() => undefined);
    await Promise.race([running.engine.release(running.tasks.signal), patience]);
    ended.abort();
    this.#running = undefined;
    await running.tasks.close();
    await running.provider?.close();
    notify(this.#listeners);
    notify(this.#leadersListeners);
  }

  async #promise(body: unknown): Promise<PromiseReport> {
    const { replicaSetUuid, term } = parseBody(body, promiseRequestSchema);
    this.#assertOwn(replicaSetUuid);
    const engine = this.#running?.engine;
    if (engine === undefined) throw new ClusterError('STATE_FORBIDS');
    const { position, promisedTerm, logIncarnation } = await this.#grants.promise(
      async (grant) => (await engine.isGrantOver?.(grant)) ?? false,
      async () => {
        engine.promising(term);
        return this.#options.storage.promise(term);
      },
    );
    const last = this.#file?.last;
    return {
      position,
      promisedTerm,
      logIncarnation,
      ...(last === undefined
        ? {}
        : { lastInSync: { term: last.term, leader: last.leader, inSync: last.inSync } }),
    };
  }

  async #grant(body: unknown): Promise<GrantAnswer> {
    const { replicaSetUuid, ...request } = parseBody(body, grantRequestSchema);
    this.#assertOwn(replicaSetUuid);
    const answer = await this.#running?.engine.grant?.(request);
    return answer ?? { kind: 'refused', reason: 'it has no state provider' };
  }

  async #endGrant(body: unknown): Promise<Record<string, never>> {
    const { replicaSetUuid, ...end } = parseBody(body, grantEndSchema);
    this.#assertOwn(replicaSetUuid);
    await this.#grants.end(end);
    return {};
  }

  async #report(body: unknown): Promise<SeatReport> {
    const { replicaSetUuid, probe } = parseBody(body, reportRequestSchema);
    this.#assertOwn(replicaSetUuid);
    if (probe) await this.#running?.engine.probe?.();
    const { position, promisedTerm, logIncarnation } = this.#options.storage.report();
    const seat = { uuid: this.#options.identity.uuid, incarnation: logIncarnation };
    return { seat, position, promisedTerm };
  }

  /** A lease is prepared once this instance has all rows of the leader. */
  async #prepare(body: unknown): Promise<PrepareReport> {
    const { replicaSetUuid, term, position } = parseBody(body, prepareRequestSchema);
    const report = await this.#report({ replicaSetUuid });
    const isThere = comparePositions(report.position, position) >= 0 && report.promisedTerm < term;
    const lease = isThere ? this.#running?.engine.prepare?.(term) : undefined;
    return lease === undefined ? report : { ...report, lease };
  }

  async #handover(body: unknown): Promise<KnownLeader> {
    const { replicaSetUuid, to, reason } = parseBody(body, handoverRequestSchema);
    this.#assertOwn(replicaSetUuid);
    try {
      return await this.handover(to, reason);
    } catch (error) {
      if (!isProviderTrouble(error) || error instanceof ClusterError) throw error;
      throw new ClusterError('PROVIDER_UNAVAILABLE', {
        message: 'The state provider does not answer; leadership stays. Ask again when it does.',
        cause: error,
      });
    }
  }

  async #take(body: unknown): Promise<KnownLeader> {
    const { replicaSetUuid, ...request } = parseBody(body, takeRequestSchema);
    this.#assertOwn(replicaSetUuid);
    const taken = await this.#running?.engine.take?.(request);
    if (taken !== undefined) return taken;
    throw new ClusterError('STATE_FORBIDS', {
      message: 'The failover mode here gives leadership in another way.',
    });
  }

  async #appointed(body: unknown): Promise<Record<string, never>> {
    const { replicaSetUuid, ...told } = parseBody(body, appointedSchema);
    this.#assertOwn(replicaSetUuid);
    await this.#running?.engine.appointed?.(told);
    return {};
  }

  async #delegate(method: string, body: unknown): Promise<unknown> {
    const handle = this.#running?.engine.handlers?.().get(method);
    if (handle !== undefined) return handle(body);
    throw new ClusterError('STATE_FORBIDS', {
      message: 'This instance elects no leader now: failover is in another mode here.',
    });
  }

  #assertOwn(replicaSetUuid: string): void {
    if (replicaSetUuid === this.#replicaSetUuid) return;
    throw new ClusterError('NOT_FOUND', {
      message: `This instance belongs to replica set ${this.#replicaSetUuid ?? 'none'}, not to ${replicaSetUuid}.`,
      field: 'replicaSetUuid',
    });
  }
}

function notify(listeners: ReadonlySet<() => void>): void {
  for (const listener of listeners) listener();
}

function parseBody<T extends z.ZodType>(body: unknown, schema: T): z.infer<T> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ClusterError('REQUEST_INVALID', {
    message: issue?.message ?? '',
    field: issue?.path.join('.') ?? '',
  });
}
