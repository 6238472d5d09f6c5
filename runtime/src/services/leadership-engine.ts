/** One way to find out who leads: with a state provider, by membership, or by the config alone. */
import type { Topology } from '../contract/cluster-config.ts';
import type { Issue, Position } from '../contract/instance-status.ts';
import type { Appointment, Seat } from '../contract/provider-records.ts';
import type { GivenGrant, GrantRequest } from '../core/failover/peer-lease.ts';
import type { InSyncOutcome, Leadership } from '../ports/leadership.ts';
import type { InternalHandlers } from '../ports/peers.ts';
import type { ProviderPlace } from '../ports/state-provider.ts';
import type { PreparedLease } from './lease-keeper.ts';
import type { GrantAnswer } from './peer-lease-holder.ts';

export interface KnownLeader {
  readonly uuid: string;
  readonly term: number;
}

/** Asked by a leader that has frozen its rows at this position. */
export interface TakeRequest {
  readonly from: string;
  readonly term: number;
  readonly position: Position;
  /** A majority has followed it. */
  readonly isBacked: boolean;
}

/** What a leader that has handed over tells its successor. */
export interface ToldAppointment {
  readonly appointment: Appointment;
  readonly place: ProviderPlace;
  readonly nonce: string;
}

export interface LeadershipEngine {
  current(): Leadership;
  leaderOf(replicaSetUuid: string): KnownLeader | undefined;
  configure(topology: Topology): Promise<void>;
  proposeInSync(seats: readonly Seat[], reason: string): Promise<InSyncOutcome>;
  /** Refused by a throw while this instance leads that term or a higher one; ends leadership of lower ones. */
  promising(term: number): void;
  handover(target: string | undefined, reason: string): Promise<KnownLeader>;
  /** Takes leadership over; left out where only a state provider gives it. */
  take?(request: TakeRequest): Promise<KnownLeader>;
  /** Rejects when the state provider does not answer this instance. */
  probe?(): Promise<void>;
  /** The leader of now is about to hand over to this instance, in this term. */
  prepare?(term: number): PreparedLease;
  /**
   * The former leader says that this appointment was stored, with the lease that had been prepared; the state provider
   * would say so too, but later.
   */
  appointed?(told: ToldAppointment): Promise<void>;
  /** What this engine answers to its peers, beside what every engine does. */
  handlers?(): InternalHandlers;
  issues(): readonly Issue[];
  run(signal: AbortSignal): Promise<void>;
  /** The leader asks for a peer lease; without a state provider there are none. */
  grant?(request: GrantRequest): Promise<GrantAnswer>;
  /** Can its holder be shown to have given up, or to be dead? */
  isGrantOver?(grant: GivenGrant): Promise<boolean>;
  /** Gives up what this instance leads, so that nobody has to wait for it. Before `run` is aborted. */
  release(signal: AbortSignal): Promise<void>;
}
