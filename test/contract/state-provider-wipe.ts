/** A store that was set up anew at the same place: nothing that was learnt from the one before counts there. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ProviderError } from '../../runtime/src/ports/state-provider.ts';
import { options, type ProviderContext } from './state-provider-context.ts';
import { Watched } from './watched-changes.ts';

export function describeWipe({ fresh, clientOf, put, wipe }: ProviderContext): void {
  /** Until the connections to the server that was there before are given up. */
  const again = async <T>(call: () => Promise<T>): Promise<T> => {
    for (;;) {
      const result = await call().catch((error: unknown) => {
        assert.ok(error instanceof ProviderError, String(error));
        return undefined;
      });
      if (result !== undefined) return result;
    }
  };
  /** The store as it was, up to the revision, but another. */
  const rebuild = async (prefix: string, revision: number): Promise<void> => {
    const rebuilder = await clientOf(prefix);
    await again(() => rebuilder.list('', options));
    while ((await put(rebuilder, 'filler', '')) < revision - 1);
    assert.equal(await put(rebuilder, 'a', 'another'), revision);
  };

  it('applies nothing that was prepared before the store was set up anew [SP-03]', async () => {
    const prefix = '/contract/wiped/';
    const provider = await clientOf(prefix);
    await put(provider, 'filler', '');
    const revision = await put(provider, 'a', 'mine');
    const listing = await provider.list('', options);
    const write = { kind: 'put', key: 'a', value: 'late' } as const;
    const prepared = { compare: [{ key: 'a', revision }], writes: [write] };
    const onAbsence = {
      compare: [{ key: 'b', revision: 0 }],
      readAt: listing.revision,
      writes: [{ kind: 'put', key: 'b', value: 'late' } as const],
    };
    await wipe();
    await rebuild(prefix, revision);
    const conflict = { kind: 'conflict' };
    // The client does not know yet that the store is another.
    assert.deepEqual(await again(() => provider.transact(prepared, options)), conflict);
    assert.deepEqual(await provider.transact(onAbsence, options), conflict);
    const entry = await provider.get('a', options);
    assert.equal(entry?.value, 'another');
    assert.ok(entry.revision > listing.revision, 'a revision came twice');
    assert.deepEqual(await provider.transact(prepared, options), conflict);
    assert.deepEqual(await provider.transact(onAbsence, options), conflict);
    const now = { compare: [{ key: 'a', revision: entry.revision }], writes: [write] };
    assert.equal((await provider.transact(now, options)).kind, 'applied');
  });

  it('applies nothing on a revision that another gave before the store was set up anew', async () => {
    const prefix = '/contract/wiped/placed/';
    const provider = await clientOf(prefix);
    await again(() => provider.list('', options));
    const revision = await put(provider, 'a', 'mine');
    const place = await provider.placeOf(revision);
    await wipe();
    await rebuild(prefix, place.revision);
    const knowing = await clientOf(prefix);
    await knowing.get('a', options);
    const unknowing = await clientOf(prefix);
    for (const [value, client] of Object.entries({ knowing, unknowing })) {
      const writes = [{ kind: 'put', key: 'a', value }] as const;
      const theirs = await client.revisionAt(place);
      const late = { compare: [{ key: 'a', revision: theirs }], writes };
      assert.deepEqual(await client.transact(late, options), { kind: 'conflict' });
      const entry = await client.get('a', options);
      assert.notEqual(entry?.value, value);
      const update = { compare: [{ key: 'a', revision: entry?.revision ?? 0 }], writes };
      assert.equal((await client.transact(update, options)).kind, 'applied');
    }
  });

  it('refuses to go on with a watch in a store that was set up anew', async () => {
    const prefix = '/contract/wiped/watch/';
    const provider = await clientOf(prefix);
    await again(() => provider.list('', options));
    const revision = await put(provider, 'a', 'mine');
    const watched = new Watched(provider, '', revision + 1);
    await wipe();
    await rebuild(prefix, revision);
    await put(await fresh(), 'later', '');
    assert.ok((await watched.ended) instanceof ProviderError);
    const late = new Watched(provider, '', revision + 1);
    assert.ok((await late.ended) instanceof ProviderError);
    assert.deepEqual([...watched.changes, ...late.changes], []);
  });
}
