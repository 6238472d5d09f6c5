import type { StateProviderConfig } from '../contract/cluster-config.ts';
import type { StateProvider } from '../ports/state-provider.ts';
import { EtcdStateProvider } from './etcd-state-provider.ts';
import { StateboardStateProvider } from './stateboard-state-provider.ts';

/** A new client of the state provider that a cluster config names. */
export function createStateProvider(config: StateProviderConfig): StateProvider {
  if (config.kind === 'stateboard') return new StateboardStateProvider(config);
  const { endpoints, prefix, username, password } = config;
  return new EtcdStateProvider({
    endpoints,
    prefix,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  });
}
