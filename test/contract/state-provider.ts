/**
 * What every state provider promises. The same suite runs on the simulated one, the stateboard and a real etcd, so
 * that what the simulation finds holds for the real ones.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  type ProviderChange,
  ProviderError,
  type StateProvider,
} from '../../runtime/src/ports/state-provider.ts';

export interface ProviderSetUp {
  /** A client of the store; those with one prefix see the same keys, relative to it. */
  client(prefix: string): Promise<StateProvider>;
  /** Takes away the history up to the present, so that watches cannot begin earlier. */
  compact(): Promise<void>;
  /** The store is set up anew at the same place: everything is gone, and revisions count from the beginning. */
  wipe(): Promise<void>;
  close(): Promise<void>;
}

const options = { timeoutMs: 5_000 };

/** Collects changes until `count` have come. */
class Watched {
  readonly changes: ProviderChange[] = [];
  readonly ended: Promise<unknown>;
  readonly #abort = new AbortController();
  #wanted = 0;
  #arrived: () => void = () => undefined;

  constructor(provider: StateProvider, prefix: string, fromRevision: number) {
    this.ended = provider
      .watch(prefix, fromRevision, (changes) => this.#collect(changes), this.#abort.signal)
      .then(
        () => 'ended',
        (error: unknown) => error,
      );
  }

  async until(count: number): Promise<readonly (readonly [string, string | null])[]> {
    await new Promise<void>((resolve) => {
      this.#wanted = count;
      this.#arrived = resolve;
      this.#collect([]);
    });
    return this.changes.map(({ key, value }) => [key, value] as const);
  }

  async stop(): Promise<unknown> {
    this.#abort.abort(new Error('enough'));
    return this.ended;
  }

  #collect(changes: readonly ProviderChange[]): void {
    this.changes.push(...changes);
    if (this.changes.length >= this.#wanted) this.#arrived();
  }
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

    describeCalls({ fresh, clientOf, put });
    describeWatch({ fresh, put, compact: () => setUp.compact() });
    describeWipe({ fresh, clientOf, put, wipe: () => setUp.wipe() });
  });
}

interface Tools {
  readonly fresh: () => Promise<StateProvider>;
  readonly put: (provider: StateProvider, key: string, value: string) => Promise<number>;
}

function describeCalls(
  tools: Tools & { readonly clientOf: (prefix: string) => Promise<StateProvider> },
): void {
  const { fresh, clientOf, put } = tools;

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
    const theirs = await other.revisionAt(place, options);
    assert.deepEqual(await other.placeOf(theirs ?? 0), place);
    const writes = [{ kind: 'put', key: 'a', value: '2' }] as const;
    const update = { compare: [{ key: 'a', revision: theirs ?? 0 }], writes };
    assert.equal((await other.transact(update, options)).kind, 'applied');
    assert.deepEqual(await other.transact(update, options), { kind: 'conflict' });
    assert.equal(await one.revisionAt(place, options), revision);
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

function describeWatch(tools: Tools & { readonly compact: () => Promise<void> }): void {
  const { fresh, put, compact } = tools;

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

interface WipeTools extends Tools {
  readonly clientOf: (prefix: string) => Promise<StateProvider>;
  readonly wipe: () => Promise<void>;
}

function describeWipe({ fresh, clientOf, put, wipe }: WipeTools): void {
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

  it('knows no revision of a client that gave it before the store was set up anew', async () => {
    const prefix = '/contract/wiped/placed/';
    const provider = await clientOf(prefix);
    await again(() => provider.list('', options));
    const revision = await put(provider, 'a', 'mine');
    const place = await provider.placeOf(revision);
    await wipe();
    await rebuild(prefix, place.revision);
    const knowing = await clientOf(prefix);
    await knowing.get('a', options);
    assert.equal(await knowing.revisionAt(place, options), undefined);
    const unknowing = await clientOf(prefix);
    const theirs = await unknowing.revisionAt(place, options);
    const writes = [{ kind: 'put', key: 'a', value: 'late' }] as const;
    const update = { compare: [{ key: 'a', revision: theirs ?? 0 }], writes };
    assert.deepEqual(await unknowing.transact(update, options), { kind: 'conflict' });
    assert.equal((await unknowing.get('a', options))?.value, 'another');
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
