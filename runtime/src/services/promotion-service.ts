/**
 * Manual promotion, from any instance (FO-56): a leader that is alive is asked to hand over; where there is none, the
 * active coordinator is asked to appoint. Then it waits until the promoted instance takes writes.
 *
 * All that is asked for is checked before anything is done.
 */
import { z } from 'zod';
import type { Topology } from '../contract/cluster-config.ts';
import { type InstanceStatus, instanceStatusSchema } from '../contract/instance-status.ts';
import { ClusterError } from '../core/errors.ts';
import { checkPromotion, type WantedLeader } from '../core/failover/check-promotion.ts';
import { addressOf } from '../core/failover/leader-order.ts';
import type { Clock } from '../foundation/clock.ts';
import { PeerError, type Peers } from '../ports/peers.ts';
import { CoordinatorSearch } from './coordinator-search.ts';
import type { KnownLeader } from './leadership-engine.ts';
import { type WritableAnswer, writableAnswerSchema } from './writable-since.ts';

export interface Force {
  /** What was called, for the record. */
  readonly command: string;
  readonly stopped: readonly string[];
}

export interface PromoteRequest {
  readonly leaders: readonly WantedLeader[];
  /** Acknowledged writes may be given up (`forced-appointment.ts`). */
  readonly force?: Force | undefined;
}

export interface Promotion {
  readonly replicaSetUuid: string;
  readonly uuid: string;
  readonly term: number;
  /** From the last moment in which the old leader took writes; where it was dead, from when this was asked for. */
  readonly withoutWritesMs: number;
}

export interface PromotionServiceOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly peers: Peers;
  readonly topology: () => Topology;
  readonly leaderOf: (replicaSetUuid: string) => { readonly uuid: string } | undefined;
}

const STATUS_TIMEOUT_MS = 1000;
/** Longer than a handover may take. */
const HANDOVER_TIMEOUT_MS = 15_000;
const WRITABLE_LIMIT_MS = 4000;
const POLL_MS = 10;

const leaderSchema = z.object({ uuid: z.string(), term: z.int() });

export class PromotionService {
  readonly #options: PromotionServiceOptions;
  readonly #coordinators: CoordinatorSearch;

  constructor(options: PromotionServiceOptions) {
    this.#options = options;
    this.#coordinators = new CoordinatorSearch(options);
  }

  /** In the order of the request; rejects with the first that failed, when all have come to an end. */
  async promote({ leaders, force }: PromoteRequest): Promise<readonly Promotion[]> {
    const topology = this.#options.topology();
    refuseMode(topology, force);
    for (const wanted of leaders) checkPromotion(topology, wanted);
    const outcomes = await Promise.allSettled(
      leaders.map((wanted) => this.#promote(topology, wanted, force)),
    );
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw describePartly(failed.reason, leaders, outcomes);
    return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  }

  async #promote(
    topology: Topology,
    wanted: WantedLeader,
    force: Force | undefined,
  ): Promise<Promotion> {
    const { clock, leaderOf } = this.#options;
    const { replicaSetUuid, to } = wanted;
    const askedMs = clock.monotonicMs();
    const old = await this.#livingLeader(topology, leaderOf(replicaSetUuid)?.uuid);
    if (old !== undefined && old.uuid === to) {
      const term = old.replicaSet?.term ?? 0;
      return { replicaSetUuid, uuid: old.uuid, term, withoutWritesMs: 0 };
    }
    const leader =
      old === undefined
        ? await this.#appoint(topology, wanted, force)
        : await this.#handOver(topology, old, to, replicaSetUuid);
    const sinceMs = await this.#writableSince(topology, leader);
    const beforeMs = old === undefined ? askedMs : await this.#refusedSince(topology, old.uuid);
    const withoutWritesMs = Math.max(0, Math.round(sinceMs - (beforeMs ?? askedMs)));
    return { replicaSetUuid, uuid: leader.uuid, term: leader.term, withoutWritesMs };
  }

