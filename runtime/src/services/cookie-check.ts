/**
 * Does another cluster use this state provider? The active coordinator stores a hash of the cluster's cookie, once; one
 * that finds another hash says so (FO-34). It goes on: what keeps clusters apart is the prefix, and the cookie of this
 * one may have been changed.
 */
import type { Issue } from '../contract/instance-status.ts';
import { cookieHashSchema, providerKeys } from '../contract/provider-records.ts';
import type { ProviderCompare, ProviderWrite, StateProvider } from '../ports/state-provider.ts';
import { parseRecord } from './stored-records.ts';

export interface CookieCheckOptions {
  readonly provider: StateProvider;
  readonly ttlMs: number;
  /** SHA-256, hex; undefined: nothing is checked (FO-17). */
  readonly cookieHash: string | undefined;
  /** Compares the lock of the coordinator too; false when nothing is known to have happened. */
  readonly transact: (
    compare: readonly ProviderCompare[],
    writes: readonly ProviderWrite[],
    signal: AbortSignal,
  ) => Promise<boolean>;
}

export class CookieCheck {
  readonly #options: CookieCheckOptions;
  #state: 'unknown' | 'own' | 'foreign' = 'unknown';

  constructor(options: CookieCheckOptions) {
    this.#options = options;
  }

  /** Once for each session; throws what the provider throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { provider, ttlMs, cookieHash: sha256, transact } = this.#options;
    if (sha256 === undefined || this.#state !== 'unknown') return;
    const key = providerKeys.cookieHash;
    const entry = await provider.get(key, { timeoutMs: ttlMs / 3, signal });
    if (entry !== undefined) {
      this.#state = parseRecord(entry, cookieHashSchema).sha256 === sha256 ? 'own' : 'foreign';
      return;
    }
    const value = JSON.stringify({ v: 1, sha256 });
    if (await transact([{ key, revision: 0 }], [{ kind: 'put', key, value }], signal)) {
      this.#state = 'own';
    }
  }

  issues(): readonly Issue[] {
    if (this.#state !== 'foreign') return [];
    const message =
      'The state provider, with this prefix, is already used by another cluster, or the cookie of this one was changed. Give each cluster a prefix of its own; after a change of the cookie delete the key "cookie-hash" below the prefix. With check_cookie_hash false nothing is compared.';
    return [{ level: 'critical', topic: 'failover', message }];
  }
}
