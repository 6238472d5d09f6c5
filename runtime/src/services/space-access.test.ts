import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClusterError } from '../core/errors.ts';
import type { Space, SpaceDefinition } from '../role/role-context.ts';
import { EngineStorage } from '../testing/engine-storage.ts';
import { createSpace, openSpace } from './space-access.ts';

const PEOPLE: SpaceDefinition = {
  name: 'people',
  format: [
    { name: 'id', type: 'unsigned' },
    { name: 'name', type: 'string' },
    { name: 'salary', type: 'number', isNullable: true },
  ],
  indexes: [
    { name: 'pk', parts: ['id'] },
    { name: 'salary', parts: ['salary'], unique: false },
  ],
};
const ADA = { id: 1, name: 'Ada', salary: 10 };
const BOB = { id: 2, name: 'Bob', salary: null };

async function people(): Promise<Space> {
  const storage = new EngineStorage();
  await createSpace(storage, PEOPLE);
  return openSpace(storage, 'people');
}

function refused(code: string, field?: string) {
  return (error: unknown): boolean =>
    error instanceof ClusterError && error.code === code && error.field === field;
}

describe('openSpace', () => {
  it('gives rows back as objects, with null for what is absent', async () => {
    const space = await people();
    await space.insert(ADA);
    await space.insert({ id: 2, name: 'Bob' });
    assert.deepEqual(
      [await space.get([1]), await space.get([2]), await space.get([3]), await space.count()],
      [ADA, BOB, undefined, 2],
    );
  });

  it('selects by an index, in its order, up to a limit', async () => {
    const space = await people();
    for (const row of [ADA, BOB, { id: 3, name: 'Cy', salary: 5 }]) await space.insert(row);
    const names = async (options: Parameters<Space['select']>[0]): Promise<unknown> =>
      (await space.select(options)).map((row) => row['name']);
    assert.deepEqual(
      [
        await names(undefined),
        await names({ limit: 2 }),
        await names({ index: 'salary', key: [5], iterator: 'GE' }),
        await names({ index: 'salary', key: [10] }),
      ],
      [['Ada', 'Bob', 'Cy'], ['Ada', 'Bob'], ['Cy', 'Ada'], ['Ada']],
    );
  });

  it('replaces, updates and deletes, and says whether there was a row', async () => {
    const space = await people();
    await space.insert(ADA);
    await space.replace({ ...ADA, name: 'Ada L.' });
    assert.deepEqual(
      [
        await space.update([1], [['+', 'salary', 5]]),
        await space.update([7], [['+', 'salary', 5]]),
        await space.delete([1]),
        await space.delete([1]),
        await space.count(),
      ],
      [{ id: 1, name: 'Ada L.', salary: 15 }, undefined, true, false, 0],
    );
  });

  it('refuses a field that the space does not have, and names it', async () => {
    const space = await people();
    await assert.rejects(space.insert({ ...ADA, age: 3 }), refused('TUPLE_INVALID', 'age'));
    await assert.rejects(space.replace({ ...ADA, age: 3 }), refused('TUPLE_INVALID', 'age'));
    assert.equal(await space.count(), 0);
  });

  it('refuses a second row with the same key', async () => {
    const space = await people();
    await space.insert(ADA);
    await assert.rejects(space.insert({ ...BOB, id: 1 }), (error) => {
      return error instanceof ClusterError && error.code === 'DUPLICATE_KEY';
    });
    assert.deepEqual(await space.get([1]), ADA);
  });

  it('says of a space that is not there that the leader will make it', async () => {
    const space = openSpace(new EngineStorage(), 'people');
    const calls = [
      () => space.insert(ADA),
      () => space.replace(ADA),
      () => space.update([1], []),
      () => space.delete([1]),
      () => space.get([1]),
      () => space.select(),
      () => space.count(),
    ];
    for (const call of calls) await assert.rejects(call(), refused('SCHEMA_MISSING'));
  });
});

describe('createSpace', () => {
  it('changes nothing where the space is so already', async () => {
    const storage = new EngineStorage();
    await createSpace(storage, PEOPLE);
    await createSpace(storage, PEOPLE);
    assert.equal(storage.writes, 1);
  });

  it('makes all of it or nothing', async () => {
    const storage = new EngineStorage();
    const [pk] = PEOPLE.indexes;
    assert.ok(pk !== undefined);
    const wrong = { ...PEOPLE, indexes: [pk, { name: 'age', parts: ['age'] }] };
    await assert.rejects(createSpace(storage, wrong), refused('REQUEST_INVALID', 'people.age'));
    assert.equal(await storage.read((reader) => reader.space('people')), undefined);
  });
});
