/**
 * A client of the state provider that a cluster config names.
 *
 * The client of etcd is by far the largest package of an instance: it is loaded when there is an etcd to talk to, and
 * a cluster on a stateboard starts without it.
 */
import type { StateProviderConfig } from '../contract/cluster-config.ts';
import {
  type ProviderCallOptions,
  type ProviderChange,
  type ProviderEntry,
  ProviderError,
  type ProviderListing,
  type ProviderOutcome,
  type ProviderPlace,
  type ProviderTransaction,
  type StateProvider,
} from '../ports/state-provider.ts';
import { StateboardStateProvider } from './stateboard-state-provider.ts';

export function createStateProvider(config: StateProviderConfig): StateProvider {
  return config.kind === 'stateboard'
    ? new StateboardStateProvider(config)
    : new LoadingStateProvider(openEtcd(config));
}

/** After this, `createStateProvider` for such a config reads no file any more. */
export async function loadStateProvider(config: StateProviderConfig): Promise<void> {
  if (config.kind === 'etcd') await import('./etcd-state-provider.ts');
}

async function openEtcd(
  config: Extract<StateProviderConfig, { readonly kind: 'etcd' }>,
): Promise<StateProvider> {
  const { EtcdStateProvider } = await import('./etcd-state-provider.ts');
  const { endpoints, prefix, username, password } = config;
  return new EtcdStateProvider({
    endpoints,
    prefix,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  });
}

/** Calls wait for the client; one that cannot be loaded has sent nothing. */
class LoadingStateProvider implements StateProvider {
  readonly #client: Promise<StateProvider>;

  constructor(client: Promise<StateProvider>) {
    this.#client = client.catch((cause: unknown) => {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ProviderError('refused', `the client of etcd cannot be loaded: ${why}`, { cause });
    });
    // Each call tells; there may be none.
    this.#client.catch(() => undefined);
  }

  async get(key: string, options: ProviderCallOptions): Promise<ProviderEntry | undefined> {
    return (await this.#client).get(key, options);
  }

  async list(
    prefix: string | readonly string[],
    options: ProviderCallOptions,
  ): Promise<ProviderListing> {
    return (await this.#client).list(prefix, options);
  }

  async transact(
    transaction: ProviderTransaction,
    options: ProviderCallOptions,
  ): Promise<ProviderOutcome> {
    return (await this.#client).transact(transaction, options);
  }

  async watch(
    prefix: string,
    fromRevision: number,
    onChanges: (changes: readonly ProviderChange[]) => void,
    signal: AbortSignal,
  ): Promise<void> {
    return (await this.#client).watch(prefix, fromRevision, onChanges, signal);
  }

  async placeOf(revision: number): Promise<ProviderPlace> {
    return (await this.#client).placeOf(revision);
  }

  async revisionAt(place: ProviderPlace): Promise<number> {
    return (await this.#client).revisionAt(place);
  }

  async check(options: ProviderCallOptions): Promise<readonly string[]> {
    const client = await this.#client.catch(() => undefined);
    return (await client?.check?.(options)) ?? [];
  }

  async close(): Promise<void> {
    const client = await this.#client.catch(() => undefined);
    await client?.close();
  }
}
