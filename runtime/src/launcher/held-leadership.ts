/** Keeps the launcher informed of what it must give back when this process is dead. */
import type { StateProviderConfig } from '../contract/cluster-config.ts';
import type { InstanceIdentity } from '../contract/identity.ts';
import type { LauncherConnection } from './parent.ts';

export interface HeldLeadershipOptions {
  readonly launcher: LauncherConnection | undefined;
  readonly identity: InstanceIdentity;
  readonly provider: () => StateProviderConfig | undefined;
}

export class HeldLeadership {
  readonly #options: HeldLeadershipOptions;
  #leases: readonly string[] = [];
  #hasLock = false;

  constructor(options: HeldLeadershipOptions) {
    this.#options = options;
  }

  leases(held: readonly { readonly replicaSetUuid: string }[]): void {
    this.#leases = held.map(({ replicaSetUuid }) => replicaSetUuid);
    this.#report();
  }

  lock(isHeld: boolean): void {
    this.#hasLock = isHeld;
    this.#report();
  }

  #report(): void {
    const { launcher, identity, provider } = this.#options;
    launcher?.report({
      provider: provider() ?? null,
      holder: identity.uuid,
      incarnation: identity.incarnation,
      leases: [...this.#leases],
      lock: this.#hasLock,
    });
  }
}
