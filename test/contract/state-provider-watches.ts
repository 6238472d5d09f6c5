/** Watches show every change once, in order, or end with an error. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ProviderError } from '../../runtime/src/ports/state-provider.ts';
import { options, type ProviderContext } from './state-provider-context.ts';
import { Watched } from './watched-changes.ts';

export function describeWatches({ fresh, put, compact }: ProviderContext): void {
  it('shows every change from a revision on, in order', async () => {
    const provider = await fresh();
    await put(provider, 'w/before', '0');
    const { revision } = await provider.list('w/', options);
    await put(provider, 'w/a', '1');
    await put(provider, 'elsewhere', 'x');
    const watched = new Watched(provider, 'w/', revision + 1);
    await put(provider, 'w/b', '2');
    await watched.until(2);
    await put(provider, 'w/a', '3');
    await provider.transact({ compare: [], writes: [{ kind: 'delete', key: 'w/b' }] }, options);
    assert.deepEqual(await watched.until(4), [
      ['w/a', '1'],
      ['w/b', '2'],
      ['w/a', '3'],
      ['w/b', null],
    ]);
    const revisions = watched.changes.map((change) => change.revision);
    assert.deepEqual(
      revisions,
      revisions.toSorted((a, b) => a - b),
    );
    await watched.stop();
  });

  it('misses nothing between two watches', async () => {
    const provider = await fresh();
    const first = await put(provider, 'w/a', '1');
    const watched = new Watched(provider, 'w/', first);
    await watched.until(1);
    await watched.stop();
    await put(provider, 'w/a', '2');
    await put(provider, 'w/a', '3');
    const again = new Watched(provider, 'w/', first + 1);
    assert.deepEqual(await again.until(2), [
      ['w/a', '2'],
      ['w/a', '3'],
    ]);
    await again.stop();
  });

  it('ends a watch quietly when its signal aborts', async () => {
    const provider = await fresh();
    const revision = await put(provider, 'w/a', '1');
    const watched = new Watched(provider, 'w/', revision);
    await watched.until(1);
    assert.equal(await watched.stop(), 'ended');
  });

  it('ends a watch with an error when the client closes', async () => {
    const provider = await fresh();
    const revision = await put(provider, 'w/a', '1');
    const watched = new Watched(provider, 'w/', revision);
    await watched.until(1);
    await provider.close();
    assert.ok((await watched.ended) instanceof ProviderError);
  });

  it('refuses a watch from a revision that was compacted', async () => {
    const provider = await fresh();
    const old = await put(provider, 'w/a', '1');
    await put(provider, 'w/a', '2');
    await compact();
    assert.ok((await new Watched(provider, 'w/', old).ended) instanceof ProviderError);
  });

  it('refuses a watch from a revision that the store has not reached', async () => {
    const provider = await fresh();
    const revision = await put(provider, 'w/a', '1');
    const watched = new Watched(provider, 'w/', revision + 1_000_000);
    assert.ok((await watched.ended) instanceof ProviderError);
  });
}
