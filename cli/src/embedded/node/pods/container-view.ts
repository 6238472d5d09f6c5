/** What a container is said to be before it starts and after it has ended. Pure. */
import type { ContainerState, Pod, TerminatedState } from '../objects.ts';
import type { ProcessExit } from '../processes/process-host.ts';
import type { ContainerView } from './build-pod-status.ts';

/** A pod that ran before this node started has lost its process since. */
export function firstView(pod: Pod): ContainerView {
  const known = pod.status?.containerStatuses?.[0];
  const waiting: ContainerState = { waiting: { reason: 'ContainerCreating' } };
  const down = { state: waiting, isStarted: false, isReady: false };
  if (known === undefined) return { ...down, restartCount: 0, lastState: undefined };
  if ('waiting' in known.state) {
    const lastState = 'terminated' in known.lastState ? known.lastState.terminated : undefined;
    // It was waiting to be started once more, or for the first time.
    const restarts = lastState === undefined ? 0 : 1;
    return { ...down, restartCount: known.restartCount + restarts, lastState };
  }
  const lastState =
    'terminated' in known.state ? known.state.terminated : lostState(known.state.running.startedAt);
  return { ...down, restartCount: known.restartCount + 1, lastState };
}

function lostState(startedAt: string): TerminatedState {
  const message = 'the node was stopped';
  return { exitCode: 137, reason: 'Unknown', message, startedAt, finishedAt: startedAt };
}

export function terminatedState(
  exit: ProcessExit,
  times: { readonly startedAt: string; readonly finishedAt: string },
): TerminatedState {
  const reason = exit.exitCode === 0 ? 'Completed' : 'Error';
  const message = exit.error?.message ?? exit.signal;
  return {
    exitCode: exit.exitCode,
    reason,
    ...(message === undefined ? {} : { message }),
    ...times,
  };
}
