/** What monitoring scrapes. It needs no login, as scrapers have none, and tells nothing of rows. */
import type { FastifyPluginAsync } from 'fastify';
import type { InstanceStatus } from '../contract/instance-status.ts';
import type { StorageFigures } from '../services/storage-figures.ts';
import { metricsText } from './metrics-text.ts';

export interface MetricsSources {
  readonly status: () => Promise<InstanceStatus>;
  /** Undefined before the instance has joined a replica set. */
  readonly storage: () => StorageFigures | undefined;
}

export function metricsRoutes({ status, storage }: MetricsSources): FastifyPluginAsync {
  return async (app) => {
    app.get('/metrics', async (_request, reply) => {
      const text = metricsText({ ...(await status()), storage: storage() });
      return reply.type('text/plain; version=0.0.4; charset=utf-8').send(text);
    });
  };
}
