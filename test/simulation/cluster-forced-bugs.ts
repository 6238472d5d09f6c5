/** Bugs planted where somebody promotes by force. */
import type { Topology } from '../../runtime/src/contract/cluster-config.ts';
import { appointmentSchema, providerKeys } from '../../runtime/src/contract/provider-records.ts';
import type { InternalHandlers } from '../../runtime/src/ports/peers.ts';
import type { ProviderWrite, StateProvider } from '../../runtime/src/ports/state-provider.ts';
import { bound } from './cluster-bug-ports.ts';
import type { ClusterBug } from './cluster-bugs.ts';
import { forcedFocus } from './cluster-focuses.ts';

export const forcedBugs: readonly ClusterBug[] = [
  {
    name: 'silent-is-stopped',
    rule: 'nobody is promoted by force while an instance that is not known to be stopped may write on',
    ...{ from: 2, finding: /two are writable|misses acknowledged rows/, focus: forcedFocus },
    plant: ({ world }) => ({
      handlers: (handlers) => silentIsStopped(handlers, Object.keys(world.topology.servers)),
    }),
  },
  {
    name: 'loss-not-counted',
    rule: 'what is given up by a promotion by force is counted',
    ...{ from: 1, finding: /rows count as given up/, focus: forcedFocus },
    plant: () => ({
      provider: (provider, of) => (of === 'coordinator' ? lossNotCounted(provider) : provider),
    }),
  },
  {
    name: 'member-not-asked',
    rule: 'nothing is given up by force where an in-sync member is still there',
    ...{ from: 4, finding: /was forced, and in-sync .* is there/, focus: forcedFocus },
    plant: () => ({ topology: withoutMiddle }),
  },
];

/** Whoever does not answer is taken for one that somebody has stopped. */
function silentIsStopped(handlers: InternalHandlers, all: readonly string[]): InternalHandlers {
  const promote = handlers.get('coordinator.promote');
  if (promote === undefined) return handlers;
  const changed = (body: unknown): Promise<unknown> => {
    const { force, ...request } = body as { readonly force: object };
    return promote({ ...request, force: { ...force, stopped: all } });
  };
  return new Map([...handlers, ['coordinator.promote', changed]]);
}

function lossNotCounted(provider: StateProvider): StateProvider {
  const changed = (write: ProviderWrite): ProviderWrite => {
    if (write.kind !== 'put' || !write.key.startsWith(providerKeys.leaders)) return write;
    const { forced, ...appointment } = appointmentSchema.parse(JSON.parse(write.value));
    const uncounted = forced && { forced: { ...forced, rowsLost: 0 } };
    return { ...write, value: JSON.stringify({ ...appointment, ...uncounted }) };
  };
  return {
    ...bound(provider),
    transact: (transaction, options) =>
      provider.transact({ ...transaction, writes: transaction.writes.map(changed) }, options),
  };
}

/** The second instance of the last set is taken for expelled, and not asked. */
function withoutMiddle(topology: Topology): Topology {
  const last = Object.values(topology.replicasets).at(-1);
  const [, second = ''] = last?.failover_priority ?? [];
  return { ...topology, servers: { ...topology.servers, [second]: 'expelled' } };
}
