/** Bugs planted where a coordinator moves leaders that hold their lease. */
import type { Topology } from '../../runtime/src/contract/cluster-config.ts';
import type { Peers } from '../../runtime/src/ports/peers.ts';
import type { ClusterBug } from './cluster-bugs.ts';
import { pausedFocus, spreadFocus, unhealthyFocus } from './cluster-focuses.ts';

export const moveBugs: readonly ClusterBug[] = [
  {
    name: 'hears-of-no-pause',
    rule: 'nobody is appointed by itself while failover is paused',
    ...{ from: 1, finding: /while it was paused/, focus: pausedFocus },
    plant: () => ({ hearsOfNoPause: true }),
  },
  {
    name: 'health-asked-once',
    rule: 'a leader that says of itself that it cannot work is left, for one that can',
    ...{ from: 1, finding: /stays the leader|was not well then/, focus: unhealthyFocus },
    plant: () => ({ peers: healthAskedOnce }),
  },
  {
    name: 'no-immunity',
    rule: 'nobody is left soon after its appointment by a decision that could wait',
    ...{ from: 5, finding: /ms after the one before/, focus: unhealthyFocus },
    plant: () => ({ topology: withoutImmunity }),
  },
  {
    name: 'zones-of-others',
    rule: 'a leader goes to another zone only if leaders are more evenly spread then',
    ...{ from: 1, finding: /to spread them; it does not|leaders more than another/ },
    focus: spreadFocus,
    plant: () => ({ topology: inZonesOfOthers }),
  },
];

/** What an instance has said of itself first is believed for ever. */
function healthAskedOnce(peers: Peers): Peers {
  const known = new Map<string, unknown>();
  return {
    call: async (address, method, body, options) => {
      if (method !== 'status') return peers.call(address, method, body, options);
      const answer = known.get(address) ?? (await peers.call(address, method, body, options));
      known.set(address, answer);
      return answer;
    },
  };
}

function withoutImmunity(topology: Topology): Topology {
  return { ...topology, failover: { ...topology.failover, immunity_timeout: 0 } };
}

/** The first instance of a set is taken for one in the zone of the second, and the other way round; not in the first set. */
function inZonesOfOthers(topology: Topology): Topology {
  const swapped = new Map([
    ['zone-0', 'zone-1'],
    ['zone-1', 'zone-0'],
  ]);
  const first = Object.keys(topology.replicasets)[0];
  const servers = Object.entries(topology.servers).map(([uuid, server]) => {
    const isOther = server !== 'expelled' && server.replicaset_uuid !== first;
    return [uuid, isOther ? { ...server, zone: swapped.get(server.zone ?? '') } : server];
  });
  return { ...topology, servers: Object.fromEntries(servers) as Topology['servers'] };
}
