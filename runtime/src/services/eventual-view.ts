/** What one instance makes of gossip in mode `eventual`: who the members of all sets are, and who leads each. */
import type { Topology } from '../contract/cluster-config.ts';
import {
  chooseEventualLeader,
  chooseLongestLog,
  type EventualLeader,
  type EventualMember,
  readMembers,
} from '../core/failover/eventual-leader.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Membership } from '../ports/membership.ts';
import type { KnownLeader } from './leadership-engine.ts';

export interface EventualViewOptions {
  readonly membership: Membership;
  readonly clock: Clock;
  readonly ownUuid: string;
  readonly replicaSetUuid: string;
}

/** What an instance knows of itself, and may not have told yet. */
export type OwnView = Pick<EventualMember, 'leader' | 'term' | 'isBacked' | 'isReady' | 'position'>;

export class EventualView {
  readonly #options: EventualViewOptions;
  #sets: readonly (readonly [string, readonly EventualMember[]])[] = [];
  #members: readonly EventualMember[] = [];
  #leaders: ReadonlyMap<string, KnownLeader> = new Map();
  #chosen: EventualLeader | undefined;
  #leaderlessSinceMs: number;

  constructor(options: EventualViewOptions) {
    this.#options = options;
    this.#leaderlessSinceMs = options.clock.monotonicMs();
  }

  /** Of the own replica set, most wanted leader first. */
  get members(): readonly EventualMember[] {
    return this.#members;
  }

  /** Of the own replica set, as this instance judges; itself too. */
  get chosen(): EventualLeader | undefined {
    return this.#chosen;
  }

  /** Whom this instance follows, and in which term. */
  get followed(): KnownLeader | undefined {
    const chosen = this.#chosen;
    if (chosen?.reason !== 'leads' || chosen.uuid === this.#options.ownUuid) return undefined;
    return { uuid: chosen.uuid, term: chosen.term };
  }

  read(topology: Topology, own: OwnView): void {
    const { membership, replicaSetUuid, ownUuid } = this.#options;
    const entries = new Map(membership.entries().map((entry) => [entry.uri, entry]));
    this.#sets = Object.keys(topology.replicasets).map(
      (uuid) => [uuid, readMembers(topology, uuid, entries)] as const,
    );
    const members = this.#sets.find(([uuid]) => uuid === replicaSetUuid)?.[1] ?? [];
    this.#members = members.map((one) => (one.uuid === ownUuid ? { ...one, ...own } : one));
  }

  /** Before gossip tells of it. */
  follow({ uuid, term }: KnownLeader): void {
    this.#chosen = { uuid, term, reason: 'leads' };
  }

  /** The rule of all, and for a set without any leader the longest log. */
  choose(patienceMs: number): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#chosen = chooseEventualLeader(this.#members);
    if (this.#chosen?.reason !== 'none-ready') {
      this.#leaderlessSinceMs = nowMs;
      return;
    }
    const longest = chooseLongestLog(this.#members, nowMs < this.#leaderlessSinceMs + patienceMs);
    if (longest !== undefined) this.#chosen = { uuid: longest, term: 0, reason: 'longest-log' };
  }

  leaderOf(replicaSetUuid: string): KnownLeader | undefined {
    return this.#leaders.get(replicaSetUuid);
  }

  /** True when the leader of any set is another one now. */
  setLeaders(own: KnownLeader | undefined): boolean {
    const { replicaSetUuid } = this.#options;
    const leaders = this.#sets.flatMap(([uuid, members]): (readonly [string, KnownLeader])[] => {
      const of = own ?? this.#chosen;
      const chosen = uuid === replicaSetUuid ? of : chooseEventualLeader(members);
      return chosen === undefined ? [] : [[uuid, { uuid: chosen.uuid, term: chosen.term }]];
    });
    const before = JSON.stringify([...this.#leaders]);
    this.#leaders = new Map(leaders);
    return before !== JSON.stringify(leaders);
  }
}
