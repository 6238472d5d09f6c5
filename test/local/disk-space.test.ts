import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defineRole } from '@tonearm/runtime/role';
import { key, requestType } from '../../runtime/src/core/iproto/protocol.ts';
import type { Value } from '../../runtime/src/core/schema/values.ts';
import { IprotoClient } from '../support/iproto-client.ts';
import { COOKIE, OneInstance } from '../support/one-instance.ts';
import { waitUntil } from '../support/wait-until.ts';

const VSPACE = 281;
const ROWS = 1500;
const ROW_BYTES = 48 * 1024;
/** The least that the option allows: less than half of what is written. */
const MEMORY = 32 * 1024 * 1024;
const { EQ, ALL, LE } = { EQ: 0, ALL: 2, LE: 4 };

const archive = defineRole({
  name: 'archive',
  async applyConfig(context, _config, { isLeader }) {
    if (!isLeader) return;
    await context.createSpace({
      name: 'archive',
      engine: 'disk',
      format: [
        { name: 'id', type: 'unsigned' },
        { name: 'group', type: 'unsigned' },
        { name: 'text', type: 'string' },
      ],
      indexes: [
        { name: 'id', parts: ['id'] },
        { name: 'group', unique: false, parts: ['group'] },
      ],
    });
  },
  async init(context) {
    context.http.register(async (app) => {
      app.get('/group', async () => {
        const rows = await context.space('archive').select({ index: 'group', key: [3] });
        return { all: await context.space('archive').count(), third: rows.map(({ id }) => id) };
      });
    });
  },
});

class Rows implements Disposable {
  readonly #client: IprotoClient;
  readonly #space: number;

  private constructor(client: IprotoClient, space: number) {
    this.#client = client;
    this.#space = space;
  }

  static async connect(one: OneInstance): Promise<Rows> {
    const client = await IprotoClient.connect(one.port, { user: 'admin', password: COOKIE });
    const found = await waitUntil('there is the space', async () => {
      const spaces = await client.request(requestType.SELECT, [
        [key.SPACE_ID, VSPACE],
        [key.INDEX_ID, 2],
        [key.LIMIT, 1],
        [key.KEY, ['archive']],
      ]);
      return spaces[0] as readonly Value[] | undefined;
    });
    const [id, , , engine] = found;
    assert.equal(engine, 'vinyl');
    return new Rows(client, Number(id));
  }

  insert(row: readonly Value[]): Promise<unknown> {
    return this.#client.request(requestType.INSERT, [
      [key.SPACE_ID, this.#space],
      [key.TUPLE, row],
    ]);
  }

  delete(id: number): Promise<unknown> {
    return this.#client.request(requestType.DELETE, [
      [key.SPACE_ID, this.#space],
      [key.INDEX_ID, 0],
      [key.KEY, [id]],
    ]);
  }

  async ids(iterator: number, limit: number, from: readonly Value[]): Promise<readonly Value[]> {
    const rows = await this.#client.request(requestType.SELECT, [
      [key.SPACE_ID, this.#space],
      [key.INDEX_ID, 0],
      [key.ITERATOR, iterator],
      [key.LIMIT, limit],
      [key.KEY, from],
    ]);
    return rows.map((row) => (row as readonly Value[])[0] as Value);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

const inGroup = (group: number): readonly number[] =>
  Array.from({ length: ROWS }, (_, id) => id).filter((id) => id % 100 === group && id !== 3);

async function leads(one: OneInstance): Promise<void> {
  await waitUntil('it leads', async () => {
    const { replicaSet } = await one.status();
    return replicaSet?.writable === true ? true : undefined;
  });
}

async function check(one: OneInstance): Promise<void> {
  using rows = await Rows.connect(one);
  assert.deepEqual(await rows.ids(ALL, 3, []), [0, 1, 2]);
  assert.deepEqual(await rows.ids(LE, 3, [ROWS]), [ROWS - 1, ROWS - 2, ROWS - 3]);
  assert.deepEqual(await rows.ids(EQ, 1, [3]), []);
  const { body } = await one.request('GET', '/group');
  assert.deepEqual(body, { all: ROWS - 1, third: inGroup(3) });
}

describe('a space of engine disk', () => {
  it('holds more than the memory of its instance, also after starts', async () => {
    await using one = await OneInstance.start([archive], ['archive'], { memtx_memory: MEMORY });
    assert.ok(ROWS * ROW_BYTES > 2 * MEMORY);
    {
      using rows = await Rows.connect(one);
      for (let id = 0; id < ROWS; id += 50) {
        const batch = Array.from({ length: 50 }, (_, n) => [id + n, (id + n) % 100]);
        const text = 'x'.repeat(ROW_BYTES);
        await Promise.all(batch.map((row) => rows.insert([...row, text])));
      }
      await rows.delete(3);
    }
    await check(one);
    await one.stop();
    await one.run();
    await leads(one);
    await check(one);
    const answer = await one.request('POST', '/admin/snapshot', {});
    assert.equal(answer.status, 200);
    await one.stop();
    await one.run();
    await leads(one);
    await check(one);
  });
});
