import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { defineRole } from '@tonearm/runtime/role';
import { OneInstance } from '../support/one-instance.ts';
import { waitUntil } from '../support/wait-until.ts';

const notes = defineRole({
  name: 'notes',
  async applyConfig(context, _config, { isLeader }) {
    if (!isLeader) return;
    const format = [
      { name: 'id', type: 'unsigned' },
      { name: 'text', type: 'string' },
    ] as const;
    await context.createSpace({
      name: 'notes',
      format,
      indexes: [
        { name: 'id', parts: ['id'] },
        { name: 'text', unique: false, parts: ['text'] },
      ],
    });
    const space = context.space('notes');
    if ((await space.count()) > 0) return;
    for (let id = 0; id < 500; id++) await space.insert({ id, text: `note ${id % 7}` });
  },
  async init(context) {
    context.http.register(async (app) => {
      app.get('/notes', async () => {
        const space = context.space('notes');
        const third = await space.select({ index: 'text', key: ['note 3'] });
        return { all: await space.count(), third: third.length };
      });
    });
  },
});

const WRITTEN = { all: 500, third: 71 };

function hasRows(one: OneInstance): Promise<boolean> {
  return waitUntil('the rows are there', async () => {
    const { body } = await one.request('GET', '/notes');
    return isDeepStrictEqual(body, WRITTEN) ? true : undefined;
  });
}

describe('an instance that has taken a snapshot', () => {
  it('starts again from it, with all rows in all indexes', async () => {
    await using one = await OneInstance.start([notes], ['notes']);
    await hasRows(one);
    const answer = await one.request('POST', '/admin/snapshot', {});
    assert.equal(answer.status, 200);
    const { position } = answer.body as { position: { sequence: number } };
    assert.ok(position.sequence >= 500);
    const leading = await one.request('POST', '/admin/reseed', { force: true });
    assert.equal((leading.body as { code: string }).code, 'STATE_FORBIDS');
    await one.stop();
    await one.run();
    assert.equal(await hasRows(one), true);
  });
});
