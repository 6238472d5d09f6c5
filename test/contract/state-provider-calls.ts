/** Reads, writes on conditions, and what clients of one store see of each other. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ProviderError, type StateProvider } from '../../runtime/src/ports/state-provider.ts';
import { options, type ProviderContext } from './state-provider-context.ts';

export function describeCalls({ fresh, clientOf, put }: ProviderContext): void {
  it('reads back what was written, with the revision of the write', async () => {
    const provider = await fresh();
    assert.equal(await provider.get('a', options), undefined);
    const revision = await put(provider, 'a', '{"v":1}');
    assert.deepEqual(await provider.get('a', options), { key: 'a', value: '{"v":1}', revision });
  });

  it('counts the revision of the store up with each change', async () => {
    const provider = await fresh();
    const first = await put(provider, 'a', '1');
    const second = await put(provider, 'b', '2');
    assert.ok(second > first);
    assert.equal((await provider.get('a', options))?.revision, first);
    assert.ok((await provider.list('', options)).revision >= second);
  });

  it('lists the keys below a prefix, sorted', async () => {
    const provider = await fresh();
    const b = await put(provider, 'leaders/b', '2');
    const a = await put(provider, 'leaders/a', '1');
    await put(provider, 'lease/a', 'x');
    const { entries } = await provider.list('leaders/', options);
    assert.deepEqual(entries, [
      { key: 'leaders/a', value: '1', revision: a },
      { key: 'leaders/b', value: '2', revision: b },
    ]);
  });

  it('lists the keys below several prefixes, of each sorted', async () => {
    const provider = await fresh();
    for (const key of ['leaders/b', 'lease/a', 'leaders/a', 'lock', 'identity']) {
      await put(provider, key, '1');
    }
    const { entries, revision } = await provider.list(['lease/', 'leaders/', 'identity'], options);
    assert.deepEqual(
      entries.map(({ key }) => key),
      ['lease/a', 'leaders/a', 'leaders/b', 'identity'],
    );
    assert.ok(entries.every((entry) => entry.revision <= revision));
  });

  it('keeps prefixes apart', async () => {
    const one = await clientOf('/contract/apart/1/');
    const other = await clientOf('/contract/apart/2/');
    await put(one, 'a', 'mine');
    assert.equal(await other.get('a', options), undefined);
    assert.deepEqual((await other.list('', options)).entries, []);
  });

  it('shows a write to every client at once', async () => {
    const one = await clientOf('/contract/shared/');
    const other = await clientOf('/contract/shared/');
    for (const value of ['1', '2', '3']) {
      await put(one, 'a', value);
      assert.equal((await other.get('a', options))?.value, value);
    }
  });

  it('lets another client go on from a revision that this one has given', async () => {
    const one = await clientOf('/contract/placed/');
    const other = await clientOf('/contract/placed/');
    const revision = await put(one, 'a', '1');
    const place = await one.placeOf(revision);
    const theirs = await other.revisionAt(place);
    assert.deepEqual(await other.placeOf(theirs), place);
    const writes = [{ kind: 'put', key: 'a', value: '2' }] as const;
    const update = { compare: [{ key: 'a', revision: theirs }], writes };
    assert.equal((await other.transact(update, options)).kind, 'applied');
    assert.deepEqual(await other.transact(update, options), { kind: 'conflict' });
    assert.equal(await one.revisionAt(place), revision);
  });

  it('creates a key only if it does not exist', async () => {
    const provider = await fresh();
    const create = (value: string): ReturnType<StateProvider['transact']> =>
      provider.transact(
        { compare: [{ key: 'a', revision: 0 }], writes: [{ kind: 'put', key: 'a', value }] },
        options,
      );
    assert.equal((await create('first')).kind, 'applied');
    assert.deepEqual(await create('second'), { kind: 'conflict' });
    assert.equal((await provider.get('a', options))?.value, 'first');
  });

  it('refuses a transaction whose compared revision is stale, as a whole', async () => {
    const provider = await fresh();
    const a = await put(provider, 'a', '1');
    const b = await put(provider, 'b', '1');
    await put(provider, 'b', '2');
    const outcome = await provider.transact(
      {
        compare: [
          { key: 'a', revision: a },
          { key: 'b', revision: b },
        ],
        writes: [
          { kind: 'put', key: 'a', value: '3' },
          { kind: 'delete', key: 'b' },
        ],
      },
      options,
    );
    assert.deepEqual(outcome, { kind: 'conflict' });
    assert.equal((await provider.get('a', options))?.value, '1');
    assert.equal((await provider.get('b', options))?.value, '2');
  });

  it('applies all writes of a transaction at one revision', async () => {
    const provider = await fresh();
    const gone = await put(provider, 'gone', '1');
    const outcome = await provider.transact(
      {
        compare: [
          { key: 'gone', revision: gone },
          { key: 'new', revision: 0 },
        ],
        writes: [
          { kind: 'put', key: 'new', value: '1' },
          { kind: 'put', key: 'other', value: '2' },
          { kind: 'delete', key: 'gone' },
        ],
      },
      options,
    );
    assert.ok(outcome.kind === 'applied');
    const { revision } = outcome;
    assert.deepEqual((await provider.list('', options)).entries, [
      { key: 'new', value: '1', revision },
      { key: 'other', value: '2', revision },
    ]);
  });

  it('lets exactly one of many racing creators win', async () => {
    const racers = await Promise.all(Array.from({ length: 5 }, () => clientOf('/contract/race/')));
    const outcomes = await Promise.all(
      racers.map((racer, index) =>
        racer.transact(
          {
            compare: [{ key: 'lock', revision: 0 }],
            writes: [{ kind: 'put', key: 'lock', value: String(index) }],
          },
          options,
        ),
      ),
    );
    const winners = outcomes.flatMap((outcome, index) =>
      outcome.kind === 'applied' ? [String(index)] : [],
    );
    assert.deepEqual(winners, [(await racers[0]!.get('lock', options))?.value]);
  });

  it('carries any text as a value', async () => {
    const provider = await fresh();
    const value = `{"text":"ä\u0000\\n\u{1F600} ${'x'.repeat(100_000)}"}`;
    await put(provider, 'a', value);
    assert.equal((await provider.get('a', options))?.value, value);
  });

  it('refuses calls after it was closed', async () => {
    const provider = await fresh();
    await provider.close();
    await assert.rejects(provider.get('a', options), ProviderError);
    await assert.rejects(
      provider.transact({ compare: [], writes: [] }, options),
      (error) => error instanceof ProviderError && error.kind === 'refused',
    );
  });
}
