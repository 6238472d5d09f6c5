/** Probes. Liveness says only that the process answers; readiness that this instance can serve its roles. */
import type { FastifyPluginAsync } from 'fastify';
import type { InstanceState } from '../core/lifecycle/instance-state.ts';

export interface Health {
  readonly state: string;
  readonly error: string | null;
  readonly isReady: boolean;
  /** Why it is not ready; empty when it is. */
  readonly reason: string;
}

/** It serves as soon as its roles run, also while they are told of a change. */
export function describeHealth(
  state: InstanceState,
  facts: { readonly hasRoles: boolean; readonly isEnding: boolean },
): Health {
  const { name, error } = state;
  const { hasRoles, isEnding } = facts;
  const isConfigured = name === 'RolesConfigured' || (name === 'ConfiguringRoles' && hasRoles);
  const isReady = isConfigured && !isEnding;
  const why = isEnding ? 'the instance stops' : `the state is ${name || 'starting'}`;
  return { state: name, error, isReady, reason: isReady ? '' : why };
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
