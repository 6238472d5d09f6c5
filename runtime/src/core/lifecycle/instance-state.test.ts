import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { InstanceStateName } from '../../contract/instance-status.ts';
import {
  acceptsConfigChange,
  INITIAL_STATE,
  type InstanceState,
  transit,
} from './instance-state.ts';

function follow(path: readonly InstanceStateName[]): InstanceState {
  let state = INITIAL_STATE;
  for (const next of path) {
    const transition = transit(state, next, 'because');
    if (transition.kind === 'forbidden') assert.fail(transition.reason);
    state = transition.state;
  }
  return state;
}

describe('transit', () => {
  it('follows the way of a first start [STATE-02]', () => {
    const way = [
      'Unconfigured',
      'BootstrappingBox',
      'ConnectingFullmesh',
      'BoxConfigured',
      'ConfiguringRoles',
      'RolesConfigured',
    ] as const;
    assert.deepEqual(follow(way), {
      name: 'RolesConfigured',
      previous: 'ConfiguringRoles',
      error: null,
    });
  });

  it('follows the way of a restart', () => {
    const way = [
      'ConfigFound',
      'ConfigLoaded',
      'RecoveringSnapshot',
      'ConnectingFullmesh',
      'BoxConfigured',
      'ConfiguringRoles',
      'OperationError',
      'ConfiguringRoles',
    ] as const;
    assert.equal(follow(way).error, null);
  });

  it('keeps the error of an error state, or gives a generic one [STATE-21]', () => {
    assert.equal(follow(['InitError']).error, 'because');
    const generic = transit(INITIAL_STATE, 'InitError');
    assert.ok(generic.kind === 'changed' && generic.state.error !== null);
  });

  it('refuses what the table does not list, and leaves terminal states alone [STATE-20]', () => {
    const terminal: readonly InstanceStateName[] = ['InitError'];
    assert.equal(transit(INITIAL_STATE, 'RolesConfigured').kind, 'forbidden');
    assert.equal(transit(follow(terminal), 'ConfigFound').kind, 'forbidden');
  });
});

describe('acceptsConfigChange', () => {
  it('is true in three states [STATE-29]', () => {
    const accepting = (
      [
        '',
        'Unconfigured',
        'ConfigFound',
        'ConnectingFullmesh',
        'ConfiguringRoles',
        'RolesConfigured',
        'OperationError',
        'InitError',
        'BootError',
      ] as const
    ).filter(acceptsConfigChange);
    assert.deepEqual(accepting, ['Unconfigured', 'RolesConfigured', 'OperationError']);
  });
});
