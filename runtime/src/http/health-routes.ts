/** Probes. Liveness says only that the process answers; readiness that this instance can serve its roles. */
import type { FastifyPluginAsync } from 'fastify';

export interface Health {
  readonly state: string;
  readonly error: string | null;
  readonly isReady: boolean;
  /** Why it is not ready; empty when it is. */
  readonly reason: string;
}

export function healthRoutes(health: () => Health): FastifyPluginAsync {
  return async (app) => {
    app.get('/health/live', async () => ({ status: 'ok' }));
    app.get('/health/startup', async () => ({ status: 'ok', state: health().state }));
    app.get('/health/ready', async (_request, reply) => {
      const now = health();
      return reply.code(now.isReady ? 200 : 503).send({
        status: now.isReady ? 'ok' : 'not ready',
        state: now.state,
        ...(now.reason === '' ? {} : { reason: now.reason }),
        ...(now.error === null ? {} : { error: now.error }),
      });
    });
  };
}
