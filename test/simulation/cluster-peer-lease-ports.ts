/** Ports of a process that breaks a rule of peer leases. */
import { providerKeys, type Seat } from '../../runtime/src/contract/provider-records.ts';
import type { Disk } from '../../runtime/src/ports/disk.ts';
import type { InternalHandlers, Peers } from '../../runtime/src/ports/peers.ts';
import { ProviderError, type StateProvider } from '../../runtime/src/ports/state-provider.ts';
import { grantAnswerSchema } from '../../runtime/src/services/peer-lease-holder.ts';
import { bound } from './cluster-bug-ports.ts';

/** A grantor that promises as if it had granted nothing. */
export function promiseInGrant(handlers: InternalHandlers): InternalHandlers {
  const grant = handlers.get('leadership.grant');
  const end = handlers.get('leadership.endGrant');
  if (grant === undefined || end === undefined) throw new Error('nobody grants peer leases');
  return new Map([
    ...handlers,
    [
      'leadership.grant',
      async (body: unknown): Promise<unknown> => {
        const answer = await grant(body);
        const { ttlMs: _, ...request } = body as { readonly ttlMs: number };
        await end(request);
        return answer;
      },
    ],
  ]);
}

/** A grant that a restart does not know of. */
export function grantForgotten(disk: Disk): Disk {
  return {
    ...disk,
    writeAtomic: (file, bytes) =>
      file === 'peer-lease.json' ? Promise.resolve() : disk.writeAtomic(file, bytes),
  };
}

/** A holder that goes on without the grant of one other seat. */
export function someSeats(peers: Peers, seats: () => readonly Seat[]): Peers {
  return {
    call: async (address, method, body, options) => {
      const spared = seats().at(-1);
      if (method !== 'leadership.grant' || address !== spared?.uuid) {
        return peers.call(address, method, body, options);
      }
      return { kind: 'granted', seat: spared };
    },
  };
}

/** A holder that counts a grant from when it hears of it: each answer is that to the question before. */
export class GrantFromAnswer {
  readonly #answers = new Map<string, Promise<unknown>>();

  peers(peers: Peers): Peers {
    return {
      call: async (address, method, body, options) => {
        if (method !== 'leadership.grant') return peers.call(address, method, body, options);
        const before = await this.#answers.get(address);
        const asked = peers.call(address, method, body, options).catch(() => undefined);
        this.#answers.set(address, asked);
        const isGranted = grantAnswerSchema.safeParse(before).data?.kind === 'granted';
        return isGranted ? before : asked;
      },
    };
  }
}

/** A grantor that takes its state provider for away, whatever it reads. */
export function grantWithoutReading(provider: StateProvider): StateProvider {
  return {
    ...bound(provider),
    get: async (key, options) => {
      if (key !== providerKeys.identity) return provider.get(key, options);
      throw new ProviderError('refused', 'it is said to be away');
    },
  };
}
