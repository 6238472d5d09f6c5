/** Decides on the peer leases that the leader of this instance's replica set asks for. */
import type { InstanceIdentity } from '../contract/identity.ts';
import { leaseSchema, providerKeys } from '../contract/provider-records.ts';
import {
  type GivenGrant,
  type GrantRequest,
  type GrantVerdict,
  judgeGrant,
  refused,
} from '../core/failover/peer-lease.ts';
import type { Clock } from '../foundation/clock.ts';
import type { StateProvider } from '../ports/state-provider.ts';
import type { PeerLeaseGrants } from './peer-lease-grants.ts';
import type { GrantAnswer } from './peer-lease-holder.ts';
import { ProviderProbe } from './provider-probe.ts';
import type { ReplicaSetStorage } from './replica-set-storage.ts';
import { isProviderTrouble, parseRecord } from './stored-records.ts';

export interface PeerLeaseGrantorOptions {
  readonly provider: StateProvider;
  readonly clock: Clock;
  readonly identity: InstanceIdentity;
  readonly replicaSetUuid: string;
  readonly ttlMs: number;
  readonly storage: ReplicaSetStorage;
  readonly grants: PeerLeaseGrants;
  readonly appointment: () => { readonly term: number; readonly leader: string } | undefined;
  /** The highest term that this instance has promised, stored or about to be. */
  readonly promisedTerm: () => number;
}

export class PeerLeaseGrantor {
  readonly #options: PeerLeaseGrantorOptions;
  readonly #probe: ProviderProbe;

  constructor(options: PeerLeaseGrantorOptions) {
    this.#options = options;
    this.#probe = new ProviderProbe(options);
  }

  async answer(request: GrantRequest, signal: AbortSignal): Promise<GrantAnswer> {
    const { grants, identity, storage } = this.#options;
    const judge = (): GrantVerdict => this.#judge(request);
    const early = judge();
    if (early.kind === 'refused') return early;
    if (!(await this.#probe.isAway(signal))) return refused('the state provider answers it');
    const verdict = await grants.grant(request, judge);
    if (verdict.kind === 'refused') return verdict;
    const incarnation = storage.report().logIncarnation;
    return { kind: 'granted', seat: { uuid: identity.uuid, incarnation } };
  }

  /** A tombstone is written by the holder once it has given up, or when its process is known to be dead. */
  async isOver(grant: GivenGrant, signal: AbortSignal): Promise<boolean> {
    const { provider, replicaSetUuid, ttlMs } = this.#options;
    try {
      const key = providerKeys.lease(replicaSetUuid);
      const entry = await provider.get(key, { timeoutMs: ttlMs / 8, signal });
      const lease = entry && parseRecord(entry, leaseSchema);
      return lease?.released === true && lease.term === grant.term && lease.holder === grant.holder;
    } catch (error) {
      if (!isProviderTrouble(error)) throw error;
      return false;
    }
  }

  #judge(request: GrantRequest): GrantVerdict {
    const { appointment, promisedTerm, storage } = this.#options;
    return judgeGrant(request, {
      appointment: appointment(),
      promisedTerm: promisedTerm(),
      seenTerm: storage.seenTerm(),
    });
  }
}
