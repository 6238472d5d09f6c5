/**
 * Who leads in mode `eventual`: what gossip tells, judged by one rule everywhere (FO-26).
 *
 * A healthy instance that says that it leads stays the leader; of several, one that a majority has followed, and of
 * those the one that began last. Where none says so, the first of the failover priority leads that is healthy and had
 * the rows of the leader before. An instance that comes back is not ready before it has them (FO-27): the leader then
 * hands over to it, without a lost row, if it is wanted more. Gossip is an opinion: two may lead until it agrees.
 */
import type { Topology } from '../../contract/cluster-config.ts';
import type { Position } from '../../contract/instance-status.ts';
import type { Seat } from '../../contract/provider-records.ts';
import type { GossipEntry } from '../membership/entry.ts';
import type { Candidate } from './candidate.ts';
import { leaderOrder } from './leader-order.ts';
import { comparePositions } from './seats.ts';

/** What an instance tells of itself by gossip, beside its `uuid`, `alias` and `state`. */
export interface LeadershipPayload {
  /** Whom it follows, or itself when it leads. */
  readonly leader_uuid: string;
  /** The term of that leader; without one the highest that this instance has promised. */
  readonly raft_term: string;
  /** `yes` when a majority has followed it since it leads. */
  readonly backed: 'yes' | 'no';
  /** `yes` when it had all rows of the leader that it follows, or followed last. */
  readonly ready: 'yes' | 'no';
  /** `term:sequence` of its last row, told only while no leader is in sight. */
  readonly position: string;
}

/** What was heard of an instance. */
export type HeardInstance = Pick<GossipEntry, 'status' | 'payload'>;

export interface EventualMember extends Candidate {
  /** Alive or suspected, the instance of the config, and with roles (FO-26). */
  readonly isHealthy: boolean;
  /** Alive, and the instance of the config: a suspected one is not seen (FO-81). */
  readonly isSeen: boolean;
  readonly leader: string;
  readonly term: number;
  /** A majority has followed it since it leads. */
  readonly isBacked: boolean;
  readonly isReady: boolean;
  readonly position: Position | undefined;
}

export interface EventualLeader {
  readonly uuid: string;
  /** 0 while it has not said in which term it leads. */
  readonly term: number;
  readonly reason: 'leads' | 'first-ready' | 'longest-log' | 'none-ready';
}

const HEALTHY_STATES: readonly string[] = ['ConfiguringRoles', 'RolesConfigured'];

/** The instances of a replica set, most wanted leader first. */
export function readMembers(
  topology: Topology,
  replicaSetUuid: string,
  entries: ReadonlyMap<string, HeardInstance>,
): readonly EventualMember[] {
  return leaderOrder(topology, replicaSetUuid).map((candidate) => {
    const server = topology.servers[candidate.uuid];
    const entry =
      server === undefined || server === 'expelled' ? undefined : entries.get(server.uri);
    return { ...candidate, ...readEntry(candidate.uuid, entry) };
  });
}

function readEntry(
  uuid: string,
  entry: HeardInstance | undefined,
): Omit<EventualMember, keyof Candidate> {
  const payload = entry?.payload ?? {};
  const isIt = payload['uuid'] === uuid;
  const isThere = isIt && (entry?.status === 'alive' || entry?.status === 'suspect');
  return {
    isHealthy: isThere && HEALTHY_STATES.includes(payload['state'] ?? ''),
    isSeen: isIt && entry?.status === 'alive',
    leader: payload['leader_uuid'] ?? '',
    term: toCount(payload['raft_term']),
    isBacked: payload['backed'] === 'yes',
    isReady: payload['ready'] === 'yes',
    position: readPosition(payload['position']),
  };
}

export function renderPosition({ term, sequence }: Position): string {
  return `${term}:${sequence}`;
}

function readPosition(text: string | undefined): Position | undefined {
  const parts = /^(\d{1,16}):(\d{1,16})$/.exec(text ?? '');
  return parts === null ? undefined : { term: toCount(parts[1]), sequence: toCount(parts[2]) };
}

/** Whatever a peer sends, it is a whole number. */
function toCount(text: string | undefined): number {
  const value = /^\d{1,16}$/.test(text ?? '') ? Number(text) : 0;
  return Number.isSafeInteger(value) ? value : 0;
}

