/** `POST /internal/<method>`: calls of peers. The answer is 200 with `{ ok, value | error }`, whatever the outcome. */
import type { FastifyPluginAsync } from 'fastify';
import { ClusterError } from '../core/errors.ts';
import type { Logger } from '../foundation/logger.ts';
import type { InternalHandlers } from '../ports/peers.ts';
import { ADMIN_BODY_BYTES_MAX, asClusterError, renderError } from './http-app.ts';

export interface InternalRoutesOptions {
  readonly handlers: () => InternalHandlers;
  readonly codec: {
    readonly contentType: string;
    encode(value: unknown): Uint8Array;
    decode(bytes: Uint8Array): unknown;
  };
  readonly logger: Logger;
}

export function internalRoutes(options: InternalRoutesOptions): FastifyPluginAsync {
  const { codec, logger } = options;
  return async (app) => {
    app.addContentTypeParser(
      codec.contentType,
      { parseAs: 'buffer' },
      async (_request: unknown, body: unknown) => body,
    );
    app.post<{ Params: { method: string } }>(
      '/internal/:method',
      { bodyLimit: ADMIN_BODY_BYTES_MAX },
      async (request, reply) => {
        const answer = await execute(request.params.method, request.body as Uint8Array);
        return reply.type(codec.contentType).send(codec.encode(answer));
      },
    );
  };

  async function execute(method: string, body: Uint8Array): Promise<unknown> {
    try {
      const handler = options.handlers().get(method);
      if (handler === undefined) {
        throw new ClusterError('NOT_FOUND', {
          message: `This instance has no internal method "${method}".`,
          // It may have one soon: what serves calls for buckets comes when the instance has joined.
          details: { executed: false },
        });
      }
      return { ok: true, value: (await handler(codec.decode(body))) ?? null };
    } catch (error) {
      const answer = asClusterError(error instanceof Error ? error : new Error(String(error)));
      if (answer.code === 'INTERNAL')
        logger.error({ error, method }, 'an internal call failed unexpectedly');
      return { ok: false, error: renderError(answer) };
    }
  }
}
