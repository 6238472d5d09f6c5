/**
 * The life of an instance: from an empty or filled working directory to running roles, and through every change of
 * config and leadership after that (STATE-01 …, BOOT-03 …).
 *
 * One thing is done at a time, in the order in which it came. Applying roles is repeated while it fails, because what
 * made it fail (no leader, a role's own trouble) often passes.
 */
import type { ClusterConfig, Topology } from '../contract/cluster-config.ts';
import type { InstanceStateName } from '../contract/instance-status.ts';
import type { Refusal } from '../contract/two-phase.ts';
import { topologyOf } from '../core/config/read-sections.ts';
import {
  acceptsConfigChange,
  INITIAL_STATE,
  type InstanceState,
  isErrorState,
  transit,
} from '../core/lifecycle/instance-state.ts';
import { assert } from '../foundation/assert.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { TaskRegistry } from '../foundation/task-registry.ts';
import { Exclusive } from './exclusive.ts';
import type { RoleHost } from './role-host.ts';
import { within } from './within.ts';

/** What a replica set's services are to the lifecycle. */
export interface JoinedReplicaSet {
  readonly isWritable: boolean;
  open(): Promise<void>;
  /** Leadership, replication and calls begin. */
  run(): void;
  /** A new config is active. */
  configure(config: ClusterConfig): Promise<void>;
}

export interface InstanceLifecycleOptions {
  readonly uuid: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tasks: TaskRegistry;
  readonly roles: RoleHost;
  readonly activeConfig: () => ClusterConfig | undefined;
  readonly join: (replicaSetUuid: string, config: ClusterConfig) => JoinedReplicaSet;
  readonly onState: (state: InstanceStateName) => void;
  /** Roles have started or stopped: their HTTP routes change. A rejection leaves those of before. */
  readonly onRolesApplied: () => Promise<void>;
  /** The config says that this instance was expelled: it never comes back under its UUID (TOPO-07). */
  readonly onExpelled: (config: ClusterConfig) => void;
}

const APPLY_RETRY_MS = 500;

/** What roles get to end what they are doing when the instance stops. */
const APPLY_LIMIT_MS = 3000;

export class InstanceLifecycle {
  readonly #options: InstanceLifecycleOptions;
  readonly #work = new Exclusive();
  #state: InstanceState = INITIAL_STATE;
  #replicaSet: JoinedReplicaSet | undefined;
  #appliedAsLeader = false;
  #isStopping = false;

  constructor(options: InstanceLifecycleOptions) {
    this.#options = options;
  }

  get state(): InstanceState {
    return this.#state;
  }

  mayPrepare(): Refusal | undefined {
    if (acceptsConfigChange(this.#state.name) || this.#state.name === 'ConfiguringRoles')
      return undefined;
    const reason = this.#state.error === null ? '' : `: ${this.#state.error}`;
    return {
      code: 'STATE_FORBIDS',
      message: `The instance is in state ${this.#state.name || 'starting'}${reason}. It takes part in changes when its roles run.`,
    };
  }

  /** The instance cannot even read who it is (STATE-24 …). It stays reachable for inspection. */
  fail(error: string): void {
    this.#transit('InitError', error);
  }

  start(): Promise<void> {
    return this.#work.run(async () => {
      const config = this.#options.activeConfig();
      if (config === undefined) {
        this.#transit('Unconfigured');
        return;
      }
      this.#transit('ConfigFound');
      const fault = await this.#checkFound(config);
      if (fault !== undefined) {
        this.#transit('InitError', fault);
        return;
      }
      this.#transit('ConfigLoaded');
      await this.#boot('RecoveringSnapshot', config);
    });
  }

  /** A config has become active; called in the order of the versions. */
  committed(config: ClusterConfig): Promise<void> {
    return this.#work.run(async () => {
      if (this.#isStopping || this.#options.activeConfig()?.meta.version !== config.meta.version)
        return;
      if (topologyOf(config).servers[this.#options.uuid] === 'expelled') {
        this.#options.onExpelled(config);
        return;
      }
      if (this.#state.name === 'Unconfigured') {
        await this.#boot('BootstrappingBox', config);
        return;
      }
      await this.#replicaSet?.configure(config);
      await this.#applyRoles();
    });
  }

