/**
 * One operator at a time, by a Lease.
 *
 * Two rules make it safe without comparing wall clocks. A candidate takes the lease only when the record has not
 * changed for its whole duration on the candidate's own monotonic clock. A leader counts its deadline from the moment
 * of *sending* its last successful renewal, and the deadline is shorter than the duration: it has stopped all its work
 * before anybody else can begin.
 */
import type { Clock, Logger, Random } from '@tonearm/runtime/foundation';
import type { Lease } from '../api/kube-object.ts';
import { RESOURCES } from '../api/resources.ts';
import { type Kube, KubeError } from '../ports/kube.ts';

export interface LeaderElectorOptions {
  /** Apart from the client of the controllers, so that their lists never delay a renewal. */
  readonly kube: Kube;
  readonly lease: { readonly namespace: string; readonly name: string };
  /** Never the same for two processes, nor for two lives of one. */
  readonly identity: string;
  /**
   * What identities begin with whose processes follow one another: those of one pod. A process that holds the lease by
   * such an identity has ended, so nobody waits for it. Left out where two processes may run at once.
   */
  readonly pod?: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const DURATION_MS = 15_000;
const RENEW_DEADLINE_MS = 10_000;
const RETRY_MS = 2000;
/** Two retries fit between a failed renewal and the deadline; more often would be writes for nothing. */
const RENEW_MS = 5000;

interface Observed {
  readonly lease: Lease;
  readonly atMs: number;
}

export class LeaderElector {
  readonly #options: LeaderElectorOptions;
  #observed: Observed | undefined;
  #deadlineMs = Number.NEGATIVE_INFINITY;

  constructor(options: LeaderElectorOptions) {
    this.#options = options;
  }

  /** Looks at the clock, so it is right even when the process was frozen meanwhile. */
  isLeading(): boolean {
    return this.#options.clock.monotonicMs() < this.#deadlineMs;
  }

  /**
   * Runs `lead` whenever this process leads, until the signal aborts. The signal that `lead` gets aborts with the
   * leadership; only when `lead` has ended, the lease is released or asked for again.
   */
  async run(signal: AbortSignal, lead: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { logger, identity } = this.#options;
    while (await this.#acquire(signal)) {
      logger.info({ identity }, 'leading');
      await this.#lead(signal, lead);
      logger.info({ identity }, 'leading has ended');
    }
  }

  async #lead(signal: AbortSignal, lead: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const leadership = new AbortController();
    const both = AbortSignal.any([signal, leadership.signal]);
    const end = (): void => leadership.abort(new Error('leadership has ended'));
    // Whichever ends first ends the other; an error of either is thrown when both have ended.
    const outcomes = await Promise.allSettled([
      this.#keep(both).finally(end),
      lead(both).finally(end),
    ]);
    await this.#release();
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason as Error;
  }

  /** False when the signal aborted first. */
  async #acquire(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      if (await this.#attempt('take')) return true;
      await this.#pause(RETRY_MS * (1 + 0.2 * this.#options.random.fraction()), signal);
    }
    return false;
  }

  /** Until leadership is lost or no longer wanted. */
  async #keep(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const wanted = (): boolean => !signal.aborted && this.isLeading();
    let renewed = true;
    while (wanted()) {
      const leftMs = this.#deadlineMs - clock.monotonicMs();
      await this.#pause(Math.min(renewed ? RENEW_MS : RETRY_MS, leftMs), signal);
      if (wanted()) renewed = await this.#attempt('renew');
    }
  }

  async #attempt(kind: 'take' | 'renew'): Promise<boolean> {
    const { kube, lease, identity, clock, logger } = this.#options;
    try {
      const found = kind === 'renew' ? this.#observed?.lease : await this.#observe();
      if (found !== undefined && !this.#mayTake(found)) return false;
      const sentMs = clock.monotonicMs();
      const wanted = this.#buildLease(found);
      const written =
        found === undefined
          ? await kube.create(RESOURCES.leases, { ...wanted, metadata: { ...lease } })
          : await kube.update(RESOURCES.leases, wanted);
      this.#observed = { lease: written, atMs: sentMs };
      this.#deadlineMs = sentMs + RENEW_DEADLINE_MS;
      return true;
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      if (error.status === 409 && kind === 'renew') await this.#lookAgain();
      const { status, reason, message } = error;
      logger.warn({ identity, status, reason, error: message }, 'lease not written');
      return false;
    }
  }

  /** The record may have been touched by others, or an answer was lost and the write is ours. */
  async #lookAgain(): Promise<void> {
    try {
      const found = await this.#observe();
      if (found?.spec.holderIdentity !== this.#options.identity) {
        this.#deadlineMs = Number.NEGATIVE_INFINITY;
      }
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      // The deadline stands; the next attempt will tell.
    }
  }

  async #observe(): Promise<Lease | undefined> {
    const { kube, lease, clock } = this.#options;
    const found = await kube.get(RESOURCES.leases, lease);
    const isSame =
      found?.metadata.resourceVersion === this.#observed?.lease.metadata.resourceVersion;
    // The time of the first sight of a version stays: expiry is counted from it.
    if (found === undefined) this.#observed = undefined;
    else
      this.#observed = { lease: found, atMs: isSame ? this.#firstSeenMs() : clock.monotonicMs() };
    return found;
  }

  #firstSeenMs(): number {
    return this.#observed?.atMs ?? this.#options.clock.monotonicMs();
  }

  #mayTake(found: Lease): boolean {
    const holder = found.spec.holderIdentity ?? '';
    const { identity, pod } = this.#options;
    if (holder === '' || holder === identity) return true;
    if (pod !== undefined && holder.startsWith(pod)) return true;
    const durationMs = (found.spec.leaseDurationSeconds ?? DURATION_MS / 1000) * 1000;
    return this.#options.clock.monotonicMs() > this.#firstSeenMs() + durationMs;
  }

  #buildLease(found: Lease | undefined): Lease {
    const { lease, identity, clock } = this.#options;
    const now = microTime(clock.wallTime());
    const isRenewal = found?.spec.holderIdentity === identity;
    const transitions = found?.spec.leaseTransitions ?? 0;
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { ...lease, resourceVersion: found?.metadata.resourceVersion },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: DURATION_MS / 1000,
        acquireTime: isRenewal ? found.spec.acquireTime : now,
        renewTime: now,
        leaseTransitions: isRenewal || found === undefined ? transitions : transitions + 1,
      },
    };
  }

  /** So that the next operator need not wait for the lease to expire. */
  async #release(): Promise<void> {
    const { kube, logger } = this.#options;
    const held = this.isLeading() ? this.#observed?.lease : undefined;
    this.#deadlineMs = Number.NEGATIVE_INFINITY;
    if (held === undefined) return;
    const { spec, ...lease } = this.#buildLease(held);
    const released = { ...spec, holderIdentity: '', leaseDurationSeconds: 1 };
    try {
      await kube.update(RESOURCES.leases, { ...lease, spec: released });
    } catch (error) {
      // It expires by itself then; stopping matters more.
      logger.warn({ error }, 'lease not released');
    }
  }

  async #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#options.clock.sleep(delayMs, signal);
    } catch {
      // Only the signal interrupts a sleep, and every loop looks at it next.
    }
  }
}

/** Kubernetes wants six digits here and refuses the three of JavaScript. */
export function microTime(time: Date): string {
  return time.toISOString().replace('Z', '000Z');
}
