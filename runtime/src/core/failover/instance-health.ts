/**
 * Whether an instance can do its work, by its own word: only that makes a coordinator leave a leader that holds its
 * lease. One that does not answer is not unhealthy: perhaps only the coordinator cannot reach it, and if it is dead
 * its lease runs out.
 */
import type { InstanceStateName } from '../../contract/instance-status.ts';

/** What an instance last said, and since when it has not said that its roles are configured. */
export interface HealthRecord {
  readonly state: InstanceStateName;
  readonly error: string | null;
  readonly configVersion: number;
  readonly unconfiguredSinceMs: number | undefined;
}

export type Health =
  | { readonly kind: 'healthy'; readonly configVersion: number }
  /** It may be about to become either. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'unhealthy'; readonly configVersion: number; readonly why: string };

const ERROR_STATES: readonly InstanceStateName[] = [
  'InitError',
  'BootError',
  'OperationError',
  'ReloadError',
];

export function recordHealth(
  before: HealthRecord | undefined,
  said: Omit<HealthRecord, 'unconfiguredSinceMs'>,
  nowMs: number,
): HealthRecord {
  const isConfigured = said.state === 'RolesConfigured';
  const sinceMs = isConfigured ? undefined : (before?.unconfiguredSinceMs ?? nowMs);
  return { ...said, unconfiguredSinceMs: sinceMs };
}

export function judgeHealth(
  record: HealthRecord | undefined,
  failoverTimeoutMs: number,
  nowMs: number,
): Health {
  if (record === undefined) return { kind: 'unknown' };
  const { state, error, configVersion, unconfiguredSinceMs } = record;
  if (unconfiguredSinceMs === undefined) return { kind: 'healthy', configVersion };
  if (ERROR_STATES.includes(state)) {
    return { kind: 'unhealthy', configVersion, why: `${state}: ${error ?? 'no reason given'}` };
  }
  const forMs = nowMs - unconfiguredSinceMs;
  if (forMs <= failoverTimeoutMs) return { kind: 'unknown' };
  const why = `its roles have not been configured for ${Math.round(forMs)} ms`;
  return { kind: 'unhealthy', configVersion, why };
}