  /** Leadership may have moved: roles are told what this instance is now (ROLE-15). */
  leadershipChanged(): void {
    this.#options.tasks.run('apply roles after a change of leadership', () =>
      this.#work.run(async () => {
        if (this.#replicaSet?.isWritable !== this.#appliedAsLeader) await this.#applyRoles();
      }),
    );
  }

  /**
   * Nothing is applied any more; resolves when what was under way has ended. Roles are told, as one may wait for its
   * end while it is applied; one that does not listen is left behind, as leadership is to be handed over in any case.
   */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const { roles, clock, logger } = this.#options;
    roles.abort('the instance stops');
    const idle = this.#work.run(async () => undefined);
    if (!(await within(clock, APPLY_LIMIT_MS, idle)))
      logger.error({}, 'a role does not come to an end; it is waited for no longer');
  }

  async #checkFound(config: ClusterConfig): Promise<string | undefined> {
    const topology = topologyOf(config);
    const own = topology.servers[this.#options.uuid];
    if (own === 'expelled') {
      this.#options.onExpelled(config);
      return 'this instance was expelled from the cluster';
    }
    if (own === undefined)
      return 'the cluster config in the data directory does not name this instance';
    const asked = rolesOf(topology, own.replicaset_uuid);
    const refusal = await this.#options.roles.validate(
      { sections: config.sections, asked },
      undefined,
    );
    return refusal?.message;
  }

  async #boot(
    from: 'BootstrappingBox' | 'RecoveringSnapshot',
    config: ClusterConfig,
  ): Promise<void> {
    const own = topologyOf(config).servers[this.#options.uuid];
    this.#transit(from);
    try {
      if (own === undefined || own === 'expelled')
        throw new Error('the cluster config does not name this instance');
      const replicaSet = this.#options.join(own.replicaset_uuid, config);
      await replicaSet.open();
      this.#transit('ConnectingFullmesh');
      this.#replicaSet = replicaSet;
      replicaSet.run();
      this.#transit('BoxConfigured');
    } catch (error) {
      this.#options.logger.error({ error }, 'the instance cannot boot');
      this.#transit('BootError', error instanceof Error ? error.message : String(error));
      return;
    }
    await this.#applyRoles();
  }

  get #canApply(): boolean {
    const isReady = ['BoxConfigured', 'RolesConfigured', 'OperationError'].includes(
      this.#state.name,
    );
    return isReady && !this.#isStopping;
  }

  async #applyRoles(): Promise<void> {
    const { roles, uuid, activeConfig } = this.#options;
    const config = activeConfig();
    const own = topologyOf(config).servers[uuid];
    if (!this.#canApply || config === undefined || own === undefined || own === 'expelled') return;
    this.#transit('ConfiguringRoles');
    const isLeader = this.#replicaSet?.isWritable ?? false;
    this.#appliedAsLeader = isLeader;
    const asked = rolesOf(topologyOf(config), own.replicaset_uuid);
    const applying = await roles.apply({ sections: config.sections, asked, isLeader });
    if (this.#isStopping) return;
    const routing = await this.#changeRoutes();
    const error = applying ?? routing;
    this.#transit(error === undefined ? 'RolesConfigured' : 'OperationError', error?.message);
    if (error !== undefined) this.#applyAgain();
  }

  #applyAgain(): void {
    const { tasks, clock } = this.#options;
    tasks.run('apply roles again', async (signal) => {
      await clock.sleep(APPLY_RETRY_MS, signal);
      await this.#work.run(async () => {
        if (this.#state.name === 'OperationError') await this.#applyRoles();
      });
    });
  }

  /** What a role registers is its own affair: it must not end the instance, nor keep it from being mended. */
  async #changeRoutes(): Promise<Error | undefined> {
    try {
      await this.#options.onRolesApplied();
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  #transit(next: InstanceStateName, error?: string): void {
    const transition = transit(this.#state, next, error);
    assert(transition.kind === 'changed', transition.kind === 'forbidden' ? transition.reason : '');
    this.#state = transition.state;
    this.#options.onState(next);
    const fields = { state: next, previous: transition.state.previous };
    if (isErrorState(next))
      this.#options.logger.error({ ...fields, reason: transition.state.error }, 'instance state');
    else this.#options.logger.info(fields, 'instance state');
  }
}

function rolesOf(topology: Topology, replicaSetUuid: string): readonly string[] {
  return topology.replicasets[replicaSetUuid]?.roles ?? [];
}