export function chooseEventualLeader(
  members: readonly EventualMember[],
): EventualLeader | undefined {
  const candidates = members.filter(mayLead);
  const leader = leaderInOffice(members);
  if (leader !== undefined) return { uuid: leader.uuid, term: leader.term, reason: 'leads' };
  const ready = candidates.find(({ isHealthy, isReady }) => isHealthy && isReady);
  if (ready !== undefined) return { uuid: ready.uuid, term: 0, reason: 'first-ready' };
  const [first] = candidates;
  return first && { uuid: first.uuid, term: 0, reason: 'none-ready' };
}

/** One that took leadership while it was alone gives way to one that has been followed, whatever the terms are. */
function leaderInOffice(members: readonly EventualMember[]): Claim | undefined {
  return members
    .filter((member) => mayLead(member) && member.isHealthy)
    .flatMap((member) => claimOf(member, members) ?? [])
    .toSorted((a, b) => Number(b.isBacked) - Number(a.isBacked) || b.term - a.term)[0];
}

interface Claim {
  readonly uuid: string;
  readonly term: number;
  readonly isBacked: boolean;
}

/**
 * Whoever follows it may have told before it has. It tells no lower term than it has ever led in, also after a start,
 * so what others say of an earlier time counts for nothing.
 */
function claimOf(member: EventualMember, members: readonly EventualMember[]): Claim | undefined {
  const { uuid, isBacked } = member;
  const later = members.filter(
    (other) => other.isHealthy && other.leader === uuid && other.term > member.term,
  );
  if (later.length > 0) {
    return { uuid, term: Math.max(...later.map(({ term }) => term)), isBacked: true };
  }
  return member.leader === uuid ? { uuid, term: member.term, isBacked } : undefined;
}

/** Does a majority of the set follow it? A set of one or two has no majority worth the name. */
export function isFollowed(members: readonly EventualMember[], leader: string): boolean {
  const enabled = members.filter(({ disabled }) => !disabled);
  if (enabled.length < FENCED_FROM) return true;
  const followers = enabled.filter((one) => one.isHealthy && one.leader === leader);
  return followers.length > enabled.length / 2;
}

/**
 * Where nobody leads and nobody is ready, as after a start of all: the longest log. `isPatient` while those that were
 * not heard yet may still have a longer one; then undefined says that they are waited for.
 */
export function chooseLongestLog(
  members: readonly EventualMember[],
  isPatient: boolean,
): string | undefined {
  const candidates = members.filter(mayLead);
  const heard = candidates.flatMap(({ uuid, isHealthy, position }) =>
    isHealthy && position !== undefined ? [{ uuid, position }] : [],
  );
  if (isPatient && heard.length < candidates.length) return undefined;
  return heard.toSorted((a, b) => comparePositions(b.position, a.position))[0]?.uuid;
}

/** What a leader knows of its followers, better than gossip does. */
export interface LeaderView {
  readonly uuid: string;
  readonly inSync: readonly Seat[];
}

/** To whom the leader gives leadership back: one that is wanted more, or anyone where it may not lead any more. */
export function chooseSuccessor(
  members: readonly EventualMember[],
  leader: LeaderView,
): string | undefined {
  const own = members.find(({ uuid }) => uuid === leader.uuid);
  const index = own !== undefined && mayLead(own) ? members.indexOf(own) : members.length;
  return chooseHeir(members.slice(0, index), leader);
}

/** To whom a leader that ends hands over. */
export function chooseHeir(
  members: readonly EventualMember[],
  leader: LeaderView,
): string | undefined {
  const caughtUp = new Set(leader.inSync.map(({ uuid }) => uuid));
  return members.find((member) => {
    const { uuid, isHealthy, isSeen } = member;
    return uuid !== leader.uuid && mayLead(member) && isHealthy && isSeen && caughtUp.has(uuid);
  })?.uuid;
}

/** A set of one or two instances has no majority worth the name: there it is always seen. */
export function seesMajority(members: readonly EventualMember[], own: string): boolean {
  const enabled = members.filter(({ disabled }) => !disabled);
  if (enabled.length < FENCED_FROM) return true;
  const seen = enabled.filter(({ uuid, isSeen }) => isSeen || uuid === own);
  return seen.length > enabled.length / 2;
}

/** Fencing by connectivity needs as many enabled instances. */
export const FENCED_FROM = 3;

export function mayLead({ electable, disabled }: Candidate): boolean {
  return electable && !disabled;
}
