/**
 * Runs the application's roles on this instance, in the order of their registration (ROLE-05, ROLE-10, ROLE-11).
 *
 * An error of one role never keeps the others from being applied: the first is kept and returned (STATE-30). A role
 * whose `init` failed is left out until the next apply tries it again.
 */
import type { FastifyPluginAsync } from 'fastify';
import type { Sections } from '../contract/cluster-config.ts';
import type { Refusal } from '../contract/two-phase.ts';
import { ClusterError } from '../core/errors.ts';
import { enabledRoles, orderRoles, type RoleDeclaration } from '../core/roles/order-roles.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { AnyRole, RoleDefinition, RoleFunction } from '../role/define-role.ts';
import type { RoleContext } from '../role/role-context.ts';
import { parseSection, validateRole } from './validate-role.ts';
import { within } from './within.ts';

export interface RoleScope {
  readonly role: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly registerHttp: (plugin: FastifyPluginAsync) => void;
}

export interface RoleHostOptions {
  readonly roles: readonly AnyRole[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly makeContext: (scope: RoleScope) => RoleContext;
  /** All roles have been applied; `appliedAsLeader` may have changed. */
  readonly onApplied?: () => void;
}

export interface RoleGoal {
  readonly sections: Sections;
  /** Names that the replica set asks for; dependencies and permanent roles are added. */
  readonly asked: readonly string[];
  readonly isLeader: boolean;
}

/** For all roles together; less than a call to a peer may take, so that whoever wants the change hears the reason. */
const VALIDATE_MS = 2500;
/** At a start the config was accepted before, and the process has much else to do. */
const VALIDATE_FIRST_MS = 30_000;

/** A role that needs longer to stop keeps others from stopping. */
export const STOP_LIMIT_MS = 3000;

interface RunningRole {
  readonly context: RoleContext;
  readonly abort: AbortController;
  readonly plugins: readonly FastifyPluginAsync[];
}

export class RoleHost {
  readonly #options: RoleHostOptions;
  readonly #roles: ReadonlyMap<string, RoleDefinition>;
  readonly #declarations: readonly RoleDeclaration[];
  readonly #order: readonly string[];
  readonly #running = new Map<string, RunningRole>();
  /** Of roles that run or are being started. */
  readonly #aborts = new Set<AbortController>();
  #isLeader = false;
  #appliedAsLeader = false;
  #isStopping = false;

