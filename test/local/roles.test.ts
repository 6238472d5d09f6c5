import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defineRole } from '@tonearm/runtime/role';
import { OneInstance } from '../support/one-instance.ts';
import { waitUntil } from '../support/wait-until.ts';

const hello = defineRole({
  name: 'hello',
  init: ({ http }) =>
    http.register(async (app) => {
      app.get('/hello', async () => ['hello']);
    }),
});

describe('a role that calls another one in vain', () => {
  it('is entered once by one write through the router', async () => {
    const entered: number[] = [];
    const writer = defineRole({
      name: 'writer',
      dependencies: ['vshard-router'],
      init: ({ http, vshard }) =>
        http.register(async (app) => {
          app.post('/write', async () => vshard.callrw(3, 'writer.write', [3]));
        }),
      rpc: {
        write: async (context, bucketId: number) => {
          entered.push(bucketId);
          await context.rpc.call('mail', 'send', []);
        },
      },
    });
    await using one = await OneInstance.start([writer], ['writer']);
    assert.deepEqual(await one.request('POST', '/write'), {
      status: 404,
      body: { code: 'ROLE_UNKNOWN', message: 'No enabled instance runs role "mail".' },
    });
    assert.deepEqual(entered, [3]);
  });
});

describe('a role whose routes cannot be served', () => {
  it('leaves the instance with the routes of before, until it is disabled', async () => {
    const greedy = defineRole({
      name: 'greedy',
      init: ({ http }) =>
        http.register(async (app) => {
          app.get('/health/live', async () => 'mine');
        }),
    });
    await using one = await OneInstance.start([hello, greedy], ['hello']);
    assert.equal((await one.enable(['hello', 'greedy'])).status, 200);
    const { error } = await one.comesTo('OperationError');
    assert.match(error ?? '', /^Role "greedy" failed: its HTTP .*'\/health\/live'/);
    assert.deepEqual(await one.request('GET', '/hello'), { status: 200, body: ['hello'] });
    await one.stop();
    await one.run();
    assert.equal((await one.comesTo('OperationError')).error, error);
    assert.equal((await one.enable(['hello'])).status, 200);
    await one.comesTo('RolesConfigured');
    assert.equal((await one.request('GET', '/hello')).status, 200);
    assert.deepEqual(one.ended, []);
  });
});

describe('a role whose onClose hook throws', () => {
  it('ends neither the instance at the next change of routes, nor its stop', async () => {
    const closed: string[] = [];
    const sloppy = defineRole({
      name: 'sloppy',
      init: ({ http }) =>
        http.register(async (app) => {
          app.addHook('onClose', async () => {
            closed.push('onClose');
            throw new Error('already closed');
          });
        }),
    });
    await using one = await OneInstance.start([hello, sloppy], ['sloppy']);
    assert.equal((await one.enable(['sloppy', 'hello'])).status, 200);
    await one.comesTo('RolesConfigured');
    assert.equal((await one.request('GET', '/health/ready')).status, 200);
    assert.ok(closed.length > 0);
    await one.stop();
    assert.deepEqual(one.ended, []);
  });

  it('does not keep the instance from stopping when it never ends', async () => {
    const endless = defineRole({
      name: 'endless',
      init: ({ http }) =>
        http.register(async (app) => {
          app.addHook('onClose', () => new Promise(() => undefined));
        }),
    });
    await using one = await OneInstance.start([endless], ['endless']);
    await one.stop();
    assert.deepEqual(one.ended, []);
  });
});

describe('a role whose applyConfig waits for the end of the role', () => {
  it('ends when the instance stops, and starts no other role', async () => {
    const happened: string[] = [];
    const waiting = defineRole({
      name: 'waiting',
      dependencies: ['hello'],
      applyConfig: async ({ signal }) => {
        happened.push('waiting is applied');
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        happened.push('waiting ends');
      },
      stop: () => void happened.push('waiting stops'),
    });
    const later = defineRole({
      name: 'later',
      dependencies: ['waiting'],
      init: () => void happened.push('later starts'),
    });
    await using one = await OneInstance.start([hello, waiting, later], ['hello']);
    const changing = one.enable(['later']).catch(() => undefined);
    await waitUntil('it is applied', () => happened.length > 0);
    await one.stop();
    await changing;
    assert.deepEqual(happened, ['waiting is applied', 'waiting ends', 'waiting stops']);
    assert.deepEqual(one.ended, []);
  });

  it('does not keep the instance from stopping when nothing ends it', async () => {
    let isApplied = false;
    const forever = defineRole({
      name: 'forever',
      applyConfig: () => {
        isApplied = true;
        return new Promise(() => undefined);
      },
      stop: () => new Promise(() => undefined),
    });
    await using one = await OneInstance.start([hello, forever], ['hello']);
    const changing = one.enable(['forever']).catch(() => undefined);
    await waitUntil('it is applied', () => isApplied);
    await one.stop();
    await changing;
    assert.deepEqual(one.ended, []);
  });
});
