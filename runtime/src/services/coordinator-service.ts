/**
 * The failover coordinator: runs where the role `failover-coordinator` is enabled and failover is stateful (FO-40).
 * Many may run; the one that holds the lock in the state provider acts.
 */
import { z } from 'zod';
import { type StateProviderConfig, type Topology, uuidSchema } from '../contract/cluster-config.ts';
import type { InstanceIdentity } from '../contract/identity.ts';
import type { Issue } from '../contract/instance-status.ts';
import { providerKeys } from '../contract/provider-records.ts';
import { ClusterError } from '../core/errors.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Random } from '../foundation/random.ts';
import { TaskRegistry } from '../foundation/task-registry.ts';
import type { InternalHandler, InternalHandlers, Peers } from '../ports/peers.ts';
import type { ProviderChange, StateProvider } from '../ports/state-provider.ts';
import { AutomaticChanges } from './automatic-changes.ts';
import { CoordinatorLockKeeper } from './coordinator-lock.ts';
import { CoordinatorSession } from './coordinator-session.ts';
import { Exclusive } from './exclusive.ts';
import type { KnownLeader } from './leadership-engine.ts';
import { ProviderCheck } from './provider-check.ts';
import { isProviderTrouble } from './stored-records.ts';
import { WakeUp } from './wake-up.ts';

export interface CoordinatorServiceOptions {
  readonly identity: InstanceIdentity;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly peers: Peers;
  /** A client of its own, with the cluster's prefix; this service closes it. */
  readonly openProvider: (config: StateProviderConfig) => StateProvider;
  /** Whether the lock may name this process: the launcher releases it if this process dies. */
  readonly onLockHeld: (held: boolean) => void;
  /** SHA-256 of the cluster's cookie, hex; left out: it is not compared with that in the provider. */
  readonly cookieHash?: string | undefined;
  /** Left out: never paused from outside. */
  readonly changes?: AutomaticChanges;
  readonly onFatal: (name: string, error: unknown) => void;
}

interface Running {
  readonly key: string;
  readonly ttlMs: number;
  readonly provider: StateProvider;
  readonly lock: CoordinatorLockKeeper;
  readonly session: CoordinatorSession;
  readonly tasks: TaskRegistry;
  readonly wakeUp: WakeUp;
  /** Something has happened that a round has to look at. */
  isDue: boolean;
  readonly check: ProviderCheck;
  /** Why the state provider could not be read in the last round. */
  trouble: string | undefined;
}

/** Of the lease time: how often the lock is renewed. */
const LOCK_PERIOD = 3 / 5;
/** How soon a round is repeated that has found something to do. */
const BUSY_PERIOD = 1 / 5;
/** How often everything is read anew when nothing seems to happen, beside a renewal: what happens is watched. */
const IDLE_PERIOD = 5;
/** How soon it is tried again while the state provider is away: when it is back, there may be a leader to appoint. */
const RETRY_PERIOD = 1 / 20;

export const COORDINATOR_ROLE = 'failover-coordinator';

const promoteSchema = z.strictObject({
  replicaSetUuid: uuidSchema,
  to: uuidSchema.optional(),
  reason: z.string().max(200),
  force: z.strictObject({ command: z.string().max(1000), stopped: z.array(uuidSchema) }).optional(),
});

const releasedSchema = z.object({ released: z.literal(true) });

export class CoordinatorService {
  readonly #options: CoordinatorServiceOptions;
  readonly #configuring = new Exclusive();
  #topology: Topology | undefined;
  readonly #changes: AutomaticChanges;
  #running: Running | undefined;

  constructor(options: CoordinatorServiceOptions) {
    this.#options = options;
    this.#changes = options.changes ?? new AutomaticChanges(options);
    this.#changes.onChange(() => this.#wake());
  }

  /** Does this instance hold the lock? */
  get active(): boolean {
    return this.#running?.lock.compare() !== undefined;
  }

  /** The instance that held the lock when this one last looked; undefined when no coordinator runs here. */
  get holder(): string | undefined {
    return this.#running?.lock.holder;
  }

  /** What is wrong with the state provider itself, as the active coordinator sees it. */
  issues(): readonly Issue[] {
    const running = this.#running;
    if (running === undefined || !this.active) return [];
    return [...running.check.issues(), ...running.session.issues()];
  }

