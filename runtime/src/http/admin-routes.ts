/** The admin API: what the operator, the command line and people call. Validates, calls a service, answers. */
import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { brokenRule } from '../contract/broken-rule.ts';
import { type ClusterConfig, clusterConfigSchema, uuidSchema } from '../contract/cluster-config.ts';
import { jsonSchema } from '../contract/json.ts';
import {
  configPatchSchema,
  finishRequestSchema,
  prepareRequestSchema,
} from '../contract/two-phase.ts';
import { withoutSecrets } from '../core/config/secrets.ts';
import { ClusterError } from '../core/errors.ts';
import type { AdminApi } from '../services/admin-service.ts';
import { ADMIN_BODY_BYTES_MAX } from './http-app.ts';

const wantedLeaderSchema = z.strictObject({
  replicaSetUuid: uuidSchema,
  to: uuidSchema.optional(),
});
const forceSchema = {
  force: z.boolean().default(false),
  /** With `force`: instances that will never write again. */
  stopped: z.array(uuidSchema).default([]),
};
const promoteOneSchema = wantedLeaderSchema.extend(forceSchema);
const promoteManySchema = z.strictObject({
  leaders: z.array(wantedLeaderSchema).min(1).max(1000),
  ...forceSchema,
});
const reseedSchema = z.strictObject({ force: z.boolean().default(false) });
const expelledSchema = z.strictObject({ config: clusterConfigSchema });
const failoverPatchSchema = z.record(z.string(), jsonSchema);
const patchSchema = z.strictObject({
  sections: configPatchSchema,
  message: z.string().max(1000).default(''),
});

export function adminRoutes(api: () => AdminApi): FastifyPluginAsync {
  return async (app) => {
    const body = { bodyLimit: ADMIN_BODY_BYTES_MAX };
    app.get('/admin/status', async () => api().status());
    app.get('/admin/roles', async () => ({ roles: api().roles() }));
    // As it is only for those who ask for it, as the operator does: it makes the next config from this one.
    app.get<{ Querystring: { secrets?: string } }>('/admin/cluster-config', async (request) => {
      const config = requireConfig(api().clusterConfig());
      return request.query.secrets === 'shown' ? config : withoutSecrets(config);
    });
    app.get('/admin/failover', async () => api().failover());
    app.get('/admin/failover/status', async () => api().failoverStatus());
    app.patch('/admin/failover', async (request) =>
      api().editFailover(parse(failoverPatchSchema, request.body)),
    );
    app.post('/admin/twophase/prepare', body, async (request) =>
      api().prepare(parse(prepareRequestSchema, request.body)),
    );
    app.post('/admin/twophase/commit', async (request) =>
      api().commit(parse(finishRequestSchema, request.body)),
    );
    app.post('/admin/twophase/abort', async (request) =>
      api().abort(parse(finishRequestSchema, request.body)),
    );
    app.get<{ Params: { changeId: string } }>('/admin/twophase/:changeId', async (request) =>
      api().changeState(request.params.changeId),
    );
    app.post('/admin/promote', async (request) => promote(api(), request.body));
    app.post('/admin/failover/pause', async () => api().pauseFailover(true));
    app.post('/admin/failover/resume', async () => api().pauseFailover(false));
    app.post('/admin/expelled', body, async (request, reply) => {
      await api().expelled(parse(expelledSchema, request.body).config);
      return reply.code(202).send({});
    });
    app.post('/admin/snapshot', async () => api().snapshot());
    app.post('/admin/reseed', async (request) =>
      api().reseed(parse(reseedSchema, request.body ?? {})),
    );
    app.patch('/admin/config', body, async (request) => {
      const { sections, message } = parse(patchSchema, request.body);
      return api().patch(sections, message);
    });
    await app.register(yamlConfigRoutes(api));
  };
}

/** One replica set answers with its promotion, several with `{ promoted: […] }`. */
async function promote(api: AdminApi, body: unknown): Promise<unknown> {
  const command = `POST /admin/promote ${JSON.stringify(body)}`.slice(0, 1000);
  const isMany = typeof body === 'object' && body !== null && 'leaders' in body;
  if (!isMany) {
    const { force, stopped, ...wanted } = parse(promoteOneSchema, body);
    const forced = force ? { force: { command, stopped } } : {};
    const [promoted] = await api.promote({ leaders: [wanted], ...forced });
    return promoted;
  }
  const { force, stopped, leaders } = parse(promoteManySchema, body);
  const forced = force ? { force: { command, stopped } } : {};
  return { promoted: await api.promote({ leaders, ...forced }) };
}

/** `GET` and `PUT /admin/config`: all user sections as one YAML map; JSON is YAML as well. */
function yamlConfigRoutes(api: () => AdminApi): FastifyPluginAsync {
  return async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser(
      '*',
      { parseAs: 'string' },
      async (_request: unknown, text: unknown) => text,
    );
    app.get('/admin/config', async (_request, reply) => {
      requireConfig(api().clusterConfig());
      return reply
        .type('application/yaml')
        .header('content-disposition', 'attachment; filename="config.yml"')
        .send(api().renderUserSections());
    });
    app.put('/admin/config', { bodyLimit: ADMIN_BODY_BYTES_MAX }, async (request, reply) => {
      requireConfig(api().clusterConfig());
      await api().replaceUserSections(typeof request.body === 'string' ? request.body : '');
      return reply.code(200).send();
    });
  };
}

function requireConfig(config: ClusterConfig | undefined): ClusterConfig {
  if (config === undefined) throw new ClusterError('CONFIG_MISSING');
  return config;
}

function parse<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') || 'body';
  throw new ClusterError('REQUEST_INVALID', {
    field,
    message: `${field}: ${brokenRule(issue)}`,
  });
}
