/** What the roles of an instance serve over HTTP. */
import type { FastifyPluginAsync } from 'fastify';

export interface RoleRoutes {
  readonly role: string;
  readonly plugin: FastifyPluginAsync;
}

/** Nothing has to be built then: a change of leader seldom brings other routes, and the main loop is needed for calls. */
export function sameRoutes(
  before: readonly RoleRoutes[] | undefined,
  now: readonly RoleRoutes[],
): boolean {
  return (
    before?.length === now.length &&
    now.every(({ role, plugin }, at) => before[at]?.role === role && before[at].plugin === plugin)
  );
}