  constructor(options: RoleHostOptions) {
    this.#options = options;
    const roles = options.roles as readonly RoleDefinition[];
    this.#declarations = roles.map((role) => ({
      name: role.name,
      dependencies: role.dependencies ?? [],
      permanent: role.permanent ?? false,
      hidden: (role.hidden ?? false) || (role.permanent ?? false),
    }));
    const order = orderRoles(this.#declarations);
    if (order.kind === 'invalid')
      throw new TypeError(`the roles given to runCluster do not fit: ${order.reason}`);
    this.#order = order.names;
    this.#roles = new Map(roles.map((role) => [role.name, role]));
  }

  /** Every role that this code knows, permanent and hidden ones too. */
  get knownRoles(): readonly string[] {
    return this.#order;
  }

  /** Those that a user may enable, with their direct dependencies (ROLE-23). */
  get listedRoles(): readonly {
    readonly name: string;
    readonly dependencies: readonly string[];
  }[] {
    return this.#order.flatMap((name) => {
      const role = this.#declarations.find((declaration) => declaration.name === name);
      return role === undefined || role.hidden ? [] : [{ name, dependencies: role.dependencies }];
    });
  }

  /** Have the roles done what they do on a leader, such as creating their spaces? Calls for buckets wait for it. */
  get appliedAsLeader(): boolean {
    return this.#appliedAsLeader;
  }

  get runningRoles(): readonly string[] {
    return this.#order.filter((name) => this.#running.has(name));
  }

  enabled(asked: readonly string[]): readonly string[] {
    return enabledRoles(this.#declarations, this.#order, asked);
  }

  /** Routes of the running roles, in their order. */
  httpPlugins(): readonly { readonly role: string; readonly plugin: FastifyPluginAsync }[] {
    return this.runningRoles.flatMap((role) =>
      (this.#running.get(role)?.plugins ?? []).map((plugin) => ({ role, plugin })),
    );
  }

  rpcFunction(
    role: string,
    fn: string,
  ): { readonly call: RoleFunction; readonly context: RoleContext } {
    const running = this.#running.get(role);
    if (running === undefined) {
      throw new ClusterError('ROLE_UNKNOWN', {
        message: `Role "${role}" does not run on this instance.`,
      });
    }
    const functions = this.#roles.get(role)?.rpc ?? {};
    const call = Object.hasOwn(functions, fn) ? functions[fn] : undefined;
    if (call === undefined) {
      throw new ClusterError('ROLE_FUNCTION_UNKNOWN', {
        message: `Role "${role}" has no function "${fn}".`,
      });
    }
    return { call, context: running.context };
  }

  /**
   * What keeps the wanted sections from being used here; undefined when nothing does. A role that does not answer
   * refuses, for until then no other change is looked at.
   */
  async validate(
    next: { readonly sections: Sections; readonly asked: readonly string[] },
    previous: Sections | undefined,
  ): Promise<Refusal | undefined> {
    const { clock } = this.#options;
    const limitMs = previous === undefined ? VALIDATE_FIRST_MS : VALIDATE_MS;
    const deadlineMs = clock.monotonicMs() + limitMs;
    for (const name of this.enabled(next.asked)) {
      const role = this.#roles.get(name);
      if (role === undefined) continue;
      const refusal = await validateRole(role, next.sections, previous, { clock, deadlineMs });
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  /** Starts, applies and stops roles until the instance has what `goal` says. Returns the first error. */
  async apply(goal: RoleGoal): Promise<Error | undefined> {
    const wanted = this.enabled(goal.asked);
    this.#isLeader = goal.isLeader;
    if (!goal.isLeader) this.#appliedAsLeader = false;
    let firstError: Error | undefined;
    for (const name of this.#order.toReversed()) {
      if (this.#running.has(name) && !wanted.includes(name)) await this.#stop(name);
    }
    for (const name of wanted) {
      if (this.#isStopping) return firstError;
      const error = await this.#applyOne(name, goal);
      firstError ??= error;
    }
    this.#appliedAsLeader = goal.isLeader;
    this.#options.onApplied?.();
    return firstError;
  }

  /** Tells all roles that they end, those that are just being started or applied too. No role starts after this. */
  abort(reason: string): void {
    this.#isStopping = true;
    for (const abort of this.#aborts) abort.abort(new Error(reason));
  }

  async stopAll(): Promise<void> {
    for (const name of this.#order.toReversed()) await this.#stop(name);
  }

  async #applyOne(name: string, goal: RoleGoal): Promise<Error | undefined> {
    const role = this.#roles.get(name);
    if (role === undefined) return undefined;
    try {
      const running = this.#running.get(name) ?? (await this.#start(role, goal.isLeader));
      if (this.#isStopping) return undefined;
      const startedMs = this.#options.clock.monotonicMs();
      await role.applyConfig?.(running.context, parseSection(role, goal.sections), {
        isLeader: goal.isLeader,
      });
      this.#logTime(name, 'applyConfig', startedMs);
      return undefined;
    } catch (error) {
      this.#options.logger.error({ role: name, error }, 'a role failed to apply');
      return asRoleError(name, error);
    }
  }

  async #start(role: RoleDefinition, isLeader: boolean): Promise<RunningRole> {
    const abort = new AbortController();
    const plugins: FastifyPluginAsync[] = [];
    const context = this.#options.makeContext({
      role: role.name,
      logger: this.#options.logger.child({ role: role.name }),
      signal: abort.signal,
      registerHttp: (plugin) => plugins.push(plugin),
    });
    const startedMs = this.#options.clock.monotonicMs();
    this.#aborts.add(abort);
    try {
      await role.init?.(context, { isLeader });
    } catch (error) {
      this.#aborts.delete(abort);
      abort.abort(new Error(`role "${role.name}" failed to start`));
      throw error;
    }
    this.#logTime(role.name, 'init', startedMs);
    const running = { context, abort, plugins };
    this.#running.set(role.name, running);
    return running;
  }

  /** An error of `stop` is logged and keeps nothing from going on (CFG-64), nor does one that never ends. */
  async #stop(name: string): Promise<void> {
    const running = this.#running.get(name);
    if (running === undefined) return;
    this.#running.delete(name);
    running.abort.abort(new Error(`role "${name}" stops`));
    this.#aborts.delete(running.abort);
    const { clock, logger } = this.#options;
    try {
      const stopping = this.#stopOf(name, running.context);
      if (!(await within(clock, STOP_LIMIT_MS, stopping)))
        logger.error({ role: name }, 'a role does not stop; it is waited for no longer');
    } catch (error) {
      logger.error({ role: name, error }, 'a role failed to stop');
    }
  }

  async #stopOf(name: string, context: RoleContext): Promise<void> {
    await this.#roles.get(name)?.stop?.(context, { isLeader: this.#isLeader });
  }

  #logTime(role: string, callback: string, startedMs: number): void {
    const tookMs = Math.round(this.#options.clock.monotonicMs() - startedMs);
    this.#options.logger.debug({ role, callback, tookMs }, 'role callback done');
  }
}

function asRoleError(role: string, error: unknown): Error {
  const reason = error instanceof Error ? error.message : String(error);
  return new ClusterError('ROLE_FAILED', {
    message: `Role "${role}" failed: ${reason}`,
    cause: error,
  });
}
