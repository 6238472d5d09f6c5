/**
 * May leadership move by itself? Not while failover is paused, nor for a while after a leader changed too often.
 *
 * Both are known to this process alone, and gone with it (FO-60, FO-61). What people ask for is done in any case, and
 * nobody who leads is kept from giving way: a pause makes nothing less safe.
 */
import type { FailoverConfig } from '../contract/cluster-config.ts';
import type { Issue } from '../contract/instance-status.ts';
import type { ReplicaSetSnapshot } from '../core/failover/appointments.ts';
import { type LeaderChanges, NO_CHANGES, noteLeader } from '../core/failover/leader-changes.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';

export interface AutomaticChangesOptions {
  readonly clock: Clock;
  readonly logger: Logger;
}

export class AutomaticChanges {
  readonly #options: AutomaticChangesOptions;
  readonly #sets = new Map<string, LeaderChanges>();
  readonly #listeners = new Set<() => void>();
  #isPaused = false;

  constructor(options: AutomaticChangesOptions) {
    this.#options = options;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Replica sets that are left alone for a while. */
  get suppressed(): readonly string[] {
    return [...this.#sets.keys()].filter((uuid) => this.#isSuppressed(uuid));
  }

  pause(isPaused: boolean): void {
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    this.#options.logger.warn({ isPaused }, 'automatic failover was paused or resumed');
    for (const listener of this.#listeners) listener();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Who leads now: too many changes and the set is left alone. */
  seen(replicaSetUuid: string, leader: string, failover: FailoverConfig): void {
    if (!failover.enable_failover_suppressing) {
      this.#sets.delete(replicaSetUuid);
      return;
    }
    const nowMs = this.#options.clock.monotonicMs();
    const before = this.#sets.get(replicaSetUuid) ?? NO_CHANGES;
    const after = noteLeader(before, leader, nowMs, {
      threshold: failover.failover_suppress_threshold,
      windowMs: failover.failover_suppress_timeout * 1000,
    });
    this.#sets.set(replicaSetUuid, after);
    if (after.suppressedUntilMs === before.suppressedUntilMs) return;
    this.#options.logger.warn({ replicaSetUuid }, 'its leader changed too often: it is left alone');
  }

  allows(replicaSetUuid: string): boolean {
    return !this.#isPaused && !this.#isSuppressed(replicaSetUuid);
  }

  /** Is nothing decided for this set now? What somebody has asked for is. */
  leavesAlone(
    { uuid, appointment, wish }: Pick<ReplicaSetSnapshot, 'uuid' | 'appointment' | 'wish'>,
    failover: FailoverConfig,
  ): boolean {
    if (appointment !== undefined) this.seen(uuid, appointment.leader, failover);
    return wish === undefined && !this.allows(uuid);
  }

  issues(): readonly Issue[] {
    const issues: Issue[] = [];
    if (this.#isPaused) {
      const message =
        'Automatic failover is paused: "tonearm failover resume", or POST /admin/failover/resume, ends that.';
      issues.push({ level: 'warning', topic: 'failover', message });
    }
    for (const uuid of this.suppressed) {
      const message = `The leader of replica set ${uuid} changed too often: automatic failover leaves it alone for a while. Look why leaders fail; "tonearm failover promote", or POST /admin/promote, still works.`;
      issues.push({ level: 'warning', topic: 'failover', message });
    }
    return issues;
  }

  #isSuppressed(replicaSetUuid: string): boolean {
    const untilMs = this.#sets.get(replicaSetUuid)?.suppressedUntilMs;
    return untilMs !== undefined && this.#options.clock.monotonicMs() < untilMs;
  }
}
