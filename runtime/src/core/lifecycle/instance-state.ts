/**
 * The states of an instance and the transitions between them (STATE-01 … STATE-15). Pure.
 *
 * A transition outside the table is a bug of ours: it is refused, and the state stays (STATE-20).
 */
import type { InstanceStateName } from '../../contract/instance-status.ts';

const transitions: Readonly<Record<InstanceStateName, readonly InstanceStateName[]>> = {
  '': ['Unconfigured', 'ConfigFound', 'InitError'],
  Unconfigured: ['BootstrappingBox'],
  ConfigFound: ['ConfigLoaded', 'InitError'],
  ConfigLoaded: ['RecoveringSnapshot', 'BootstrappingBox'],
  BootstrappingBox: ['ConnectingFullmesh', 'BootError'],
  RecoveringSnapshot: ['ConnectingFullmesh', 'BootError'],
  ConnectingFullmesh: ['ConnectingFullmesh', 'BoxConfigured', 'BootError'],
  BoxConfigured: ['ConfiguringRoles'],
  ConfiguringRoles: ['RolesConfigured', 'OperationError'],
  RolesConfigured: ['ConfiguringRoles', 'ReloadingRoles'],
  ReloadingRoles: ['BoxConfigured', 'ReloadError'],
  InitError: [],
  BootError: [],
  OperationError: ['ConfiguringRoles', 'ReloadingRoles'],
  ReloadError: ['ReloadingRoles'],
};

const errorStates: readonly InstanceStateName[] = [
  'InitError',
  'BootError',
  'OperationError',
  'ReloadError',
];

export interface InstanceState {
  readonly name: InstanceStateName;
  readonly previous: InstanceStateName;
  /** Why the state is an error state; null otherwise. */
  readonly error: string | null;
}

export const INITIAL_STATE: InstanceState = { name: '', previous: '', error: null };

export type Transition =
  | { readonly kind: 'changed'; readonly state: InstanceState }
  | { readonly kind: 'forbidden'; readonly reason: string };

export function isErrorState(name: InstanceStateName): boolean {
  return errorStates.includes(name);
}

/** An error state without a stated error gets a generic one (STATE-21). */
export function transit(state: InstanceState, next: InstanceStateName, error?: string): Transition {
  if (!transitions[state.name].includes(next)) {
    return {
      kind: 'forbidden',
      reason: `an instance in state "${state.name}" cannot become "${next}"`,
    };
  }
  return {
    kind: 'changed',
    state: {
      name: next,
      previous: state.name,
      error: isErrorState(next)
        ? (error ?? `the instance came to ${next} for an unknown reason`)
        : null,
    },
  };
}

/** Prepare of a config change accepts these states only (STATE-29). */
export function acceptsConfigChange(name: InstanceStateName): boolean {
  return ['Unconfigured', 'RolesConfigured', 'OperationError'].includes(name);
}
