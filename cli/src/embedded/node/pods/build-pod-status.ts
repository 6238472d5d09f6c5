/** Builds the status of a pod from what the node knows of its container. Pure. */
import type { Condition, ContainerState, Pod, PodStatus, TerminatedState } from '../objects.ts';

export interface ContainerView {
  readonly state: ContainerState;
  readonly lastState: TerminatedState | undefined;
  readonly restartCount: number;
  /** The startup probe has passed. */
  readonly isStarted: boolean;
  readonly isReady: boolean;
}

export function buildPodStatus(pod: Pod, view: ContainerView, now: string): PodStatus {
  const container = pod.spec.containers[0];
  const isRunning = 'running' in view.state;
  const hasRun = isRunning || 'terminated' in view.state || view.lastState !== undefined;
  const ready: Omit<Condition, 'type'> = view.isReady
    ? { status: 'True' }
    : {
        status: 'False',
        reason: 'ContainersNotReady',
        message: `containers with unready status: [${container?.name ?? ''}]`,
      };
  const conditions: Condition[] = [
    { type: 'PodScheduled', status: 'True' },
    { type: 'Initialized', status: 'True' },
    { type: 'ContainersReady', ...ready },
    { type: 'Ready', ...ready },
  ];
  return {
    phase: hasRun ? 'Running' : 'Pending',
    conditions: conditions.map((condition) => withTransition(condition, pod, now)),
    ...addresses(),
    startTime: pod.status?.startTime ?? now,
    containerStatuses: pod.spec.containers.slice(0, 1).map(({ name, image }) => ({
      name,
      image,
      imageID: image,
      containerID: hasRun ? `process://${pod.metadata.uid}/${view.restartCount}` : '',
      ready: view.isReady,
      started: view.isStarted,
      restartCount: view.restartCount,
      state: view.state,
      lastState: view.lastState === undefined ? {} : { terminated: view.lastState },
    })),
  };
}

function addresses(): object {
  const address = '127.0.0.1';
  const ips = [{ ip: address }];
  return { hostIP: address, hostIPs: ips, podIP: address, podIPs: ips, qosClass: 'BestEffort' };
}

/** The time of a condition changes only with its status, so that a status that is the same is not written. */
function withTransition(condition: Condition, pod: Pod, now: string): Condition {
  const before = pod.status?.conditions?.find((known) => known.type === condition.type);
  const isSame = before?.status === condition.status && before.lastTransitionTime !== undefined;
  return { ...condition, lastTransitionTime: isSame ? before.lastTransitionTime : now };
}
