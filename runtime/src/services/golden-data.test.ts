/**
 * A data directory of the present format, as it was once written: a change of the format of the log, of a snapshot or
 * of what is in them is noticed here. Then a new version is due, beside the reading of this one.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { decimal } from '../core/schema/decimal.ts';
import type { Tuple } from '../core/schema/values.ts';
import type { Transaction } from '../core/storage/engine.ts';
import { MemoryEngine } from '../core/storage/memory/memory-engine.ts';
import { systemClock } from '../foundation/clock.ts';
import { silentLogger } from '../foundation/logger.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import { defaultIndexBuildLimits } from './index-builds.ts';
import { ReplicaStore } from './replica-store.ts';
import { takeSnapshot } from './snapshot-take.ts';

const GOLDEN = path.join(import.meta.dirname, '../core/storage/testdata/version-1-data');
const FOLDERS = ['log', 'snapshot'];
const LEADER = '00000000-0000-4000-8000-000000000001';

const uuid = (last: number): string => `64d22e4d-ac92-4a23-899a-e59f34af547${last}`;

const columns = [
  { name: 'id', type: 'unsigned' },
  { name: 'name', type: 'string', collation: 'unicode_ci' },
  { name: 'number', type: 'number', isNullable: true },
  { name: 'integer', type: 'integer', isNullable: true },
  { name: 'decimal', type: 'decimal', isNullable: true },
  { name: 'uuid', type: 'uuid', isNullable: true },
  { name: 'bytes', type: 'varbinary', isNullable: true },
  { name: 'flag', type: 'boolean', isNullable: true },
  { name: 'list', type: 'array', isNullable: true },
  { name: 'map', type: 'map', isNullable: true },
  { name: 'any', type: 'any', isNullable: true },
] as const;

const rows: readonly Tuple[] = [
  [1, 'Ä', -1.5, -(2n ** 63n), decimal('-12.50'), uuid(0), Uint8Array.from([0, 255]), true],
  [2, 'b', 2n ** 64n - 1n, 127, null, null, null, false, [1, ['x']], { a: 1, b: [null] }, 'any'],
  [3, 'C', null, -129, decimal('1e-30'), uuid(7)],
  [2 ** 33, 'x'.repeat(300)],
];

function createSpaces(transaction: Transaction): void {
  transaction.createSpace('all', { format: columns });
  transaction.createIndex('all', { name: 'primary', parts: ['id'] });
  transaction.createIndex('all', { name: 'name', parts: ['name', 'id'] });
  transaction.createIndex('all', {
    name: 'uuid',
    unique: false,
    parts: [{ field: 'uuid', excludeNull: true }],
  });
  transaction.createIndex('all', { name: 'hash', type: 'hash', parts: ['name'] });
  transaction.createSequence('ids', { start: 5, step: 2 });
  const format = [{ name: 'id', type: 'unsigned' }] as const;
  transaction.createSpace('numbered', { format });
  transaction.createIndex('numbered', { name: 'primary', parts: ['id'], sequence: 'ids' });
  transaction.createSpace('local', { format, ack: 'local' });
  transaction.createIndex('local', { name: 'primary', parts: ['id'] });
  transaction.createSpace('sync', { format, isSync: true });
  transaction.createIndex('sync', { name: 'primary', parts: ['id'] });
}

function newDisk(): SimulatedDisk {
  const clock = new SimulatedClock();
  return new SimulatedDisk({ clock, random: new SeededRandom(1), latencyMs: 0 });
}

async function open(disk: SimulatedDisk): Promise<ReplicaStore> {
  const store = new ReplicaStore({
    disk: disk.mount(),
    clock: systemClock,
    logger: silentLogger,
    logMode: 'fsync',
    identity: { logIncarnation: 1 },
    limits: { ...defaultIndexBuildLimits, segmentBytes: 700, recentBytes: 100 },
    createEngine: () => new MemoryEngine(),
    defer: setImmediate,
    onAppended: () => undefined,
    fatal: (error) => assert.fail(String(error)),
  });
  await store.open();
  return store;
}

async function write(
  store: ReplicaStore,
  term: number,
  work: (transaction: Transaction) => void,
): Promise<void> {
  const transaction = store.usableEngine().begin();
  work(transaction);
  store.commit(transaction, term);
  await store.drained();
}

/** Everything that a log and a snapshot can hold, in the same order each time. */
async function writtenNow(): Promise<SimulatedDisk> {
  const disk = newDisk();
  const store = await open(disk);
  await store.beginTerm(1, LEADER, () => true);
  await write(store, 1, createSpaces);
  for (const row of rows) await write(store, 1, (tx) => tx.insert('all', row));
  await write(store, 1, (tx) => {
    tx.insert('numbered', [null]);
    tx.insert('numbered', [null]);
    tx.insert('local', [1]);
    tx.insert('sync', [1]);
  });
  const taken = await takeSnapshot({
    store,
    clock: new SimulatedClock(),
    acknowledged: () => store.end.sequence,
    limits: { snapshotSliceMs: 1000, snapshotPauseMs: 0, snapshotBlockBytes: 100_000 },
    signal: new AbortController().signal,
  });
  assert.ok(taken);
  await store.beginTerm(3, LEADER, () => true);
  await write(store, 3, (tx) => {
    tx.update('all', [1], [['=', 'name', 'later']]);
    tx.delete('all', [3]);
    tx.insert('numbered', [null]);
  });
  await write(store, 3, (tx) => tx.dropIndex('all', 'hash'));
  await write(store, 3, (tx) => tx.truncate('local'));
  await write(store, 3, (tx) => tx.dropSpace('sync'));
  await store.close();
  return disk;
}

