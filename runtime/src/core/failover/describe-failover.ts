/**
 * Who leads each replica set, from what the instances of a cluster say of themselves.
 *
 * Whoever takes writes in the highest term leads; where nobody does, the leader of the highest term that anybody of the
 * replica set knows. An instance that did not answer is told of as such: what it would say is not guessed.
 */
import type { Server, Topology } from '../../contract/cluster-config.ts';
import type { FailoverOverview, LedReplicaSet } from '../../contract/failover-overview.ts';
import type { InstanceStatus, ReplicaSetView } from '../../contract/instance-status.ts';

/** By UUID; those that did not answer are missing. */
export type Statuses = ReadonlyMap<string, InstanceStatus>;

/** What an issue must be about to be shown. */
const TOPICS: readonly string[] = ['failover', 'state-provider', 'forced-promotion', 'lost-rows'];

export function describeFailover(topology: Topology, statuses: Statuses): FailoverOverview {
  const { mode, state_provider: provider } = topology.failover;
  const answers = [...statuses.values()].sort((a, b) => compareNames(a.name, b.name));
  const suppressed = new Set(answers.flatMap((one) => one.suppressedReplicaSets));
  return {
    mode,
    stateProvider: mode === 'stateful' ? (provider?.kind ?? null) : null,
    coordinator: answers.find((one) => one.isActiveCoordinator)?.name ?? null,
    pausedOn: answers.filter((one) => one.isFailoverPaused).map(({ name }) => name),
    replicaSets: Object.entries(topology.replicasets)
      .map(([uuid, { alias }]) => ({
        ...describeReplicaSet(uuid, topology, statuses),
        name: alias,
        isSuppressed: suppressed.has(uuid),
      }))
      .sort((a, b) => compareNames(a.name, b.name)),
    issues: answers.flatMap(({ name, issues }) =>
      issues
        .filter(({ topic }) => TOPICS.includes(topic))
        .map((issue) => ({ ...issue, instance: name })),
    ),
  };
}

function describeReplicaSet(
  uuid: string,
  topology: Topology,
  statuses: Statuses,
): Omit<LedReplicaSet, 'name' | 'isSuppressed'> {
  const members = membersOf(topology, uuid);
  const views = members.flatMap(([member]) => {
    const view = statuses.get(member)?.replicaSet;
    return view?.uuid === uuid ? [{ member, view }] : [];
  });
  const highest = (found: typeof views): (typeof views)[number] | undefined =>
    found.toSorted((a, b) => b.view.term - a.view.term)[0];
  const writing = highest(views.filter(({ view }) => view.writable));
  const knowing = highest(views.filter(({ view }) => view.leader !== null));
  const leader = writing?.member ?? knowing?.view.leader ?? undefined;
  const ofLeader = views.find(({ member }) => member === leader)?.view;
  const view = ofLeader ?? knowing?.view;
  return {
    uuid,
    leader: leader === undefined ? null : { uuid: leader, name: nameIn(topology, leader) },
    term: view?.term ?? 0,
    state: stateOf(leader, ofLeader),
    members: members.map(([member, server]) => ({
      uuid: member,
      name: server.alias,
      isDisabled: server.disabled,
      isElectable: server.electable,
      state: statuses.get(member)?.state ?? null,
      isInSync: view?.inSync.includes(member) ?? false,
    })),
  };
}

function stateOf(
  leader: string | undefined,
  view: ReplicaSetView | undefined,
): LedReplicaSet['state'] {
  if (leader === undefined) return 'none';
  if (view === undefined) return 'silent';
  if (!view.writable) return 'read-only';
  return view.peerLeases ? 'peer-leases' : 'writable';
}

/** In the failover priority of the replica set. */
function membersOf(topology: Topology, uuid: string): readonly (readonly [string, Server])[] {
  const priority = topology.replicasets[uuid]?.failover_priority ?? [];
  return priority.flatMap((member) => {
    const server = topology.servers[member];
    return server === undefined || server === 'expelled' ? [] : [[member, server] as const];
  });
}

function nameIn(topology: Topology, uuid: string): string {
  const server = topology.servers[uuid];
  return server === undefined || server === 'expelled' ? uuid : server.alias;
}

function compareNames(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
