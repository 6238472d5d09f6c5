/** How long a container that ended stays down: the first time not at all, then longer each time. Pure. */

/** A container that ran this long had started well: its end is a new story. */
const SETTLED_AFTER_MS = 10_000;
const FIRST_DELAY_MS = 1_000;
/** Kubernetes waits up to five minutes, to spare a data centre; here somebody is waiting in front of it. */
const DELAY_MS_MAX = 30_000;

export interface RestartPlan {
  readonly crashesInARow: number;
  readonly delayMs: number;
}

export function planRestart(crashesInARow: number, ranForMs: number): RestartPlan {
  if (ranForMs >= SETTLED_AFTER_MS) return { crashesInARow: 1, delayMs: 0 };
  const delayMs =
    crashesInARow === 0 ? 0 : Math.min(FIRST_DELAY_MS * 2 ** (crashesInARow - 1), DELAY_MS_MAX);
  return { crashesInARow: crashesInARow + 1, delayMs };
}
