/** The admin API of an instance, over its services. */
import type {
  ClusterConfig,
  ConfigVersion,
  FailoverConfig,
  Topology,
} from '../contract/cluster-config.ts';
import type { FailoverOverview } from '../contract/failover-overview.ts';
import type { InstanceStatus } from '../contract/instance-status.ts';
import type {
  ChangeState,
  ConfigPatch,
  FinishRequest,
  PrepareAnswer,
  PrepareRequest,
} from '../contract/two-phase.ts';
import { topologyOf } from '../core/config/read-sections.ts';
import { withoutSecrets, withStoredSecrets } from '../core/config/secrets.ts';
import { ClusterError } from '../core/errors.ts';
import { editFailover, type FailoverPatch } from '../core/topology/edit-topology.ts';
import type { Clock } from '../foundation/clock.ts';
import type { InternalHandlers, Peers } from '../ports/peers.ts';
import type { ConfigService } from './config-service.ts';
import { failoverOverview } from './failover-overview.ts';
import { type PauseAnswer, pauseFailover } from './failover-pause.ts';
import { type PromoteRequest, type Promotion, PromotionService } from './promotion-service.ts';
import type { RoleHost } from './role-host.ts';
import { planReplacement, renderUserSections } from './user-sections.ts';

export interface AdminApi {
  status(): Promise<InstanceStatus>;
  /** Roles that a user may enable, with their direct dependencies (ROLE-23). */
  roles(): readonly { readonly name: string; readonly dependencies: readonly string[] }[];
  prepare(request: PrepareRequest): Promise<PrepareAnswer>;
  commit(request: FinishRequest): Promise<ChangeState>;
  abort(request: FinishRequest): Promise<ChangeState>;
  changeState(changeId: string): Promise<ChangeState>;
  clusterConfig(): ClusterConfig | undefined;
  /** The parameters in force; passwords are masked (FO-18). */
  failover(): FailoverConfig;
  /** Changes those that are given (FO-19). */
  editFailover(patch: FailoverPatch): Promise<FailoverConfig>;
  /** Who leads each replica set, as its instances say. */
  failoverStatus(): Promise<FailoverOverview>;
  /** User sections as one YAML map (HTTP-05). */
  renderUserSections(): string;
  /** Replaces all user sections (HTTP-06). */
  replaceUserSections(yaml: string): Promise<void>;
  patch(sections: ConfigPatch, message: string): Promise<ConfigVersion>;
  promote(request: PromoteRequest): Promise<readonly Promotion[]>;
  /** On every instance that can be reached (FO-60). */
  pauseFailover(isPaused: boolean): Promise<PauseAnswer>;
  expelled(config: ClusterConfig): Promise<void>;
  /** Takes a snapshot of the rows now. */
  snapshot(): Promise<unknown>;
  /** Lays the rows of this instance aside, so that it gets a copy from its leader. */
  reseed(request: { readonly force: boolean }): Promise<unknown>;
}

export interface AdminServiceOptions {
  readonly name: string;
  readonly uuid: string;
  readonly config: ConfigService;
  readonly roles: RoleHost;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly leaderOf: (replicaSetUuid: string) => { readonly uuid: string } | undefined;
  readonly status: () => Promise<InstanceStatus>;
  readonly handlers: () => InternalHandlers;
  readonly onExpelled: (config: ClusterConfig) => void;
}

export function buildAdminApi(options: AdminServiceOptions): AdminApi {
  const { config, roles } = options;
  const topology = (): Topology => topologyOf(config.active);
  const promotions = new PromotionService({ ...options, topology });
  const internal = async (method: string, body: unknown): Promise<unknown> =>
    options.handlers().get(method)?.(body);
  const ofReplicaSet = async (method: string, body: unknown): Promise<unknown> => {
    if (!options.handlers().has(method)) throw new ClusterError('CONFIG_MISSING');
    return internal(method, body);
  };
  const change = async (patch: ConfigPatch, message: string): Promise<ConfigVersion> => {
    const wanted = withStoredSecrets(patch, config.active?.sections ?? {});
    const { config: version } = await config.patch(wanted, { author: 'admin', message });
    await config.applied();
    return version;
  };
  return {
    status: options.status,
    roles: () => roles.listedRoles,
    prepare: async (request) => (await internal('twophase.prepare', request)) as PrepareAnswer,
    commit: async (request) => (await internal('twophase.commit', request)) as ChangeState,
    abort: async (request) => (await internal('twophase.abort', request)) as ChangeState,
    changeState: async (changeId) =>
      (await internal('twophase.state', { changeId })) as ChangeState,
    clusterConfig: () => config.active,
    failover: () => {
      if (config.active === undefined) throw new ClusterError('CONFIG_MISSING');
      return topologyOf(withoutSecrets(config.active)).failover;
    },
    editFailover: async (patch) => {
      if (config.active === undefined) throw new ClusterError('CONFIG_MISSING');
      const edited = editFailover(config.active.sections['topology'] ?? {}, patch);
      await change({ topology: edited }, 'the parameters of failover were changed');
      return topologyOf(withoutSecrets(config.active)).failover;
    },
    failoverStatus: async () => {
      if (config.active === undefined) throw new ClusterError('CONFIG_MISSING');
      return failoverOverview(options.peers, topology());
    },
    renderUserSections: () => renderUserSections(config.active?.sections ?? {}),
    replaceUserSections: async (yaml) => {
      const patch = planReplacement(config.active?.sections ?? {}, yaml);
      await config.patch(patch, {
        author: 'admin',
        message: `sections replaced through ${options.name}`,
      });
      await config.applied();
    },
    patch: change,
    promote: async (request) => {
      if (config.active === undefined) throw new ClusterError('CONFIG_MISSING');
      return promotions.promote(request);
    },
    pauseFailover: async (isPaused) => {
      if (config.active === undefined) throw new ClusterError('CONFIG_MISSING');
      return pauseFailover(options.peers, topology(), isPaused);
    },
    expelled: async (wanted) => acceptExpulsion(options, wanted),
    snapshot: () => ofReplicaSet('storage.snapshot', {}),
    reseed: (request) => ofReplicaSet('storage.reseed', request),
  };
}

/** Only a newer config of the own cluster that names this instance as expelled is believed. */
function acceptExpulsion(options: AdminServiceOptions, wanted: ClusterConfig): void {
  const own = options.config.active;
  const isExpelled = topologyOf(wanted).servers[options.uuid] === 'expelled';
  const isNewer = own === undefined || wanted.meta.version >= own.meta.version;
  if (
    !isExpelled ||
    !isNewer ||
    (own !== undefined && own.meta.clusterUuid !== wanted.meta.clusterUuid)
  ) {
    throw new ClusterError('CONFIG_INVALID', {
      field: 'config',
      message: `The config that was sent does not expel instance ${options.uuid} from its cluster, or is an old one.`,
    });
  }
  options.onExpelled(wanted);
}