  handlers(): InternalHandlers {
    return new Map<string, InternalHandler>([
      ['coordinator.promote', (body) => this.#promote(promoteSchema.parse(body))],
    ]);
  }

  configure(topology: Topology): Promise<void> {
    return this.#configuring.run(async () => {
      this.#topology = topology;
      const config = this.#wanted(topology);
      const { fencing_ttl: ttl, check_cookie_hash: isChecked } = topology.failover;
      // The rest is read anew in each round (FO-46).
      const key = config === undefined ? undefined : JSON.stringify([config, ttl, isChecked]);
      if (key !== this.#running?.key) {
        await this.#stop();
        if (config !== undefined && key !== undefined) this.#start(topology, config, key);
      }
      this.#wake();
    });
  }

  /** Releases the lock, so that another coordinator takes over at once. */
  async close(): Promise<void> {
    await this.#configuring.run(() => this.#stop());
  }

  /** Appoints whom somebody asks for, or lets the leader hand over to it (FO-47). */
  async #promote(request: z.infer<typeof promoteSchema>): Promise<KnownLeader> {
    const running = this.#running;
    if (running === undefined) {
      throw new ClusterError('NO_COORDINATOR', {
        message: 'No failover coordinator runs on this instance.',
      });
    }
    if (!this.active) {
      const { trouble, lock } = running;
      throw new ClusterError('NO_COORDINATOR', {
        message: 'The failover coordinator of this instance is not the active one.',
        details: {
          ...(trouble === undefined ? {} : { trouble }),
          ...(lock.holder === undefined ? {} : { holder: lock.holder }),
        },
      });
    }
    const promoted = running.session.promote(request);
    wake(running);
    return promoted;
  }

  #wake(): void {
    if (this.#running !== undefined) wake(this.#running);
  }

  #wanted(topology: Topology): StateProviderConfig | undefined {
    const server = topology.servers[this.#options.identity.uuid];
    if (server === undefined || server === 'expelled' || server.disabled) return undefined;
    const roles = topology.replicasets[server.replicaset_uuid]?.roles ?? [];
    const { mode, state_provider: provider } = topology.failover;
    return mode === 'stateful' && roles.includes(COORDINATOR_ROLE) ? provider : undefined;
  }

  #start(topology: Topology, config: StateProviderConfig, key: string): void {
    const { logger, onFatal, openProvider, onLockHeld, clock } = this.#options;
    const { fencing_ttl: ttl, check_cookie_hash: isChecked } = topology.failover;
    const ttlMs = ttl * 1000;
    const cookieHash = isChecked ? this.#options.cookieHash : undefined;
    const provider = openProvider(config);
    const shared = { ...this.#options, provider, config, ttlMs, changes: this.#changes };
    const lock = new CoordinatorLockKeeper({ ...shared, onHeld: onLockHeld });
    const running: Running = {
      ...{ key, ttlMs, provider, lock },
      session: new CoordinatorSession({
        ...{ ...shared, lock, cookieHash, onUnhealthy: () => this.#wake() },
      }),
      tasks: new TaskRegistry(logger, onFatal),
      wakeUp: new WakeUp(clock),
      isDue: true,
      check: new ProviderCheck({ provider, clock, isMine: () => lock.compare() !== undefined }),
      trouble: undefined,
    };
    this.#running = running;
    running.tasks.run('coordinator', (signal) => this.#rounds(running, signal));
    const { tasks, session } = running;
    tasks.run('coordinator watch', (signal) => {
      const onSeen = (changes: readonly ProviderChange[]): void => session.seen(changes);
      return this.#watch(running, providerKeys.leases, onSeen, signal);
    });
    tasks.run('lock watch', (signal) => {
      const onSeen = (changes: readonly ProviderChange[]): void => lock.seen(changes);
      return this.#watch(running, providerKeys.lock, onSeen, signal);
    });
    running.tasks.run('provider check', (signal) => running.check.run(signal));
  }

  async #stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    await running.tasks.close();
    running.session.close();
    await running.lock.release(new AbortController().signal);
    await running.provider.close();
  }

  /** At the moment at which a lease expires, when anything happens to one, and now and then. */
  async #rounds(running: Running, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const { session, wakeUp, ttlMs } = running;
    let next = { atMs: clock.monotonicMs(), isIdle: false };
    while (!signal.aborted && this.#topology !== undefined) {
      const nowMs = clock.monotonicMs();
      const isFull = running.isDue || nowMs >= next.atMs || session.untilExpiryMs(nowMs) <= 0;
      running.isDue = false;
      if (!isFull && isWaiting(running, nowMs)) {
        await wakeUp.sleep(lockPeriodMs(running, nowMs), signal);
        continue;
      }
      const isQuiet = await this.#round(running, this.#topology, isFull, signal);
      const endMs = clock.monotonicMs();
      if (!isQuiet) next = { atMs: endMs + BUSY_PERIOD * ttlMs, isIdle: false };
      else if (isFull) next = { atMs: endMs + IDLE_PERIOD * ttlMs, isIdle: true };
      const dueMs = next.isIdle ? Number.POSITIVE_INFINITY : next.atMs - endMs;
      const delayMs = Math.min(dueMs, untilAwaitedExpiryMs(running, endMs, isFull));
      await wakeUp.sleep(Math.min(delayMs, lockPeriodMs(running, endMs)), signal);
    }
  }

  /** False when there is more to do soon. */
  async #round(
    running: Running,
    topology: Topology,
    isFull: boolean,
    signal: AbortSignal,
  ): Promise<boolean> {
    try {
      const isQuiet = await running.session.round(topology, isFull, signal);
      running.trouble = undefined;
      return isQuiet;
    } catch (error) {
      if (!isProviderTrouble(error)) throw error;
      const level = running.trouble === undefined ? 'warn' : 'debug';
      running.trouble = error instanceof Error ? error.message : '';
      const said = 'the coordinator cannot read the state provider; trying again';
      this.#options.logger[level]({ error }, said);
      return false;
    }
  }

  /** A release, or a record that is gone, starts a round at once. A renewal puts off the moment of expiry. */
  async #watch(
    running: Running,
    prefix: string,
    onSeen: (changes: readonly ProviderChange[]) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { provider, ttlMs } = running;
    const onChanges = (changes: readonly ProviderChange[]): void => {
      onSeen(changes);
      if (changes.some(({ value }) => value === null || isRelease(value))) wake(running);
    };
    while (!signal.aborted) {
      try {
        const options = { timeoutMs: ttlMs / 3, signal };
        const { revision, entries } = await provider.list(prefix, options);
        onSeen(entries);
        await provider.watch(prefix, revision + 1, onChanges, signal);
      } catch (error) {
        if (!isProviderTrouble(error)) throw error;
        await this.#options.clock.sleep(RETRY_PERIOD * ttlMs, signal).catch(() => undefined);
      }
    }
  }
}

