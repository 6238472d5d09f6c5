import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FastifyPluginAsync } from 'fastify';
import type { ClusterConfig } from '../contract/cluster-config.ts';
import { ClusterError } from '../core/errors.ts';
import { silentLogger } from '../foundation/logger.ts';
import type { AdminApi } from '../services/admin-service.ts';
import { adminRoutes } from './admin-routes.ts';
import { healthRoutes } from './health-routes.ts';
import { buildHttpApp, type HttpAppOptions } from './http-app.ts';

const CONFIG = {
  meta: { version: 3 },
  sections: { metrics: { a: 1 } },
} as unknown as ClusterConfig;

/** An admin API whose every call fails the test, but for those given. */
function appWith(api: Partial<AdminApi>) {
  const complete = new Proxy(api, {
    get: (target, name): unknown =>
      Reflect.get(target, name) ??
      (() => {
        throw new Error(`unexpected call of ${String(name)}`);
      }),
  }) as AdminApi;
  return buildHttpApp({
    logger: silentLogger,
    isAuthorized: (header) => header === 'right',
    guarded: [adminRoutes(() => complete)],
    open: [
      healthRoutes(() => ({
        state: 'Unconfigured',
        error: null,
        isReady: false,
        reason: 'waits to join',
      })),
    ],
    application: ofRoles(async (app) => {
      app.post('/thing', async (request) => ({ got: request.body }));
      app.get('/bug', async () => {
        throw new Error('secret detail');
      });
    }),
  });
}

function ofRoles(...plugins: readonly FastifyPluginAsync[]): HttpAppOptions['application'] {
  return plugins.map((plugin, index) => ({ role: `role${index}`, plugin }));
}

/** Of roles alone. */
function roleApp(...plugins: readonly FastifyPluginAsync[]): ReturnType<typeof buildHttpApp> {
  return buildHttpApp({
    ...{ logger: silentLogger, isAuthorized: () => true, guarded: [], open: [] },
    application: ofRoles(...plugins),
  });
}

const headers = { authorization: 'right' };

