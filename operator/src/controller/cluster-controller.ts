/**
 * Reconciles one Cluster: observe → plan → apply → report, and nothing else. It gets keys, never objects, and never two
 * of the same key at once; whatever it was called for, it looks at everything.
 */
import type { Clock, Logger } from '@tonearm/runtime/foundation';
import { RESOURCES } from '../api/resources.ts';
import type { Cluster } from '../api/v1alpha1/cluster.ts';
import { type ClusterPlan, planCluster } from '../core/plan-cluster.ts';
import { isHeld, planRelease } from '../core/plan-release.ts';
import type { ClusterSnapshot } from '../core/snapshot.ts';
import { planEvents } from '../core/status/plan-events.ts';
import { AdminApiError } from '../ports/admin-api.ts';
import type { EventRecorder } from '../ports/events.ts';
import type { Kube } from '../ports/kube.ts';
import type { PlanApplier } from './apply-plan.ts';
import type { ChangeDriver } from './change-driver.ts';
import { BY_CLUSTER, type ClusterCaches, parseKey } from './cluster-caches.ts';
import type { ClusterObserver } from './observe-cluster.ts';

export interface ClusterControllerOptions {
  readonly kube: Kube;
  readonly caches: ClusterCaches;
  readonly observer: ClusterObserver;
  readonly applier: PlanApplier;
  readonly driver: ChangeDriver;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  readonly logger: Logger;
}

export type Reconciled =
  | { readonly kind: 'requeue'; readonly afterMs: number }
  /** Nothing will change before an event tells of it. */
  | { readonly kind: 'done' };

/** An instance did not do as it was asked; its status will tell more. */
const ADMIN_RETRY_MS = 2000;

export class ClusterController {
  readonly #options: ClusterControllerOptions;

  constructor(options: ClusterControllerOptions) {
    this.#options = options;
  }

  async reconcile(key: string, signal: AbortSignal): Promise<Reconciled> {
    const { observer, driver } = this.#options;
    await this.#releaseHeld(key);
    const observed = await observer.observe(key, driver.lastChange(key));
    switch (observed.kind) {
      case 'gone':
        driver.forget(key);
        return { kind: 'done' };
      case 'invalid':
        this.#report(observed.cluster, {
          type: 'Warning',
          reason: 'SpecInvalid',
          note: observed.reason,
        });
        return { kind: 'done' };
      case 'snapshot':
        return this.#carryOut(key, observed.snapshot, signal);
      default:
        return observed satisfies never;
    }
  }

  async #carryOut(
    key: string,
    snapshot: ClusterSnapshot,
    signal: AbortSignal,
  ): Promise<Reconciled> {
    const { applier } = this.#options;
    const plan = planCluster(snapshot);
    this.#logTrace(key, plan);
    try {
      await applier.apply(plan, snapshot, signal);
    } catch (error) {
      if (!(error instanceof AdminApiError)) throw error;
      const { code, message } = error;
      this.#options.logger.warn({ cluster: key, code, error: message }, 'instance refused');
      return { kind: 'requeue', afterMs: ADMIN_RETRY_MS };
    }
    this.#reportConditions(snapshot, plan);
    return { kind: 'requeue', afterMs: plan.requeueAfterMs };
  }

  /** Rare, so the server itself is asked whether the Cluster is gone: a cache may not know yet that it is back. */
  async #releaseHeld(key: string): Promise<void> {
    const { caches, kube, applier } = this.#options;
    const held = caches.replicaSets.byIndex(BY_CLUSTER, key).filter(isHeld);
    if (held.length === 0) return;
    const cluster = await kube.get(RESOURCES.clusters, parseKey(key));
    for (const name of planRelease(held, cluster)) {
      await applier.dropFinalizer(parseKey(key).namespace, name);
    }
  }

  #logTrace(key: string, { trace, actions }: ClusterPlan): void {
    const { logger } = this.#options;
    if (trace.length === 0) return;
    const fields = { cluster: key, trace };
    if (actions.length > 0) logger.info(fields, 'reconcile');
    else logger.debug(fields, 'reconcile');
  }

  #reportConditions({ cluster }: ClusterSnapshot, { status }: ClusterPlan): void {
    const events = planEvents(cluster.status?.conditions, status?.conditions ?? []);
    for (const event of events) this.#report(cluster, event);
  }

  #report(
    { apiVersion, kind, metadata: { name, namespace, uid } }: Cluster,
    event: { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly note: string },
  ): void {
    const regarding = { apiVersion, kind, name, namespace, uid };
    this.#options.recorder.record({ regarding, action: 'Reconcile', ...event });
  }
}
