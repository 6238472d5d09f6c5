/** `@tonearm/operator`: the operator as a library, for `tonearm up`, which runs it unchanged in its own process. */
export type { KubeConfigSource } from './adapters/kube-server.ts';
export type { DefaultStateProvider } from './core/snapshot.ts';
export { type OperatorOptions, type RunningOperator, startOperator } from './manager.ts';
export type { OperatorKeys } from './ports/operator-keys.ts';
export { readSettings, type Settings, type SettingsVerdict } from './settings.ts';
