/** Wires the server of the binary protocol: who may use it, and what it calls. */
import { IprotoListener } from './adapters/iproto-listener.ts';
import { ClusterError } from './core/errors.ts';
import { provesPassword } from './core/iproto/greeting.ts';
import type { GuestAccess, InstanceOptions } from './core/options/instance-options.ts';
import type { Clock } from './foundation/clock.ts';
import type { Logger } from './foundation/logger.ts';
import type { ReplicaSetServices } from './replica-set-services.ts';
import type { CallFunction, IprotoUsers } from './services/iproto/iproto-context.ts';
import { IprotoServer } from './services/iproto/iproto-server.ts';
import type { RoleHost } from './services/role-host.ts';

const ADMIN = 'admin';
const GUEST = 'guest';

export interface BinaryPortOptions {
  readonly settings: InstanceOptions;
  readonly uuid: string;
  readonly replicaSet: ReplicaSetServices;
  readonly roles: RoleHost;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function binaryPort(options: BinaryPortOptions): IprotoServer {
  const { settings, uuid, replicaSet, roles, clock, logger } = options;
  const port = Number(settings.uri.slice(settings.uri.lastIndexOf(':') + 1));
  const server = new IprotoServer({
    storage: replicaSet.storage.requests,
    call: callRole(roles),
    users: usersOf(settings),
    listener: new IprotoListener({ host: settings.httpHost, port, logger }),
    instance: { uuid, replicaSetUuid: replicaSet.replicaSetUuid, id: 1 },
    logger,
    clock,
  });
  // Pools of connectors find the leader by what they watch.
  replicaSet.storage.onWritableChange(() => server.stateChanged());
  return server;
}

/** `<role>.<function>`, as for calls among instances. */
function callRole(roles: RoleHost): CallFunction {
  return async (name, args) => {
    const dot = name.lastIndexOf('.');
    if (dot === -1) throw unknownFunction(name);
    const role = name.slice(0, dot);
    if (!roles.runningRoles.includes(role)) throw unknownFunction(name);
    const { call, context } = roles.rpcFunction(role, name.slice(dot + 1));
    return call(context, ...(args as never[]));
  };
}

function unknownFunction(name: string): ClusterError {
  return new ClusterError('ROLE_FUNCTION_UNKNOWN', {
    message: `Procedure '${name}' is not defined: functions of roles are called as <role>.<function>.`,
  });
}

/** `admin` knows the cluster's cookie; what a guest may do is an option. */
function usersOf({ clusterCookie, guestAccess }: InstanceOptions): IprotoUsers {
  const may = (user: string, access: GuestAccess): boolean =>
    user === ADMIN || (user === GUEST && levels[guestAccess] >= levels[access]);
  return {
    authenticate: (user, salt, scramble) =>
      user === ADMIN && provesPassword(clusterCookie, salt, scramble),
    mayRead: (user) => may(user, 'read'),
    mayWrite: (user) => may(user, 'write'),
    mayCall: (user) => may(user, 'write'),
  };
}

const levels: Readonly<Record<GuestAccess, number>> = { none: 0, read: 1, write: 2 };
