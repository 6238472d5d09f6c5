/**
 * What every state provider promises. The same suite runs on the simulated one, the stateboard and a real etcd, so
 * that what the simulation finds holds for the real ones.
 */
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import type { StateProvider } from '../../runtime/src/ports/state-provider.ts';
import { describeCalls } from './state-provider-calls.ts';
import { options } from './state-provider-context.ts';
import { describeWatches } from './state-provider-watches.ts';
import { describeWipe } from './state-provider-wipe.ts';

export interface ProviderSetUp {
  /** A client of the store; those with one prefix see the same keys, relative to it. */
  client(prefix: string): Promise<StateProvider>;
  /** Takes away the history up to the present, so that watches cannot begin earlier. */
  compact(): Promise<void>;
  /** The store is set up anew at the same place: everything is gone, and revisions count from the beginning. */
  wipe(): Promise<void>;
  close(): Promise<void>;
}

export function describeStateProvider(name: string, make: () => Promise<ProviderSetUp>): void {
  describe(`${name} as a state provider`, () => {
    let setUp: ProviderSetUp;
    const clients: StateProvider[] = [];
    let prefixes = 0;

    before(async () => {
      setUp = await make();
    });
    after(async () => {
      for (const client of clients) await client.close();
      await setUp.close();
    });

    const clientOf = async (prefix: string): Promise<StateProvider> => {
      const client = await setUp.client(prefix);
      clients.push(client);
      return client;
    };
    const fresh = (): Promise<StateProvider> => clientOf(`/contract/${prefixes++}/`);
    const put = async (provider: StateProvider, key: string, value: string): Promise<number> => {
      const outcome = await provider.transact(
        { compare: [], writes: [{ kind: 'put', key, value }] },
        options,
      );
      assert.ok(outcome.kind === 'applied');
      return outcome.revision;
    };

    const compact = (): Promise<void> => setUp.compact();
    const wipe = (): Promise<void> => setUp.wipe();
    const context = { fresh, clientOf, put, compact, wipe };
    describeCalls(context);
    describeWatches(context);
    describeWipe(context);
  });
}
