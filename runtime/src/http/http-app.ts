/** Builds the HTTP application of an instance, without listening: system routes and those of the roles. */
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyPluginAsync,
  type FastifyReply,
  type FastifyServerOptions,
} from 'fastify';
import { ClusterError } from '../core/errors.ts';
import type { Logger } from '../foundation/logger.ts';
import { PeerError } from '../ports/peers.ts';
import { lazyCompilers } from './lazy-compilers.ts';

export interface HttpAppOptions {
  readonly logger: Logger;
  readonly isAuthorized: (header: string | undefined) => boolean;
  /** Admin API, internal calls: only with the cookie or a token. */
  readonly guarded: readonly FastifyPluginAsync[];
  /** Health. */
  readonly open: readonly FastifyPluginAsync[];
  /** Routes of roles, in the order of the roles. */
  readonly application: readonly { readonly role: string; readonly plugin: FastifyPluginAsync }[];
  /** Why routes may be missing now: the roles that bring them do not run yet. Empty when all are here. */
  readonly missing?: () => string;
}

/** Bodies of the admin API and of peers; an application's routes keep Fastify's own limit of 1 MiB. */
export const ADMIN_BODY_BYTES_MAX = 64 * 1024 * 1024;

/** Of a part of a path, percent-encoded: keys of roles stand there, and one sign of them may take nine. */
const PARAMETER_LENGTH_MAX = 4096;

/** Rejects with ROLE_FAILED when routes of roles cannot be served, with those of others or at all. */
export async function buildHttpApp(options: HttpAppOptions): Promise<FastifyInstance> {
  const { app, checksHeaders } = await assemble(options, lazyCompilers());
  if (!checksHeaders) return app;
  // Only with compilers of its own choice Fastify ignores the case of header names in schemas.
  await app.close();
  return (await assemble(options, {})).app;
}

async function assemble(
  options: HttpAppOptions,
  compilers: FastifyServerOptions,
): Promise<{ readonly app: FastifyInstance; readonly checksHeaders: boolean }> {
  const app = fastify({
    logger: false,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: PARAMETER_LENGTH_MAX },
    frameworkErrors: (error, _request, reply) => void answerError(error, reply),
    ...compilers,
  });
  let checksHeaders = false;
  app.addHook('onRoute', ({ schema }) => {
    checksHeaders ||= schema?.headers !== undefined;
  });
  answerErrors(app, options);
  try {
    await register(app, options);
  } catch (error) {
    // Whatever the plugins have begun ends; why they could not go on is what has to be said.
    await app.close().catch(() => undefined);
    throw error;
  }
  return { app, checksHeaders };
}

async function register(app: FastifyInstance, options: HttpAppOptions): Promise<void> {
  for (const plugin of options.open) await app.register(plugin);
  await app.register(async (scope) => {
    scope.addHook('onRequest', async (request) => {
      if (!options.isAuthorized(request.headers.authorization))
        throw new ClusterError('UNAUTHORIZED');
    });
    for (const plugin of options.guarded) await scope.register(plugin);
  });
  for (const { role, plugin } of options.application) {
    try {
      await app.register(plugin);
    } catch (error) {
      throw routesFailed([role], error);
    }
  }
  try {
    await app.ready();
  } catch (error) {
    throw routesFailed([...new Set(options.application.map(({ role }) => role))], error);
  }
}

function routesFailed(roles: readonly string[], error: unknown): ClusterError {
  const reason = error instanceof Error ? error.message : String(error);
  const who = roles.map((role) => `"${role}"`).join(', ');
  return new ClusterError('ROLE_FAILED', {
    message: `Role ${who} failed: its HTTP routes cannot be served: ${reason}`,
    cause: error,
  });
}

function answerErrors(app: FastifyInstance, options: HttpAppOptions): void {
  app.setErrorHandler(async (error: FastifyError, request, reply) => {
    const { code } = await answerError(error, reply);
    if (code === 'INTERNAL') {
      options.logger.error(
        { error, method: request.method, url: request.url },
        'a request failed unexpectedly',
      );
    }
  });
  app.setNotFoundHandler(async (request, reply) => {
    const error = judgeMissing(`${request.method} ${request.url}`, options.missing?.() ?? '');
    await reply.code(error.status).send(renderError(error));
  });
}

/** A status that Fastify has chosen says more than the code that it gets here. */
async function answerError(error: FastifyError, reply: FastifyReply): Promise<ClusterError> {
  const answer = asClusterError(error);
  const isOfFastify = answer.code === 'REQUEST_INVALID' && !(error instanceof ClusterError);
  const status = isOfFastify ? (error.statusCode ?? answer.status) : answer.status;
  await reply.code(status).send(renderError(answer));
  return answer;
}

/** 404 would tell a client that what it asks for does not exist. */
function judgeMissing(what: string, reason: string): ClusterError {
  if (reason === '') return new ClusterError('NOT_FOUND', { message: `There is no ${what} here.` });
  return new ClusterError('NOT_READY', {
    message: `There is no ${what} here yet: ${reason}. Nothing was done; try again.`,
  });
}

export function renderError(error: ClusterError): Record<string, unknown> {
  return {
    code: error.code,
    message: error.message,
    ...(error.field === undefined ? {} : { field: error.field }),
    ...(error.details === undefined ? {} : { details: error.details }),
  };
}

/** What a handler threw, as one of the catalogue; a call to a peer that failed says whether it may have happened. */
export function asClusterError(error: Error & { readonly statusCode?: number }): ClusterError {
  if (error instanceof ClusterError) return error;
  if (error instanceof PeerError) {
    const code = error.kind === 'not-sent' ? 'PEER_UNREACHABLE' : 'OUTCOME_UNKNOWN';
    return new ClusterError(code, { message: error.message, cause: error });
  }
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500)
    return new ClusterError('REQUEST_INVALID', { message: error.message });
  return new ClusterError('INTERNAL', { cause: error });
}
