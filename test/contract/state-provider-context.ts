/** What the parts of the contract of state providers work with. */
import type { StateProvider } from '../../runtime/src/ports/state-provider.ts';

export interface ProviderContext {
  /** With a prefix of its own. */
  readonly fresh: () => Promise<StateProvider>;
  readonly clientOf: (prefix: string) => Promise<StateProvider>;
  /** Gives the revision of the write. */
  readonly put: (provider: StateProvider, key: string, value: string) => Promise<number>;
  readonly compact: () => Promise<void>;
  readonly wipe: () => Promise<void>;
}

export const options = { timeoutMs: 5_000 };
