import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renewalPeriodMs } from './lease-hold.ts';
import { isPermitted, permittedUntilMs } from './renewal-permission.ts';

const TTL = 2000;
const period = renewalPeriodMs(TTL);

describe('the permission to renew a lease', () => {
  it('outlasts a main loop that stands still for two lease times, whenever that begins', () => {
    const untilMs = permittedUntilMs(0, TTL);
    // The next round would have been at `period`.
    assert.equal(isPermitted(untilMs, period + 2 * TTL - 1), true);
  });

  it('ends, however long the main loop stands still', () => {
    const untilMs = permittedUntilMs(0, TTL);
    assert.deepEqual(
      [untilMs - 1, untilMs, untilMs + 1].map((nowMs) => isPermitted(untilMs, nowMs)),
      [true, false, false],
    );
    assert.equal(untilMs, 4900);
  });
});
