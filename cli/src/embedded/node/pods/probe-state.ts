/**
 * What a probe's answers add up to. Pure.
 *
 * Failures are counted in time, not in answers: the node asks faster than the manifest says while a container
 * starts, and that must not make it give up sooner.
 */
import type { Probe } from '../objects.ts';

export interface ProbeState {
  readonly outcome: 'unknown' | 'passing' | 'failing';
  readonly failingSinceMs: number | undefined;
  readonly successes: number;
}

export const UNPROBED: ProbeState = {
  outcome: 'unknown',
  failingSinceMs: undefined,
  successes: 0,
};

/** Asking a process on this machine costs little, and a start is something that people wait for. */
const EAGER_PERIOD_MS = 100;
const EAGER_FOR_MS = 60_000;
/** What is late or has failed is asked at least this often. */
const IMPATIENT_PERIOD_MS = 1_000;

/** The next state of a probe after one answer. */
export function recordAnswer(
  state: ProbeState,
  answer: { readonly isOk: boolean; readonly nowMs: number },
  probe: Probe,
): ProbeState {
  if (answer.isOk) {
    const successes = state.successes + 1;
    const isPassing = successes >= (probe.successThreshold ?? 1);
    const outcome = isPassing ? 'passing' : state.outcome;
    return { outcome, failingSinceMs: undefined, successes };
  }
  const failingSinceMs = state.failingSinceMs ?? answer.nowMs;
  const toleratedMs = ((probe.failureThreshold ?? 3) - 1) * periodMs(probe);
  const hasFailed = answer.nowMs - failingSinceMs >= toleratedMs;
  return { outcome: hasFailed ? 'failing' : state.outcome, failingSinceMs, successes: 0 };
}

/** When to ask again: at the manifest's pace once it passes, sooner until then. */
export function nextProbeDelayMs(state: ProbeState, probe: Probe, runningForMs: number): number {
  if (state.outcome === 'passing' && state.failingSinceMs === undefined) return periodMs(probe);
  const isEager = runningForMs < EAGER_FOR_MS;
  return Math.min(isEager ? EAGER_PERIOD_MS : IMPATIENT_PERIOD_MS, periodMs(probe));
}

function periodMs(probe: Probe): number {
  return (probe.periodSeconds ?? 10) * 1000;
}
