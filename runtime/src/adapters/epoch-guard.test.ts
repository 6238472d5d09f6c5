import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import type { ProviderStore } from '../ports/provider-store.ts';
import type { ProviderChange } from '../ports/state-provider.ts';
import { SimulatedStore } from '../testing/simulated-store.ts';
import { EpochGuard } from './epoch-guard.ts';

const options = { timeoutMs: 1000 };
const never = new AbortController().signal;
const putA = (value: string) => [{ kind: 'put', key: 'a', value }] as const;

/** The store, seen directly; watches stay open for ever, so that only the guard ends them. */
function direct(store: SimulatedStore): ProviderStore {
  return {
    read: async (ranges) => ({
      found: ranges.map((range) => store.list('key' in range ? range.key : range.prefix).entries),
      revision: store.revision,
    }),
    transact: async (transaction) => store.transact(transaction),
    watch: (prefix, from, { onOpen, onChanges }, signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
        onOpen();
        onChanges(store.changesFrom(from, prefix));
        store.subscribe(() => onChanges(store.changesFrom(store.revision, prefix)));
      }),
    close: async () => undefined,
  };
}

function guardOf(store: SimulatedStore): EpochGuard {
  return new EpochGuard(direct(store), randomUUID);
}

describe('EpochGuard', () => {
  it('names the epoch of a store once, and shows it to nobody', async () => {
    const store = new SimulatedStore();
    const clients = ['one', 'other'].map((name) => new EpochGuard(direct(store), () => name));
    await Promise.all(clients.map((client) => client.get('a', options)));
    await clients[0]!.transact({ compare: [], writes: putA('1') }, options);
    assert.deepEqual(
      store.list('').entries.map(({ key, value }) => [key, value]),
      [
        ['a', '1'],
        ['epoch', '{"v":1,"epoch":"one"}'],
      ],
    );
    const { entries } = await clients[1]!.list('', options);
    assert.deepEqual(entries, [{ key: 'a', value: '1', revision: 2 }]);
  });

  it('names another epoch when the store was brought back from an older copy', async () => {
    const store = new SimulatedStore();
    const client = guardOf(store);
    await client.transact({ compare: [], writes: putA('1') }, options);
    await client.transact({ compare: [], writes: putA('2') }, options);
    const before = await client.list('', options);
    const epoch = store.get('epoch')?.value ?? '';
    store.forget();
    store.transact({ writes: [{ kind: 'put', key: 'epoch', value: epoch }] });
    const after = await client.list('', options);
    assert.ok(after.revision > before.revision);
    assert.notEqual(store.get('epoch')?.value, epoch);
  });

  it('does not know the outcome in a store that was set up anew before the answer came', async () => {
    const store = new SimulatedStore();
    const client: EpochGuard = new EpochGuard(
      {
        ...direct(store),
        transact: async (transaction) => {
          const outcome = store.transact(transaction);
          if (transaction.writes.some(({ key }) => key === 'epoch')) return outcome;
          store.forget();
          await client.get('a', options);
          return outcome;
        },
      },
      randomUUID,
    );
    await client.get('a', options);
    await assert.rejects(client.transact({ compare: [], writes: putA('1') }, options), {
      name: 'ProviderError',
      kind: 'unknown',
    });
  });

  it('ends a watch as soon as it hears of another epoch, and shows nothing of that one', async () => {
    const store = new SimulatedStore();
    const client = guardOf(store);
    const { revision } = await client.list('', options);
    const seen: ProviderChange[] = [];
    const watch = client.watch('', revision + 1, (changes) => seen.push(...changes), never);
    const lost = assert.rejects(watch, /set up anew/);
    await client.transact({ compare: [], writes: putA('1') }, options);
    store.forget();
    const other = guardOf(store);
    await other.get('a', options);
    await client.get('a', options);
    await other.transact({ compare: [], writes: putA('2') }, options);
    await lost;
    assert.deepEqual(
      seen.map(({ value }) => value),
      ['1'],
    );
  });
});