function filesOf(disk: SimulatedDisk): ReadonlyMap<string, Uint8Array> {
  const names = FOLDERS.flatMap((folder) => disk.names(folder).map((name) => `${folder}/${name}`));
  return new Map(names.map((name) => [name, disk.peek(name) ?? new Uint8Array()]));
}

function golden(): ReadonlyMap<string, Uint8Array> {
  const names = FOLDERS.flatMap((folder) =>
    readdirSync(path.join(GOLDEN, folder)).map((name) => `${folder}/${name}`),
  );
  const files = names
    .toSorted()
    .map((name) => [name, readFileSync(path.join(GOLDEN, name))] as const);
  return new Map(files.map(([name, bytes]) => [name, Uint8Array.from(bytes)]));
}

/** Definitions, and rows by each index. */
function contentOf(store: ReplicaStore): unknown {
  const engine = store.usableEngine();
  const transaction = engine.begin();
  const content = engine.catalog.definitions().map((definition) => ({
    definition,
    rows: definition.indexes.map(({ name }) =>
      transaction.select(definition.name, [], { index: name }),
    ),
  }));
  transaction.rollback();
  return content;
}

describe('a data directory of version 1', () => {
  it('is read, with or without its snapshot', async () => {
    const wanted = contentOf(await open(await writtenNow()));
    const found = newDisk();
    for (const [name, bytes] of golden()) found.plant(name, bytes);
    const store = await open(found);
    assert.deepEqual(contentOf(store), wanted);
    const transaction = store.usableEngine().begin();
    assert.deepEqual(transaction.get('all', [2]), rows[1]);
    assert.deepEqual(transaction.get('all', [1]), [1, 'later', ...(rows[0] ?? []).slice(2)]);
    assert.deepEqual(transaction.select('numbered', []), [[5], [7], [9]]);
    transaction.rollback();

    const withoutSnapshot = newDisk();
    for (const [name, bytes] of golden()) {
      if (!name.startsWith('snapshot/')) withoutSnapshot.plant(name, bytes);
    }
    assert.deepEqual(contentOf(await open(withoutSnapshot)), wanted);
  });

  it('is written as it was', async () => {
    assert.deepEqual(filesOf(await writtenNow()), golden());
  });
});
