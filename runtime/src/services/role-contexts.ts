/** Builds what a role may use, from the services of the instance. */
import type { ClusterConfig } from '../contract/cluster-config.ts';
import type { Json } from '../contract/json.ts';
import type { ConfigPatch } from '../contract/two-phase.ts';
import { ClusterError } from '../core/errors.ts';
import { bucketIdStrCrc32 } from '../core/sharding/bucket-id.ts';
import type { CallOptions, RoleContext, RpcCallOptions, Vshard } from '../role/role-context.ts';
import type { RoleScope } from './role-host.ts';
import type { RouterService } from './router-service.ts';
import { createSpace, openSpace, type SpaceStorage } from './space-access.ts';

export interface RoleContextOptions {
  readonly instance: RoleContext['instance'];
  readonly storage: SpaceStorage;
  readonly router: RouterService;
  readonly config: () => ClusterConfig | undefined;
  readonly patchConfig: (patch: ConfigPatch, message: string) => Promise<unknown>;
  readonly rpcCall: (
    role: string,
    fn: string,
    args: readonly unknown[],
    options: RpcCallOptions,
  ) => Promise<unknown>;
}

const CALL_TIMEOUT_MS_DEFAULT = 5000;
const ONCE_SPACE = '_once';

export function makeRoleContext(options: RoleContextOptions, scope: RoleScope): RoleContext {
  const { storage } = options;
  return {
    instance: options.instance,
    logger: scope.logger,
    signal: scope.signal,
    http: { register: scope.registerHttp },
    space: (name) => openSpace(storage, name),
    createSpace: (definition) => createSpace(storage, definition),
    once: (key, fn) => runOnce(storage, `${scope.role}/${key}`, fn),
    rpc: { call: (role, fn, args, call = {}) => options.rpcCall(role, fn, args, call) },
    vshard: makeVshard(options.router),
    config: {
      get: (section) => frozen(options.config()?.sections[section]),
      patch: async (sections, message) => {
        await options.patchConfig(sections, message ?? `changed by role ${scope.role}`);
      },
    },
  };
}

function makeVshard(router: RouterService): Vshard {
  const timeout = (call?: CallOptions): number => call?.timeoutMs ?? CALL_TIMEOUT_MS_DEFAULT;
  return {
    get bucketCount() {
      return router.table.bucketCount;
    },
    bucketId: (key) => bucketIdStrCrc32(key, router.table.bucketCount),
    callrw: async (bucketId, fn, args, call) =>
      router.call({
        bucketId,
        mode: 'write',
        ...splitFunction(fn),
        args,
        timeoutMs: timeout(call),
      }),
    callro: async (bucketId, fn, args, call) =>
      router.call({ bucketId, mode: 'read', ...splitFunction(fn), args, timeoutMs: timeout(call) }),
    mapCallro: async (fn, args, call) => {
      const request = {
        mode: 'read' as const,
        ...splitFunction(fn),
        args,
        timeoutMs: timeout(call),
      };
      const owners = router.owners();
      const results = await Promise.all(
        owners.map((owner) => router.callReplicaSet(owner, request)),
      );
      return new Map(owners.map((owner, index) => [owner, results[index]]));
    },
  };
}

/** `app.roles.storage.add` is the function `add` of the role `app.roles.storage`. */
function splitFunction(name: string): { readonly role: string; readonly fn: string } {
  const dot = name.lastIndexOf('.');
  if (dot > 0 && dot < name.length - 1)
    return { role: name.slice(0, dot), fn: name.slice(dot + 1) };
  throw new ClusterError('REQUEST_INVALID', {
    field: 'fn',
    message: `${JSON.stringify(name)} does not name a function: give "<role>.<function>"`,
  });
}

/** The mark is written after `fn` has succeeded: a crash between the two runs it again, so it must bear that. */
async function runOnce(storage: SpaceStorage, key: string, fn: () => Promise<void>): Promise<void> {
  await createSpace(storage, {
    name: ONCE_SPACE,
    format: [{ name: 'key', type: 'string' }],
    indexes: [{ name: 'pk', parts: ['key'] }],
  });
  const isDone = await storage.read((reader) => reader.get(ONCE_SPACE, [key]) !== undefined);
  if (isDone) return;
  await fn();
  await storage.write((transaction) => {
    transaction.replace(ONCE_SPACE, [key]);
  });
}

/** Roles get the config itself: whoever writes to it finds out at once. */
function frozen(value: Json | undefined): Json | undefined {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    for (const part of Object.values(value)) frozen(part);
    Object.freeze(value);
  }
  return value;
}