function wake(running: Running): void {
  running.isDue = true;
  running.wakeUp.wake();
}

/** Another has the lock, and has renewed it in time. */
function isWaiting({ lock, trouble }: Running, nowMs: number): boolean {
  return trouble === undefined && lock.compare() === undefined && lock.untilFreeMs(nowMs) > 0;
}

function lockPeriodMs(running: Running, nowMs: number): number {
  const { trouble, ttlMs, lock } = running;
  if (isWaiting(running, nowMs)) return lock.untilFreeMs(nowMs);
  const isHeld = trouble === undefined && lock.compare() !== undefined;
  return (isHeld ? LOCK_PERIOD : RETRY_PERIOD) * ttlMs;
}

/**
 * Who waits for the lock has nothing to do at that moment, and what a full round has found expired is looked at soon
 * enough. Timers may end a little early: what expires during a round that was not full is due now.
 */
function untilAwaitedExpiryMs({ session, lock }: Running, nowMs: number, wasFull: boolean): number {
  const expiryMs = session.untilExpiryMs(nowMs);
  if (lock.compare() === undefined || (wasFull && expiryMs <= 0)) return Number.POSITIVE_INFINITY;
  return Math.max(0, expiryMs);
}

function isRelease(value: string): boolean {
  try {
    return releasedSchema.safeParse(JSON.parse(value)).success;
  } catch {
    return false;
  }
}
