/**
 * One instance: wires settings and ports into services, and knows the order in which they start and stop.
 *
 * The HTTP server is first and last: whatever the instance cannot do, it can say why.
 */
import type { FastifyPluginAsync } from 'fastify';
import { createStateProvider } from './adapters/create-state-provider.ts';
import { Credentials } from './adapters/credentials.ts';
import type { DirectoryLock } from './adapters/directory-lock.ts';
import { HttpListener } from './adapters/http-listener.ts';
import {
  decodeInternal,
  encodeInternal,
  HttpPeers,
  INTERNAL_CONTENT_TYPE,
} from './adapters/http-peers.ts';
import { LmdbRowDatabase } from './adapters/lmdb-row-database.ts';
import { readBootId } from './adapters/machine.ts';
import type { NodeDisk } from './adapters/node-disk.ts';
import { binaryPort } from './binary-port.ts';
import type { ClusterConfig } from './contract/cluster-config.ts';
import type { InstanceIdentity } from './contract/identity.ts';
import {
  rolesAskedOf,
  stateProviderOf,
  topologyOf,
  vshardGroupsOf,
} from './core/config/read-sections.ts';
import type { InstanceOptions } from './core/options/instance-options.ts';
import { systemClock } from './foundation/clock.ts';
import type { Logger } from './foundation/logger.ts';
import { systemRandom } from './foundation/random.ts';
import { TaskRegistry } from './foundation/task-registry.ts';
import { adminRoutes } from './http/admin-routes.ts';
import { describeHealth, type Health, healthRoutes } from './http/health-routes.ts';
import { buildHttpApp } from './http/http-app.ts';
import { internalRoutes } from './http/internal-routes.ts';
import { metricsRoutes } from './http/metrics-routes.ts';
import { type RoleRoutes, sameRoutes } from './http/role-routes.ts';
import type { InstanceMembership } from './instance-membership.ts';
import { HeldLeadership } from './launcher/held-leadership.ts';
import { connectToLauncher } from './launcher/parent.ts';
import { type OpenedInstance, openInstance } from './open-instance.ts';
import type { InternalHandlers } from './ports/peers.ts';
import { ThreadRenewals } from './renewal-thread/thread-renewals.ts';
import { ReplicaSetServices } from './replica-set-services.ts';
import type { AnyRole } from './role/define-role.ts';
import { builtInRoles, VSHARD_STORAGE } from './roles/built-in-roles.ts';
import { RUNTIME_VERSION } from './runtime-version.ts';
import { buildAdminApi } from './services/admin-service.ts';
import { archiveData } from './services/archive-data.ts';
import { ConfigService } from './services/config-service.ts';
import { describeInstance } from './services/describe-instance.ts';
import { InstanceLifecycle } from './services/instance-lifecycle.ts';
import type { IprotoServer } from './services/iproto/iproto-server.ts';
import { makeRoleContext } from './services/role-contexts.ts';
import { RoleHost } from './services/role-host.ts';
import { RouterService } from './services/router-service.ts';
import { RpcService } from './services/rpc-service.ts';
import { within } from './services/within.ts';

export interface InstanceStartOptions {
  readonly settings: InstanceOptions;
  readonly roles: readonly AnyRole[];
  readonly logger: Logger;
  /** The instance has ended by itself: 0 after it was expelled, 1 after a failure. */
  readonly onEnd: (code: number) => void;
}

/** Requests, tasks and clients get this long each when the instance stops. */
const GRACE_MS = 2000;

export class Instance {
  readonly #options: InstanceStartOptions;
  readonly #settings: InstanceOptions;
  readonly #logger: Logger;
  readonly #identity: InstanceIdentity;
  readonly #credentials: Credentials;
  readonly #peers: HttpPeers;
  readonly #disk: NodeDisk;
  readonly #lock: DirectoryLock;
  readonly #membership: InstanceMembership;
  readonly #held: HeldLeadership;
  readonly #listener: HttpListener;
  readonly #tasks: TaskRegistry;
  readonly #config: ConfigService;
  readonly #roles: RoleHost;
  readonly #lifecycle: InstanceLifecycle;
  readonly #router: RouterService;
  readonly #rpc: RpcService;
  #replicaSet: ReplicaSetServices | undefined;
  #binaryPort: IprotoServer | undefined;
  #ending: Promise<void> | undefined;
  #routes: readonly RoleRoutes[] | undefined;

  /** Resolves when the instance answers on its HTTP port, whatever its state is. */
  static async start(options: InstanceStartOptions): Promise<Instance> {
    const opened = await openInstance(options.settings, options.logger);
    const instance = new Instance(options, opened);
    await instance.#open();
    return instance;
  }

