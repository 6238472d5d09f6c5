/**
 * Leadership without a state provider: the first of the failover priority that may lead, alive or not (FO-25).
 *
 * Nothing fences an old leader here. Each start of a leader, and each change of the priority to it, takes a term of
 * its own, on disk before it counts; the in-sync members are kept on the leader's disk alone.
 */
import type { Topology } from '../contract/cluster-config.ts';
import type { InstanceIdentity } from '../contract/identity.ts';
import type { Issue } from '../contract/instance-status.ts';
import type { Seat } from '../contract/provider-records.ts';
import { ClusterError } from '../core/errors.ts';
import { configuredLeader } from '../core/failover/leader-order.ts';
import type { InSyncOutcome, Leadership } from '../ports/leadership.ts';
import type { InSyncFile } from './in-sync-file.ts';
import type { KnownLeader, LeadershipEngine } from './leadership-engine.ts';
import { LocalTerm } from './local-term.ts';
import type { ReplicaSetStorage } from './replica-set-storage.ts';

export interface DisabledLeadershipOptions {
  readonly identity: InstanceIdentity;
  readonly replicaSetUuid: string;
  readonly storage: ReplicaSetStorage;
  readonly file: InSyncFile;
  readonly onChange: () => void;
  readonly onLeadersChange: () => void;
}

export class DisabledLeadership implements LeadershipEngine {
  readonly #options: DisabledLeadershipOptions;
  readonly #own: LocalTerm;
  #topology: Topology | undefined;

  constructor(options: DisabledLeadershipOptions) {
    this.#options = options;
    this.#own = new LocalTerm(options);
  }

  current(): Leadership {
    const leader = this.#leaderUuid(this.#options.replicaSetUuid);
    const term = this.#options.storage.report().promisedTerm;
    if (leader === undefined) {
      return { kind: 'none', term, reason: 'no instance of the replica set may lead' };
    }
    if (leader !== this.#options.identity.uuid) return { kind: 'follower', term, leader };
    const { led } = this.#own;
    if (led === undefined) return { kind: 'none', term, reason: 'the term is being stored' };
    return { kind: 'leader', ...led, deadlineMs: Number.POSITIVE_INFINITY };
  }

  leaderOf(replicaSetUuid: string): KnownLeader | undefined {
    const uuid = this.#leaderUuid(replicaSetUuid);
    const own = replicaSetUuid === this.#options.replicaSetUuid;
    return uuid === undefined ? undefined : { uuid, term: own ? this.current().term : 0 };
  }

  async configure(topology: Topology): Promise<void> {
    const before = this.#topology;
    this.#topology = topology;
    if (!this.#leads) this.#own.end();
    else if (this.#own.led === undefined) await this.#lead();
    if (before !== topology) {
      this.#options.onChange();
      this.#options.onLeadersChange();
    }
  }

  proposeInSync(seats: readonly Seat[], reason: string): Promise<InSyncOutcome> {
    return this.#own.proposeInSync(seats, reason);
  }

  promising(): void {
    throw new ClusterError('STATE_FORBIDS', {
      message: 'Failover is disabled here: the config says who leads, and no coordinator may ask.',
    });
  }

  handover(): Promise<KnownLeader> {
    throw new ClusterError('STATE_FORBIDS', {
      message:
        'Failover is disabled: change the failover priority of the replica set to move leadership.',
    });
  }

  issues(): readonly Issue[] {
    return [];
  }

  async run(): Promise<void> {
    return Promise.resolve();
  }

  async release(): Promise<void> {
    return Promise.resolve();
  }

  async #lead(): Promise<void> {
    const { identity, storage, file } = this.#options;
    const { promisedTerm, position } = storage.report();
    const last = file.last;
    const term = Math.max(promisedTerm, position.term, last?.term ?? 0) + 1;
    const others = last?.leader === identity.uuid ? last.inSync : [];
    const inSync = [this.#own.ownSeat, ...others.filter(({ uuid }) => uuid !== identity.uuid)];
    await this.#own.begin({ term, inSync }, 'configured', () => this.#leads);
  }

  get #leads(): boolean {
    return this.#leaderUuid(this.#options.replicaSetUuid) === this.#options.identity.uuid;
  }

  #leaderUuid(replicaSetUuid: string): string | undefined {
    return this.#topology && configuredLeader(this.#topology, replicaSetUuid);
  }
}
