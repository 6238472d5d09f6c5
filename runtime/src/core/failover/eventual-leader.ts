/**
 * Who leads in mode `eventual`: what gossip tells, judged by one rule everywhere (FO-26).
 *
 * A healthy instance that says that it leads stays the leader; of several, the one that most instances follow, and of
 * those the one that began last. Where none says so, the first of the failover priority leads that is healthy and had
 * the rows of the leader before. An instance that comes back is not ready before it has them (FO-27): the leader then
 * hands over to it, without a lost row, if it is wanted more. Gossip is an opinion: two may lead until it agrees.
 */
import type { Topology } from '../../contract/cluster-config.ts';
import type { Position } from '../../contract/instance-status.ts';
import type { GossipEntry } from '../membership/entry.ts';
import type { Candidate } from './candidate.ts';
import { leaderOrder } from './leader-order.ts';
import { comparePositions } from './seats.ts';

/** What an instance tells of itself by gossip, beside its `uuid`, `alias` and `state`. */
export interface LeadershipPayload {
  /** Whom it follows, or itself when it leads. */
  readonly leader_uuid: string;
  readonly raft_term: string;
  /** `yes` when it had all rows of the leader that it follows, or followed last. */
  readonly ready: 'yes' | 'no';
  /** `term:sequence` of its last row, told only while no leader is in sight. */
  readonly position: string;
}

export interface EventualMember extends Candidate {
  /** Alive or suspected, the instance of the config, and with roles (FO-26). */
  readonly isHealthy: boolean;
  /** Alive, and the instance of the config: a suspected one is not seen (FO-81). */
  readonly isSeen: boolean;
  readonly leader: string;
  readonly term: number;
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
  entries: ReadonlyMap<string, GossipEntry>,
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
  entry: GossipEntry | undefined,
): Omit<EventualMember, keyof Candidate> {
  const payload = entry?.payload ?? {};
  const isIt = payload['uuid'] === uuid;
  const isThere = isIt && (entry?.status === 'alive' || entry?.status === 'suspect');
  return {
    isHealthy: isThere && HEALTHY_STATES.includes(payload['state'] ?? ''),
    isSeen: isIt && entry?.status === 'alive',
    leader: payload['leader_uuid'] ?? '',
    term: toCount(payload['raft_term']),
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

/** Of two that lead, the one on the side of fewer instances has to give way, whatever its term. */
function leaderInOffice(members: readonly EventualMember[]): EventualMember | undefined {
  const followers = ({ uuid }: EventualMember): number =>
    members.filter(({ isHealthy, disabled, leader }) => isHealthy && !disabled && leader === uuid)
      .length;
  return members
    .filter((member) => mayLead(member) && member.isHealthy && member.leader === member.uuid)
    .toSorted((a, b) => followers(b) - followers(a) || b.term - a.term)[0];
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

/** To whom the leader gives leadership back: one that is wanted more, or anyone where it may not lead any more. */
export function chooseSuccessor(
  members: readonly EventualMember[],
  leader: string,
): string | undefined {
  const own = members.find(({ uuid }) => uuid === leader);
  const index = own !== undefined && mayLead(own) ? members.indexOf(own) : members.length;
  return members
    .slice(0, index)
    .find((member) => member.uuid !== leader && isSuitable(member, leader))?.uuid;
}

/** Whom a leader that ends can hand over to. */
export function chooseHeir(members: readonly EventualMember[], leader: string): string | undefined {
  return members.find((member) => member.uuid !== leader && isSuitable(member, leader))?.uuid;
}

function isSuitable(member: EventualMember, leader: string): boolean {
  const { isHealthy, isSeen, isReady } = member;
  return mayLead(member) && isHealthy && isSeen && isReady && member.leader === leader;
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