  private constructor(options: InstanceStartOptions, opened: OpenedInstance) {
    this.#options = options;
    this.#settings = options.settings;
    this.#lock = opened.lock;
    this.#disk = opened.disk;
    this.#identity = opened.identity;
    this.#logger = opened.logger;
    this.#membership = opened.membership;
    this.#listener = new HttpListener(this.#logger);
    this.#tasks = new TaskRegistry(this.#logger, (_name, error) => this.#fatal(error));
    this.#credentials = new Credentials({
      cookie: this.#settings.clusterCookie,
      operatorKeysFile: this.#settings.operatorKeysFile,
      clusterUuid: () => this.#identity.clusterUuid,
    });
    this.#peers = new HttpPeers({ authorization: this.#credentials.ownHeader });
    const launcher = connectToLauncher();
    launcher?.onGone(() => process.exit(1));
    this.#held = new HeldLeadership({
      launcher,
      identity: this.#identity,
      provider: () => stateProviderOf(this.#config.active),
    });
    this.#roles = this.#buildRoles();
    this.#lifecycle = this.#buildLifecycle();
    this.#config = this.#buildConfig();
    const topology = () => topologyOf(this.#config.active);
    const leaderOf = (uuid: string) => this.#replicaSet?.failover.leaderOf(uuid);
    const common = { peers: this.#peers, topology, leaderOf };
    const groups = () => vshardGroupsOf(this.#config.active);
    this.#router = new RouterService({ ...common, clock: systemClock, groups });
    this.#rpc = new RpcService({
      ...common,
      ownUuid: this.#identity.uuid,
      roles: () => this.#roles,
    });
  }

  /** Hands leadership over, stops roles, closes the disk. */
  stop(): Promise<void> {
    this.#ending ??= this.#close();
    return this.#ending;
  }

  /** @param last what is done with the data directory when nothing else writes there any more */
  async #close(last?: () => Promise<void>): Promise<void> {
    await this.#lifecycle.stop();
    const clientsGone = this.#binaryPort?.close(GRACE_MS);
    await this.#replicaSet?.release();
    await this.#membership.leave();
    await this.#roles.stopAll();
    await clientsGone;
    await this.#listener.close(GRACE_MS);
    // A role that never ends keeps the task that applies it.
    await within(systemClock, GRACE_MS, this.#tasks.close());
    await this.#replicaSet?.close();
    await this.#membership.close();
    await this.#config.close();
    await this.#peers.close();
    await last?.();
    await this.#lock.release();
  }

  async #open(): Promise<void> {
    await this.#rebuildHttp();
    this.#tasks.run('gossip', (signal) => this.#membership.service.run(signal));
    let fault: string | undefined;
    try {
      await this.#config.open();
      this.#membership.configure(this.#config.active);
    } catch (error) {
      fault = error instanceof Error ? error.message : String(error);
    }
    await this.#listener.listen(this.#settings.httpHost, this.#settings.httpPort);
    const { httpUri, workdir } = this.#settings;
    const { incarnation } = this.#identity;
    this.#logger.info(
      { version: RUNTIME_VERSION, httpUri, workdir, incarnation },
      'the instance answers',
    );
    if (fault !== undefined) this.#lifecycle.fail(fault);
    else this.#tasks.run('start', () => this.#lifecycle.start());
  }

  #buildRoles(): RoleHost {
    const builtIn = builtInRoles({
      groups: () => vshardGroupsOf(this.#config.active),
      buckets: () => this.#replicaSet?.buckets,
    });
    return new RoleHost({
      roles: [...builtIn, ...this.#options.roles],
      clock: systemClock,
      logger: this.#logger,
      onApplied: () => this.#replicaSet?.buckets.leadershipChanged(),
      makeContext: (scope) => {
        const { uuid } = this.#identity;
        const { replicaSetUuid, storage } = this.#requireReplicaSet();
        return makeRoleContext(
          {
            instance: { uuid, name: this.#settings.instanceName, replicaSetUuid },
            storage,
            router: this.#router,
            config: () => this.#config.active,
            patchConfig: (patch, message) =>
              this.#config.patch(patch, { author: scope.role, message }),
            rpcCall: (role, fn, args, call) => this.#rpc.call(role, fn, args, call),
          },
          scope,
        );
      },
    });
  }

  #buildLifecycle(): InstanceLifecycle {
    return new InstanceLifecycle({
      uuid: this.#identity.uuid,
      clock: systemClock,
      logger: this.#logger,
      tasks: this.#tasks,
      roles: this.#roles,
      activeConfig: () => this.#config.active,
      onState: this.#membership.stateChanged,
      join: (replicaSetUuid) => this.#join(replicaSetUuid),
      onRolesApplied: () => this.#rebuildHttp(),
      onExpelled: (config) => this.#expelled(config),
    });
  }

  #buildConfig(): ConfigService {
    const { uuid, clusterUuid } = this.#identity;
    return new ConfigService({
      uuid,
      clusterUuid,
      disk: this.#disk,
      peers: this.#peers,
      clock: systemClock,
      random: systemRandom,
      logger: this.#logger,
      tasks: this.#tasks,
      hooks: {
        mayPrepare: () => this.#lifecycle.mayPrepare(),
        validate: (next, previous) => this.#validate(next, previous),
        onCommitted: (next) => {
          this.#membership.configure(next);
          return this.#lifecycle.committed(next);
        },
        openProvider: createStateProvider,
        knownRoles: () => this.#roles.knownRoles,
        storesBuckets: (roles) => this.#roles.enabled(roles).includes(VSHARD_STORAGE),
      },
    });
  }

  async #validate(
    next: ClusterConfig,
    previous: ClusterConfig | undefined,
  ): ReturnType<RoleHost['validate']> {
    const asked = rolesAskedOf(topologyOf(next), this.#identity.uuid);
    return this.#roles.validate({ sections: next.sections, asked }, previous?.sections);
  }

  #join(replicaSetUuid: string): ReplicaSetServices {
    this.#replicaSet = new ReplicaSetServices({
      replicaSetUuid,
      ...{ clock: systemClock, random: systemRandom, logger: this.#logger },
      identity: this.#identity,
      disk: this.#disk,
      peers: this.#peers,
      membership: this.#membership.service,
      cookieHash: this.#credentials.cookieHash,
      tasks: this.#tasks,
      roles: () => this.#roles,
      logMode: this.#settings.logMode,
      memoryBytes: this.#settings.memoryBytes,
      rowDatabase: new LmdbRowDatabase({ workdir: this.#settings.workdir, bootId: readBootId() }),
      snapshots: this.#settings.snapshots,
      config: () => this.#config.active,
      openProvider: createStateProvider,
      openRenewals: (provider) => new ThreadRenewals(provider),
      reporter: this.#held,
      onOpen: () => this.#openBinaryPort(),
      onWritableChange: () => this.#lifecycle.leadershipChanged(),
      onLeadersChange: () => this.#router.leadersChanged(),
      fatal: (error) => this.#fatal(error),
    });
    return this.#replicaSet;
  }

  async #openBinaryPort(): Promise<void> {
    this.#binaryPort = binaryPort({
      settings: this.#settings,
      uuid: this.#identity.uuid,
      replicaSet: this.#requireReplicaSet(),
      roles: this.#roles,
      clock: systemClock,
      logger: this.#logger,
    });
    await this.#binaryPort.listen();
  }

  #requireReplicaSet(): ReplicaSetServices {
    if (this.#replicaSet === undefined)
      throw new Error('roles run only in an instance that has joined a replica set');
    return this.#replicaSet;
  }

  #handlers(): InternalHandlers {
    return new Map([
      ['status', () => this.#status()],
      ['rpc.call', this.#rpc.handle],
      ...this.#config.handlers(),
      ...(this.#replicaSet?.handlers() ?? []),
    ]);
  }

  #status(): ReturnType<typeof describeInstance> {
    return describeInstance({
      options: this.#settings,
      identity: this.#identity,
      runtimeVersion: RUNTIME_VERSION,
      lifecycle: this.#lifecycle,
      config: this.#config,
      roles: this.#roles,
      replicaSet: this.#replicaSet,
      membership: this.#membership,
    });
  }

  async #rebuildHttp(): Promise<void> {
    const routes = this.#roles.httpPlugins();
    if (sameRoutes(this.#routes, routes)) return;
    const admin = buildAdminApi({
      name: this.#settings.instanceName,
      uuid: this.#identity.uuid,
      config: this.#config,
      roles: this.#roles,
      peers: this.#peers,
      clock: systemClock,
      leaderOf: (uuid) => this.#replicaSet?.failover.leaderOf(uuid),
      status: () => this.#status(),
      handlers: () => this.#handlers(),
      onExpelled: (config) => this.#expelled(config),
    });
    const contentType = INTERNAL_CONTENT_TYPE;
    const codec = { contentType, encode: encodeInternal, decode: decodeInternal };
    const guarded: FastifyPluginAsync[] = [
      adminRoutes(() => admin),
      internalRoutes({ handlers: () => this.#handlers(), codec, logger: this.#logger }),
    ];
    this.#listener.swap(
      await buildHttpApp({
        logger: this.#logger,
        isAuthorized: (header) => this.#credentials.accepts(header),
        guarded,
        open: [
          healthRoutes(() => this.#health()),
          metricsRoutes({
            status: () => this.#status(),
            storage: () => this.#replicaSet?.storage.figures(),
          }),
        ],
        application: routes,
        missing: () => this.#health().reason,
      }),
    );
    this.#routes = routes;
  }

  #health(): Health {
    const hasRoles = this.#roles.runningRoles.length > 0;
    const isEnding = this.#ending !== undefined;
    return describeHealth(this.#lifecycle.state, { hasRoles, isEnding });
  }

  /** Its data moves aside, nothing is deleted; the next start is that of a new, empty instance. */
  #expelled(config: ClusterConfig): void {
    if (this.#ending !== undefined) return;
    this.#logger.warn(
      { version: config.meta.version },
      'this instance was expelled; its data is kept in expelled/',
    );
    this.#ending = this.#close(() => archiveData(this.#disk, this.#identity.uuid));
    this.#ending.then(
      () => this.#options.onEnd(0),
      (error: unknown) => this.#fatal(error),
    );
  }

  #fatal(error: unknown): void {
    this.#logger.error({ error }, 'the instance cannot go on');
    void Promise.resolve(this.#replicaSet?.lastWord(error)).then(() => this.#options.onEnd(1));
  }
}