  get #reason(): string {
    return `asked through ${this.#options.name}`;
  }

  /** Undefined when nobody says that it leads: an instance that does not answer may be dead. */
  async #livingLeader(
    topology: Topology,
    uuid: string | undefined,
  ): Promise<InstanceStatus | undefined> {
    if (uuid === undefined) return undefined;
    const answer = await this.#ask(topology, uuid, 'status', STATUS_TIMEOUT_MS);
    const { data } = instanceStatusSchema.safeParse(answer);
    return data?.replicaSet?.writable === true ? data : undefined;
  }

  #appoint(
    topology: Topology,
    wanted: WantedLeader,
    force: Force | undefined,
  ): Promise<KnownLeader> {
    const { mode } = topology.failover;
    if (mode !== 'stateful') {
      throw new ClusterError('NO_LEADER', {
        message: `Replica set ${wanted.replicaSetUuid} has no leader that could hand over, and with failover mode "${mode}" nobody appoints one: its instances find one by themselves.`,
      });
    }
    const forced = force === undefined ? {} : { force };
    return this.#coordinators.promote(topology, { ...wanted, ...forced, reason: this.#reason });
  }

  async #handOver(
    topology: Topology,
    old: InstanceStatus,
    to: string | undefined,
    replicaSetUuid: string,
  ): Promise<KnownLeader> {
    if (to !== undefined) requireInSync(topology, old, to);
    const { peers } = this.#options;
    const body = { replicaSetUuid, reason: this.#reason, ...(to === undefined ? {} : { to }) };
    const timeoutMs = HANDOVER_TIMEOUT_MS;
    const address = addressOf(topology, old.uuid) ?? '';
    return leaderSchema.parse(
      await peers.call(address, 'leadership.handover', body, { timeoutMs }),
    );
  }

  /** When the new leader began to take writes, on the own clock. */
  async #writableSince(topology: Topology, leader: KnownLeader): Promise<number> {
    const { clock } = this.#options;
    const endMs = clock.monotonicMs() + WRITABLE_LIMIT_MS;
    let said: WritableAnswer | undefined;
    while (clock.monotonicMs() < endMs) {
      said = await this.#writable(topology, leader.uuid);
      if (said?.writable === true && said.term >= leader.term) {
        return clock.monotonicMs() - said.forMs;
      }
      await clock.sleep(POLL_MS);
    }
    const why = said === undefined ? 'it does not answer' : 'it does not take writes yet';
    throw new ClusterError('PROMOTION_PENDING', {
      message: `Instance ${leader.uuid} was appointed in term ${leader.term}, but after ${WRITABLE_LIMIT_MS / 1000} s ${why}. Look at its status and issues.`,
      details: { ...leader },
    });
  }

  async #refusedSince(topology: Topology, uuid: string): Promise<number | undefined> {
    const said = await this.#writable(topology, uuid);
    if (said === undefined || said.writable) return undefined;
    return this.#options.clock.monotonicMs() - said.forMs;
  }

  async #writable(topology: Topology, uuid: string): Promise<WritableAnswer | undefined> {
    const answer = await this.#ask(topology, uuid, 'leadership.writable', STATUS_TIMEOUT_MS);
    return writableAnswerSchema.safeParse(answer).data;
  }

  async #ask(
    topology: Topology,
    uuid: string,
    method: string,
    timeoutMs: number,
  ): Promise<unknown> {
    const address = addressOf(topology, uuid);
    if (address === undefined) return undefined;
    const { peers } = this.#options;
    return peers.call(address, method, {}, { timeoutMs }).catch((error: unknown) => {
      if (error instanceof PeerError || error instanceof ClusterError) return undefined;
      throw error;
    });
  }
}

function refuseMode({ failover }: Topology, force: Force | undefined): void {
  const { mode, state_provider: provider } = failover;
  if (mode === 'disabled') {
    throw new ClusterError('STATE_FORBIDS', {
      message:
        'Failover is disabled, so nobody is promoted: leaders are the first instances of failover_priority. Change that, or use mode "stateful".',
    });
  }
  if (mode === 'stateful' && provider === undefined) {
    throw new ClusterError('STATE_FORBIDS', {
      field: 'failover.state_provider',
      message: 'No state provider is configured: name the etcd or stateboard in the topology.',
    });
  }
  if (force !== undefined && mode !== 'stateful') {
    throw new ClusterError('STATE_FORBIDS', {
      field: 'force',
      message: `A promotion can be forced with failover mode "stateful" alone, not with "${mode}".`,
    });
  }
}

/** Before anything is frozen: says how far behind it is. */
function requireInSync(topology: Topology, leader: InstanceStatus, to: string): void {
  const view = leader.replicaSet;
  if (view === null || view.inSync.includes(to)) return;
  const server = topology.servers[to];
  const name = server === undefined || server === 'expelled' ? to : `${server.alias} (${to})`;
  const follower = view.followers.find(({ uuid }) => uuid === to);
  const how =
    follower === undefined
      ? 'and has not asked its leader for rows'
      : `${follower.rowsBehind} rows behind, and asked for rows ${Math.round(follower.idleMs)} ms ago`;
  throw new ClusterError('NOT_IN_SYNC', {
    field: 'to',
    message: `Instance ${name} is not in sync, ${how}. It comes back by itself once it runs and has caught up; then ask again.`,
    details: { inSync: view.inSync, ...(follower === undefined ? {} : { ...follower }) },
  });
}

/** What else was asked for in the same request may have been done. */
function describePartly(
  reason: unknown,
  leaders: readonly WantedLeader[],
  outcomes: readonly PromiseSettledResult<Promotion>[],
): unknown {
  if (!(reason instanceof ClusterError) || leaders.length === 1) return reason;
  const promoted = outcomes.flatMap((o) => (o.status === 'fulfilled' ? [o.value] : []));
  return new ClusterError(reason.code, {
    message: `${reason.message} ${promoted.length} of the ${leaders.length} replica sets have their new leader.`,
    ...(reason.field === undefined ? {} : { field: reason.field }),
    details: { ...reason.details, promoted },
    cause: reason,
  });
}
