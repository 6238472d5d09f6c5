/** Calls of role functions on any instance that runs the role (RPC). */
import { z } from 'zod';
import type { Topology } from '../contract/cluster-config.ts';
import { ClusterError } from '../core/errors.ts';
import { addressOf } from '../core/routing/route-table.ts';
import type { InternalHandler, Peers } from '../ports/peers.ts';
import type { RpcCallOptions } from '../role/role-context.ts';
import type { RoleHost } from './role-host.ts';

export interface RpcServiceOptions {
  readonly ownUuid: string;
  readonly peers: Peers;
  readonly roles: () => RoleHost;
  readonly topology: () => Topology;
  readonly leaderOf: (replicaSetUuid: string) => { readonly uuid: string } | undefined;
}

const callSchema = z.object({ role: z.string(), fn: z.string(), args: z.array(z.unknown()) });

const CALL_TIMEOUT_MS_DEFAULT = 5000;

export class RpcService {
  readonly #options: RpcServiceOptions;

  constructor(options: RpcServiceOptions) {
    this.#options = options;
  }

  readonly handle: InternalHandler = async (body) => {
    const { role, fn, args } = callSchema.parse(body);
    return this.#callLocally(role, fn, args);
  };

  async call(
    role: string,
    fn: string,
    args: readonly unknown[],
    options: RpcCallOptions,
  ): Promise<unknown> {
    const candidates = this.#candidates(role, options.leaderOnly ?? false);
    const { ownUuid, peers } = this.#options;
    if ((options.preferLocal ?? true) && candidates.includes(ownUuid))
      return this.#callLocally(role, fn, args);
    const target = candidates.find((uuid) => uuid !== ownUuid) ?? candidates[0];
    const address = target === undefined ? undefined : addressOf(this.#options.topology(), target);
    if (address === undefined) {
      const what = options.leaderOnly === true ? 'leads a replica set with' : 'runs';
      throw new ClusterError('ROLE_UNKNOWN', {
        message: `No enabled instance ${what} role "${role}".`,
      });
    }
    const timeoutMs = options.timeoutMs ?? CALL_TIMEOUT_MS_DEFAULT;
    return peers.call(address, 'rpc.call', { role, fn, args }, { timeoutMs });
  }

  async #callLocally(role: string, fn: string, args: readonly unknown[]): Promise<unknown> {
    const { call, context } = this.#options.roles().rpcFunction(role, fn);
    return Promise.resolve(call(context, ...(args as never[])));
  }

  /** Enabled instances whose replica set has the role, in the order of their UUIDs. */
  #candidates(role: string, leaderOnly: boolean): readonly string[] {
    const { servers, replicasets } = this.#options.topology();
    const roles = this.#options.roles();
    return Object.entries(servers)
      .filter(([uuid, server]) => {
        if (server === 'expelled' || server.disabled) return false;
        const asked = replicasets[server.replicaset_uuid]?.roles ?? [];
        if (!roles.enabled(asked).includes(role)) return false;
        return !leaderOnly || this.#options.leaderOf(server.replicaset_uuid)?.uuid === uuid;
      })
      .map(([uuid]) => uuid)
      .sort();
  }
}
