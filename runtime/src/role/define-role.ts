/**
 * What an application author writes: a role, a unit of business logic that is enabled per replica set.
 *
 * Lifecycle (ROLE-10, ROLE-11): on join and on restart `validateConfig`, `init`, `applyConfig`; on a config change and
 * when leadership moves `validateConfig`, `applyConfig`; when the role is disabled `stop`. `validateConfig` also runs
 * before the database exists, so it must not use it.
 */
import type { z } from 'zod';
import type { RoleContext } from './role-context.ts';

export interface RoleOptions {
  /** True only on the instance that leads its replica set and accepts writes now (ROLE-12). */
  readonly isLeader: boolean;
}

/** A function of a role that peers and routers may call; arguments and result must fit MessagePack. */
export type RoleFunction = (context: RoleContext, ...args: never[]) => unknown;

export interface RoleDefinition<Config = unknown> {
  /** Unique among the roles given to `runCluster`; also the name of its config section. */
  readonly name: string;
  /** Names of roles that are enabled and started before this one. */
  readonly dependencies?: readonly string[];
  /** Runs on every instance, and is hidden. Default false. */
  readonly permanent?: boolean;
  /** Not listed among the roles that a user may enable. Default false. */
  readonly hidden?: boolean;
  /**
   * Schema of the config section that has the role's name; an absent section is parsed as `undefined`.
   * A section that does not fit is refused with the path of the field, before any instance changes.
   */
  readonly config?: z.ZodType<Config>;
  /** Once, when the role starts on this instance. A rejection leaves the role out and the instance in `OperationError`. */
  init?(context: RoleContext, options: RoleOptions): Promise<void> | void;
  /**
   * Throws when `next` is not acceptable; `previous` is undefined on the first load. Changes wait for the answer: one
   * that takes some seconds is a refusal.
   */
  validateConfig?(next: Config, previous: Config | undefined): Promise<void> | void;
  /** After `init`, after every config change, and when leadership has moved. */
  applyConfig?(context: RoleContext, config: Config, options: RoleOptions): Promise<void> | void;
  /**
   * When the role is disabled, and when the instance stops; the signal of its context has aborted before. Its HTTP routes
   * vanish by themselves. It is waited for no longer than 3 seconds.
   */
  stop?(context: RoleContext, options: RoleOptions): Promise<void> | void;
  /** Functions that other instances call by `rpc.call` or, with a bucket, by `vshard.callrw` and `callro`. */
  readonly rpc?: Readonly<Record<string, RoleFunction>>;
}

/** A role of any config type, as `runCluster` takes it: the type of its config is its own affair. */
export type AnyRole = RoleDefinition<never>;

/** Types a role's definition and checks its names. */
export function defineRole<Config = unknown>(definition: RoleDefinition<Config>): AnyRole {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(definition.name)) {
    throw new TypeError(
      `role name ${JSON.stringify(definition.name)} may only have letters, digits, "_", "-" and "."`,
    );
  }
  return definition as unknown as AnyRole;
}
