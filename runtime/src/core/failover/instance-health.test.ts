import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { InstanceStateName } from '../../contract/instance-status.ts';
import { type HealthRecord, judgeHealth, recordHealth } from './instance-health.ts';

const TIMEOUT = 2000;

/** What was said, one second after the other. */
function heard(...states: readonly InstanceStateName[]): HealthRecord | undefined {
  let record: HealthRecord | undefined;
  for (const [second, state] of states.entries()) {
    const error = state.endsWith('Error') ? 'no' : null;
    record = recordHealth(record, { state, error, configVersion: 4 }, 1000 * second);
  }
  return record;
}

const table: readonly [string, HealthRecord | undefined, number, unknown][] = [
  ['is healthy with configured roles', heard('RolesConfigured'), 9000, 'healthy'],
  ['is unknown without a word', undefined, 9000, 'unknown'],
  [
    'is unhealthy with an error, at once',
    heard('RolesConfigured', 'OperationError'),
    1000,
    'unhealthy',
  ],
  ['is unhealthy when it could not boot', heard('BootError'), 0, 'unhealthy'],
  ['is unknown while it configures its roles', heard('ConfiguringRoles'), 2000, 'unknown'],
  ['is unhealthy when that takes too long', heard('ConfiguringRoles'), 2001, 'unhealthy'],
  [
    'counts from the first word that they are not configured',
    heard('RolesConfigured', 'ConfiguringRoles', 'ReloadingRoles', 'ConfiguringRoles'),
    3001,
    'unhealthy',
  ],
  [
    'counts anew after they were configured',
    heard('ConfiguringRoles', 'RolesConfigured', 'ConfiguringRoles'),
    3001,
    'unknown',
  ],
];

describe('judgeHealth', () => {
  for (const [name, record, nowMs, kind] of table) {
    it(name, () => assert.equal(judgeHealth(record, TIMEOUT, nowMs).kind, kind));
  }

  it('says why, and by which config', () => {
    assert.deepEqual(judgeHealth(heard('OperationError'), TIMEOUT, 0), {
      kind: 'unhealthy',
      configVersion: 4,
      why: 'OperationError: no',
    });
  });
});
