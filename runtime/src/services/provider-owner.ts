/**
 * Whose state provider is this? The active coordinator stores the UUID of its cluster and a hash of the cookie, each
 * once (FO-34).
 *
 * With another UUID below the prefix nothing is read or written: those are the leaders of another cluster. Another
 * cookie is only told of, since that of this cluster may have been changed; it is read again in each round, so that
 * the issue goes when the record does.
 */
import type { StateProviderConfig, Topology } from '../contract/cluster-config.ts';
import type { InstanceIdentity } from '../contract/identity.ts';
import type { Issue } from '../contract/instance-status.ts';
import { cookieHashSchema, identitySchema, providerKeys } from '../contract/provider-records.ts';
import { deleteCommand } from '../core/failover/delete-command.ts';
import type { Logger } from '../foundation/logger.ts';
import type { ProviderCompare, ProviderWrite, StateProvider } from '../ports/state-provider.ts';
import type { View } from './coordinator-view.ts';
import { parseRecord } from './stored-records.ts';

export interface ProviderOwnerOptions {
  readonly provider: StateProvider;
  readonly config: StateProviderConfig;
  readonly identity: InstanceIdentity;
  readonly logger: Logger;
  readonly ttlMs: number;
  /** SHA-256, hex; undefined: nothing is compared (FO-17). */
  readonly cookieHash: string | undefined;
  /** Compares the lock of the coordinator too; false when nothing is known to have happened. */
  readonly transact: (
    compare: readonly ProviderCompare[],
    writes: readonly ProviderWrite[],
    signal: AbortSignal,
  ) => Promise<boolean>;
}

type Owner = 'unknown' | 'us' | 'another';

export class ProviderOwner {
  readonly #options: ProviderOwnerOptions;
  #ofPrefix: Owner = 'unknown';
  #ofCookie: Owner = 'unknown';

  constructor(options: ProviderOwnerOptions) {
    this.#options = options;
  }

  /** False: it serves another cluster, and is left alone. Throws what the provider throws. */
  async isUs(topology: Topology, view: View, signal: AbortSignal): Promise<boolean> {
    const found = await this.#findOwner(topology, view, signal);
    if (found === 'another' && this.#ofPrefix !== found) {
      this.#options.logger.error({}, 'the state provider is used by another cluster; left alone');
    }
    this.#ofPrefix = found;
    if (found === 'another') return false;
    await this.#compareCookie(signal);
    return true;
  }

  issues(): readonly Issue[] {
    const message = this.#describe();
    return message === undefined ? [] : [{ level: 'critical', topic: 'failover', message }];
  }

  #describe(): string | undefined {
    if (this.#ofPrefix === 'another') {
      return 'The state provider, with this prefix, is already used by another cluster: no leader is appointed. Give each cluster a prefix of its own.';
    }
    if (this.#ofCookie !== 'another') return undefined;
    const command = deleteCommand(this.#options.config, providerKeys.cookieHash);
    return `The state provider, with this prefix, is already used by another cluster, or the cookie of this one was changed. Give each cluster a prefix of its own; after a change of the cookie delete the hash of the old one, the new one is stored soon: ${command} (or check_cookie_hash false, then nothing is compared).`;
  }

  /** A provider without identity gets it once all replica sets are known there. */
  async #findOwner({ replicasets }: Topology, view: View, signal: AbortSignal): Promise<Owner> {
    const { clusterUuid } = this.#options.identity;
    if (view.identity !== undefined) {
      const { clusterUuid: stored } = parseRecord(view.identity, identitySchema);
      return stored === clusterUuid ? 'us' : 'another';
    }
    if (!Object.keys(replicasets).every((uuid) => view.leaders.has(uuid))) return 'unknown';
    const isStored = await this.#store(providerKeys.identity, { v: 1, clusterUuid }, signal);
    return isStored ? 'us' : 'unknown';
  }

  async #compareCookie(signal: AbortSignal): Promise<void> {
    const { provider, ttlMs, cookieHash: sha256 } = this.#options;
    if (sha256 === undefined || this.#ofCookie === 'us') return;
    const key = providerKeys.cookieHash;
    const entry = await provider.get(key, { timeoutMs: ttlMs / 3, signal });
    if (entry !== undefined) {
      const isOwn = parseRecord(entry, cookieHashSchema).sha256 === sha256;
      this.#ofCookie = isOwn ? 'us' : 'another';
    } else if (await this.#store(key, { v: 1, sha256 }, signal)) this.#ofCookie = 'us';
  }

  #store(key: string, record: object, signal: AbortSignal): Promise<boolean> {
    const value = JSON.stringify(record);
    return this.#options.transact([{ key, revision: 0 }], [{ kind: 'put', key, value }], signal);
  }
}