describe('buildHttpApp', () => {
  it('guards the admin API, and neither health nor the application', async () => {
    const app = await appWith({ clusterConfig: () => CONFIG });
    assert.equal((await app.inject('/admin/cluster-config')).statusCode, 401);
    assert.equal((await app.inject({ url: '/admin/cluster-config', headers })).statusCode, 200);
    assert.equal((await app.inject('/health/live')).statusCode, 200);
    const posted = await app.inject({ method: 'POST', url: '/thing', payload: { a: 1 } });
    assert.deepEqual(posted.json(), { got: { a: 1 } });
  });

  it('shows the config without passwords, unless they are asked for [FO-18]', async () => {
    const failover = { state_provider: { password: 'secret' } };
    const config = { ...CONFIG, sections: { topology: { failover } } } as unknown as ClusterConfig;
    const app = await appWith({ clusterConfig: () => config });
    const masked = await app.inject({ url: '/admin/cluster-config', headers });
    assert.deepEqual(masked.json<ClusterConfig>().sections, {
      topology: { failover: { state_provider: { password: '******' } } },
    });
    const shown = await app.inject({ url: '/admin/cluster-config?secrets=shown', headers });
    assert.deepEqual(shown.json(), config);
  });

  it('answers 503 for what may only be missing because its role does not run yet', async () => {
    const app = await buildHttpApp({
      ...{ logger: silentLogger, isAuthorized: () => true, guarded: [], open: [], application: [] },
      missing: () => 'the state is ConfiguringRoles',
    });
    const answer = await app.inject({ method: 'POST', url: '/employee', payload: {} });
    assert.equal(answer.statusCode, 503);
    assert.deepEqual(answer.json(), {
      code: 'NOT_READY',
      message:
        'There is no POST /employee here yet: the state is ConfiguringRoles. Nothing was done; try again.',
    });
  });

  it('says why an instance is not ready', async () => {
    const app = await appWith({});
    const answer = await app.inject('/health/ready');
    assert.equal(answer.statusCode, 503);
    assert.deepEqual(answer.json(), {
      status: 'not ready',
      state: 'Unconfigured',
      reason: 'waits to join',
    });
  });

  it('passes a refusal on with its status, code and field', async () => {
    const app = await appWith({
      clusterConfig: () => CONFIG,
      replaceUserSections: () =>
        Promise.reject(new ClusterError('CONFIG_INVALID', { field: 'sections.x', message: 'no' })),
    });
    const answer = await app.inject({
      method: 'PUT',
      url: '/admin/config',
      headers,
      payload: 'x: 1',
    });
    assert.equal(answer.statusCode, 400);
    assert.deepEqual(answer.json(), { code: 'CONFIG_INVALID', message: 'no', field: 'sections.x' });
  });

  it('takes YAML and JSON bodies as text for PUT /admin/config [HTTP-06]', async () => {
    const bodies: string[] = [];
    const app = await appWith({
      clusterConfig: () => CONFIG,
      replaceUserSections: async (yaml) => void bodies.push(yaml),
    });
    await app.inject({ method: 'PUT', url: '/admin/config', headers, payload: 'x: 1' });
    await app.inject({ method: 'PUT', url: '/admin/config', headers, payload: { x: 1 } });
    assert.deepEqual(bodies, ['x: 1', '{"x":1}']);
  });

  it('answers 409 before the cluster is bootstrapped [HTTP-05]', async () => {
    const app = await appWith({ clusterConfig: () => undefined });
    const answer = await app.inject({ url: '/admin/config', headers });
    assert.equal(answer.statusCode, 409);
    assert.equal(answer.json<{ code: string }>().code, 'CONFIG_MISSING');
  });

  it('names the field of a malformed admin request', async () => {
    const app = await appWith({});
    const answer = await app.inject({
      method: 'POST',
      url: '/admin/promote',
      headers,
      payload: { replicaSetUuid: 'x' },
    });
    assert.equal(answer.statusCode, 400);
    assert.equal(answer.json<{ field: string }>().field, 'replicaSetUuid');
  });

  it('answers 400 for broken JSON, 404 for an unknown route, 500 without details for a bug', async () => {
    const app = await appWith({});
    const broken = await app.inject({
      method: 'POST',
      url: '/thing',
      headers: { 'content-type': 'application/json' },
      payload: '{',
    });
    assert.deepEqual(
      [broken.statusCode, broken.json<{ code: string }>().code],
      [400, 'REQUEST_INVALID'],
    );
    assert.equal((await app.inject('/nothing')).statusCode, 404);
    const bug = await app.inject('/bug');
    assert.equal(bug.statusCode, 500);
    assert.ok(!bug.body.includes('secret detail'));
  });

  it('checks what a route of a role asks for in schemas, with header names in any case', async () => {
    const app = await roleApp(
      async (scope) => {
        const body = { type: 'object', required: ['a'], properties: { a: { type: 'integer' } } };
        const response = { 200: { type: 'object', properties: { a: { type: 'integer' } } } };
        scope.post('/checked', { schema: { body, response } }, async () => ({ a: 1, b: 2 }));
      },
      async (scope) => {
        const names = { type: 'object', required: ['X-Name'] };
        scope.get('/named', { schema: { headers: names } }, async () => 'named');
      },
    );
    const post = (payload: object) => app.inject({ method: 'POST', url: '/checked', payload });
    const get = (sent: Record<string, string>) => app.inject({ url: '/named', headers: sent });
    assert.deepEqual((await post({ a: 5 })).json(), { a: 1 });
    assert.deepEqual([(await post({ a: 'x' })).statusCode, (await get({})).statusCode], [400, 400]);
    assert.equal((await get({ 'X-NAME': 'jane' })).body, 'named');
  });

  it('checks bodies by schemas of routes without any schema for headers', async () => {
    const app = await roleApp(async (scope) => {
      const querystring = { type: 'object', properties: { n: { type: 'integer' } } };
      scope.get('/n', { schema: { querystring } }, async (request) => request.query);
    });
    assert.deepEqual((await app.inject('/n?n=5')).json(), { n: 5 });
    assert.equal((await app.inject('/n?n=x')).statusCode, 400);
  });

  it('names the role whose routes cannot be served, and closes what was begun', async () => {
    const closed: string[] = [];
    const first: FastifyPluginAsync = async (scope) => {
      scope.addHook('onClose', async () => void closed.push('first'));
      scope.get('/a', async () => 'first');
    };
    const second: FastifyPluginAsync = async (scope) => {
      scope.get('/a', async () => 'second');
    };
    const unready: FastifyPluginAsync = async (scope) => {
      scope.get('/b', { schema: { querystring: { type: 'what' } } }, async () => 'b');
    };
    const failure = (role: string, reason: RegExp) => (error: unknown) =>
      error instanceof ClusterError &&
      error.code === 'ROLE_FAILED' &&
      error.message.startsWith(`Role ${role} failed: its HTTP routes cannot be served: `) &&
      reason.test(error.message);
    await assert.rejects(roleApp(first, second), failure('"role1"', /'\/a'/));
    assert.deepEqual(closed, ['first']);
    await assert.rejects(roleApp(unready), failure('"role0"', /GET: \/b/));
  });
});
