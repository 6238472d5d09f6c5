import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { ClusterError } from '../core/errors.ts';
import { silentLogger } from '../foundation/logger.ts';
import { type AnyRole, defineRole } from '../role/define-role.ts';
import type { RoleContext } from '../role/role-context.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { RoleHost, STOP_LIMIT_MS } from './role-host.ts';

function hostOf(roles: readonly AnyRole[], clock = new SimulatedClock()): RoleHost {
  return new RoleHost({
    roles,
    clock,
    logger: silentLogger,
    // Roles of these tests use nothing of their context but its signal.
    makeContext: (scope) => ({ signal: scope.signal }) as RoleContext,
  });
}

/** A role that writes down what is called. */
function recorder(
  name: string,
  calls: string[],
  over: Parameters<typeof defineRole>[0] | object = {},
): AnyRole {
  return defineRole({
    name,
    init: (_context, { isLeader }) => void calls.push(`init ${name} ${isLeader}`),
    applyConfig: (_context, config, { isLeader }) =>
      void calls.push(`apply ${name} ${JSON.stringify(config)} ${isLeader}`),
    stop: () => void calls.push(`stop ${name}`),
    ...over,
  });
}

describe('RoleHost', () => {
  it('starts a role once, with its dependencies first, and applies at every change [ROLE-10]', async () => {
    const calls: string[] = [];
    const host = hostOf([recorder('a', calls, { dependencies: ['b'] }), recorder('b', calls)]);
    await host.apply({ sections: { a: 1 }, asked: ['a'], isLeader: false });
    await host.apply({ sections: { a: 2 }, asked: ['a'], isLeader: true });
    assert.deepEqual(calls, [
      'init b false',
      'apply b undefined false',
      'init a false',
      'apply a 1 false',
      'apply b undefined true',
      'apply a 2 true',
    ]);
  });

  it('stops what is no longer asked for, last first, and aborts its signal [ROLE-11]', async () => {
    const calls: string[] = [];
    let signal: AbortSignal | undefined;
    const host = hostOf([
      recorder('a', calls, { init: (context: RoleContext) => void (signal = context.signal) }),
      recorder('b', calls, { dependencies: ['a'] }),
    ]);
    await host.apply({ sections: {}, asked: ['b'], isLeader: false });
    calls.length = 0;
    await host.apply({ sections: {}, asked: [], isLeader: false });
    assert.deepEqual(calls, ['stop b', 'stop a']);
    assert.equal(signal?.aborted, true);
    assert.deepEqual(host.runningRoles, []);
  });

  it('says that it was applied as leader only when all roles were [ROLE-15]', async () => {
    const seen: boolean[] = [];
    const host: RoleHost = hostOf([
      recorder('a', [], { applyConfig: () => void seen.push(host.appliedAsLeader) }),
    ]);
    for (const isLeader of [false, true, true, false]) {
      await host.apply({ sections: {}, asked: ['a'], isLeader });
      seen.push(host.appliedAsLeader);
    }
    // While a leader applies another config it stays what it is.
    assert.deepEqual(seen, [false, false, false, true, true, true, false, false]);
  });

  it('applies the others when one fails, and returns the first error [STATE-30]', async () => {
    const calls: string[] = [];
    const fails = recorder('bad', calls, {
      init: () => {
        throw new Error('no disk');
      },
    });
    const host = hostOf([fails, recorder('good', calls)]);
    const error = await host.apply({ sections: {}, asked: ['bad', 'good'], isLeader: false });
    assert.match(String(error), /Role "bad" failed: no disk/);
    assert.deepEqual(host.runningRoles, ['good']);
  });

  it('refuses a section that does not fit the schema of its role, and names the field', async () => {
    const role = defineRole({
      name: 'app.limits',
      config: z.strictObject({ list: z.array(z.int()) }).optional(),
    });
    const host = hostOf([role]);
    const validate = (section: unknown) =>
      host.validate(
        { sections: { 'app.limits': section as never }, asked: ['app.limits'] },
        undefined,
      );
    assert.equal(await validate({ list: [1] }), undefined);
    assert.equal((await validate({ list: [1, 'x'] }))?.field, 'sections.app.limits.list[1]');
    assert.equal((await validate({ list: [], other: 1 }))?.field, 'sections.app.limits');
  });

  it('refuses what validateConfig throws, and skips roles that are not enabled [ROLE-13]', async () => {
    const picky = defineRole({
      name: 'picky',
      validateConfig: (next, previous) => {
        if (next !== previous && next === 'bad')
          throw new ClusterError('REQUEST_INVALID', { field: 'x.y', message: 'bad' });
      },
    });
    const host = hostOf([picky]);
    const refusal = await host.validate(
      { sections: { picky: 'bad' }, asked: ['picky'] },
      { picky: 'good' },
    );
    assert.deepEqual(refusal, {
      code: 'CONFIG_INVALID',
      field: 'x.y',
      message: 'role "picky" refuses the config: bad',
    });
    assert.equal(
      await host.validate({ sections: { picky: 'bad' }, asked: [] }, undefined),
      undefined,
    );
  });

  it('waits for the answers of all roles together no longer than a call of a peer', async () => {
    const clock = new SimulatedClock();
    const slow = (name: string) => defineRole({ name, validateConfig: () => clock.sleep(1500) });
    const host = hostOf([slow('one'), slow('two'), slow('three')], clock);
    const validate = (asked: readonly string[]) => host.validate({ sections: {}, asked }, {});
    const both = validate(['one', 'two']);
    await clock.advance(5000);
    const refusal = await both;
    assert.deepEqual([refusal?.code, refusal?.field], ['CONFIG_INVALID', 'sections.two']);
    assert.match(refusal?.message ?? '', /role "two" did not answer in time/);
    const one = validate(['three']);
    await clock.advance(5000);
    assert.equal(await one, undefined);
  });

  it('gives functions of running roles only', async () => {
    const host = hostOf([
      defineRole({ name: 'r', rpc: { twice: (_context, n: number) => n * 2 } }),
    ]);
    assert.throws(
      () => host.rpcFunction('r', 'twice'),
      (error) => error instanceof ClusterError && error.code === 'ROLE_UNKNOWN',
    );
    await host.apply({ sections: {}, asked: ['r'], isLeader: false });
    const { call, context } = host.rpcFunction('r', 'twice');
    assert.equal(call(context, 21 as never), 42);
    assert.throws(
      () => host.rpcFunction('r', 'toString'),
      (error) => error instanceof ClusterError && error.code === 'ROLE_FUNCTION_UNKNOWN',
    );
  });

  it('waits a few seconds for a role that does not stop, then goes on with the others', async () => {
    const calls: string[] = [];
    const clock = new SimulatedClock();
    const never = (): Promise<void> => new Promise(() => undefined);
    const host = hostOf([recorder('a', calls), recorder('b', calls, { stop: never })], clock);
    await host.apply({ sections: {}, asked: ['a', 'b'], isLeader: false });
    calls.length = 0;
    const applying = host.apply({ sections: {}, asked: [], isLeader: false });
    await clock.advance(STOP_LIMIT_MS - 1);
    assert.deepEqual(calls, []);
    await clock.advance(1);
    assert.deepEqual([await applying, calls, host.runningRoles], [undefined, ['stop a'], []]);
  });

  it('ends a role that is being started or applied, and starts no other, once it stops', async () => {
    for (const callback of ['init', 'applyConfig']) {
      const calls: string[] = [];
      const untilAborted = ({ signal }: RoleContext): Promise<void> =>
        new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
      const waits = recorder('a', calls, { [callback]: untilAborted });
      const host = hostOf([waits, recorder('b', calls)]);
      const applying = host.apply({ sections: {}, asked: ['a', 'b'], isLeader: true });
      await Promise.resolve();
      host.abort('the instance stops');
      await applying;
      await host.stopAll();
      assert.deepEqual(calls, callback === 'init' ? ['stop a'] : ['init a true', 'stop a']);
      assert.equal(host.appliedAsLeader, false);
    }
  });
});
