/**
 * What the coordinator hears from instances now and then: whether they are well, how far acknowledged rows are, and
 * which terms they have promised.
 *
 * It is asked for beside the rounds of the coordinator, so that instances that are dead delay no decision.
 */
import { z } from 'zod';
import type { Topology } from '../contract/cluster-config.ts';
import { instanceStates, type Position, positionSchema } from '../contract/instance-status.ts';
import {
  type Health,
  type HealthRecord,
  judgeHealth,
  recordHealth,
} from '../core/failover/instance-health.ts';
import { addressOf } from '../core/failover/leader-order.ts';
import { comparePositions } from '../core/failover/seats.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Peers } from '../ports/peers.ts';

export interface InstanceProbesOptions {
  readonly peers: Peers;
  readonly clock: Clock;
  readonly ttlMs: number;
  readonly onPromise: (replicaSetUuid: string, term: number) => void;
  /** An instance has turned unhealthy: perhaps a leader that has to be left. */
  readonly onUnhealthy: () => void;
}

/** Parts of `instanceStatusSchema`: the rest may be of another version. */
const healthSchema = z.object({
  state: z.enum(instanceStates),
  error: z.string().nullable(),
  config: z.object({ version: z.int() }),
});
const promiseSchema = z.object({ replicaSet: z.object({ promisedTerm: z.int() }) });
const acknowledgedSchema = z.object({ replicaSet: z.object({ acknowledged: positionSchema }) });

export class InstanceProbes {
  readonly #options: InstanceProbesOptions;
  readonly #health = new Map<string, HealthRecord>();
  readonly #acknowledged = new Map<string, Position>();
  readonly #asking = new Set<string>();
  #probedMs = Number.NEGATIVE_INFINITY;

  constructor(options: InstanceProbesOptions) {
    this.#options = options;
  }

  /** Asks all instances, if that is due. */
  start(topology: Topology, signal: AbortSignal): void {
    const { clock, ttlMs } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#probedMs + ttlMs) return;
    this.#probedMs = nowMs;
    for (const [uuid, server] of Object.entries(topology.servers)) {
      if (server === 'expelled' || server.disabled) this.#forget(uuid);
      else if (!this.#asking.has(uuid)) {
        this.#asking.add(uuid);
        void this.#judge(topology, uuid, signal).finally(() => this.#asking.delete(uuid));
      }
    }
  }

  healthOf(uuid: string, failoverTimeoutMs: number): Health {
    return judgeHealth(
      this.#health.get(uuid),
      failoverTimeoutMs,
      this.#options.clock.monotonicMs(),
    );
  }

  /** The end of what was acknowledged, as far as any instance of the set has said. */
  acknowledged(replicaSetUuid: string): Position | undefined {
    return this.#acknowledged.get(replicaSetUuid);
  }

  /** One whose roles are not configured is asked again until they are, or that has taken too long. */
  async #judge(topology: Topology, uuid: string, signal: AbortSignal): Promise<void> {
    const { clock, ttlMs, onUnhealthy } = this.#options;
    const timeoutMs = topology.failover.failover_timeout * 1000;
    const judge = (): Health['kind'] => this.healthOf(uuid, timeoutMs).kind;
    let before = judge();
    for (;;) {
      await this.#ask(topology, uuid, signal);
      const health = judge();
      if (health === 'unhealthy' && before !== health) onUnhealthy();
      if (health !== 'unknown' || !this.#health.has(uuid) || signal.aborted) return;
      before = health;
      await clock.sleep(ttlMs, signal).catch(() => undefined);
    }
  }

  async #ask(topology: Topology, uuid: string, signal: AbortSignal): Promise<void> {
    const { peers, ttlMs, onPromise } = this.#options;
    const timeoutMs = Math.min(ttlMs / 4, 1000);
    const address = addressOf(topology, uuid) ?? '';
    const answer = await peers
      .call(address, 'status', {}, { timeoutMs, signal })
      .catch(() => undefined);
    this.#learnHealth(uuid, answer);
    const server = topology.servers[uuid];
    if (server === undefined || server === 'expelled') return;
    const { replicaset_uuid: replicaSetUuid } = server;
    const promise = promiseSchema.safeParse(answer);
    if (promise.success) onPromise(replicaSetUuid, promise.data.replicaSet.promisedTerm);
    this.#learnAcknowledged(replicaSetUuid, answer);
  }

  #learnHealth(uuid: string, answer: unknown): void {
    const parsed = healthSchema.safeParse(answer);
    if (!parsed.success) {
      this.#forget(uuid);
      return;
    }
    const { state, error, config } = parsed.data;
    const said = { state, error, configVersion: config.version };
    const nowMs = this.#options.clock.monotonicMs();
    this.#health.set(uuid, recordHealth(this.#health.get(uuid), said, nowMs));
  }

  #learnAcknowledged(replicaSetUuid: string, answer: unknown): void {
    const { data } = acknowledgedSchema.safeParse(answer);
    const known = this.#acknowledged.get(replicaSetUuid);
    if (data === undefined) return;
    const { acknowledged } = data.replicaSet;
    if (known === undefined || comparePositions(acknowledged, known) > 0) {
      this.#acknowledged.set(replicaSetUuid, acknowledged);
    }
  }

  #forget(uuid: string): void {
    this.#health.delete(uuid);
  }
}
