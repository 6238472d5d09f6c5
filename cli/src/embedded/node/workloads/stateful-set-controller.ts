/** Carries out what `planStatefulSet` decides, and binds claims: every claim is a folder, there at once. */
import { equalJson } from '../../api/json.ts';
import type { EventRecorder } from '../event-recorder.ts';
import { CLAIMS, type NodeApi, PODS, STATEFUL_SETS } from '../node-api.ts';
import { controllerUid, hasLabels, type Pod, type StatefulSet } from '../objects.ts';
import { buildClaims, buildPod, ownerReference, podName } from './build-pod.ts';
import { planStatefulSet, type StatefulSetStep } from './plan-stateful-set.ts';

export class StatefulSetController {
  readonly #api: NodeApi;
  readonly #events: EventRecorder;

  constructor(api: NodeApi, events: EventRecorder) {
    this.#api = api;
    this.#events = events;
  }

  /** One bounded round over all sets; what it changes brings the next round. */
  reconcile(): void {
    const pods = this.#api.list(PODS);
    for (const set of this.#api.list(STATEFUL_SETS)) this.#reconcileSet(set, pods);
    this.#bindClaims();
  }

  #reconcileSet(set: StatefulSet, allPods: readonly Pod[]): void {
    const pods = allPods.filter((pod) => isOf(set, pod));
    const plan = planStatefulSet({ set, pods });
    for (const step of plan.steps) this.#apply(set, step, plan.updateRevision);
    if (equalJson(set.status, plan.status)) return;
    this.#api.patch(STATEFUL_SETS, set.metadata, {
      body: { status: plan.status },
      subresource: 'status',
    });
  }

  #apply(set: StatefulSet, step: StatefulSetStep, revision: string): void {
    switch (step.kind) {
      case 'create-pod': {
        for (const claim of buildClaims(set, step.ordinal)) this.#api.create(CLAIMS, claim);
        this.#api.create(PODS, buildPod(set, step.ordinal, revision));
        this.#record(set, 'SuccessfulCreate', `create Pod ${podName(set, step.ordinal)}`);
        return;
      }
      case 'adopt-pod':
        this.#api.patch(PODS, step.pod.metadata, {
          body: { metadata: { ownerReferences: [ownerReference(set)] } },
        });
        return;
      case 'delete-pod':
        this.#api.delete(PODS, step.pod);
        this.#record(
          set,
          'SuccessfulDelete',
          `delete Pod ${step.pod.metadata.name}: ${step.reason}`,
        );
        return;
    }
  }

  #record(set: StatefulSet, reason: string, message: string): void {
    this.#events.record(set, { type: 'Normal', reason, message });
  }

  #bindClaims(): void {
    for (const claim of this.#api.list(CLAIMS)) {
      const requested = claim.spec.resources?.requests ?? {};
      const status = {
        phase: 'Bound',
        accessModes: claim.spec.accessModes ?? ['ReadWriteOnce'],
        capacity: requested,
      };
      if (claim.spec.volumeName === undefined) {
        const volumeName = `local-${claim.metadata.uid}`;
        this.#api.patch(CLAIMS, claim.metadata, { body: { spec: { volumeName } } });
      }
      if (equalJson(claim.status, status)) continue;
      this.#api.patch(CLAIMS, claim.metadata, { body: { status }, subresource: 'status' });
    }
  }
}

function isOf(set: StatefulSet, pod: Pod): boolean {
  if (pod.metadata.namespace !== set.metadata.namespace) return false;
  const owner = controllerUid(pod);
  if (owner !== undefined) return owner === set.metadata.uid;
  return hasLabels(pod, set.spec.selector.matchLabels ?? {});
}
