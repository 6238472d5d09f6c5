/**
 * One replica set of real instances, each a launcher and its data process. One instance alone needs no failover, and
 * comes back as the leader when it was killed; several have a stateboard, and coordinate themselves.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { StateProviderConfig } from '@tonearm/runtime/contract';
import { key, requestType } from '../../runtime/src/core/iproto/protocol.ts';
import { setUuid } from './first-config.ts';
import { IprotoClient } from './iproto-client.ts';
import { COOKIE, LocalInstance } from './local-instance.ts';
import { freePorts } from './ports.ts';
import { type Stateboard, startStateboard } from './stateboard.ts';
import { waitUntil } from './wait-until.ts';

export interface ReplicaSetOptions {
  readonly instances: number;
  /** The file of an application, and its role. */
  readonly application: string;
  readonly role: string;
  /** Left out: by a stateboard, which is started, where there are several instances. */
  readonly failover?: unknown;
  /** In the place of the stateboard. */
  readonly provider?: StateProviderConfig;
  /** Of a lease: without it the default, or a second with the stateboard. */
  readonly ttlSeconds?: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** Where its instances work: a folder of the caller, who also removes it. */
  readonly folder?: string;
}

const PATIENCE_MS = 60_000;
const ITERATE_ALL = 2;
const LIMIT = 1_000_000;

export class ReplicaSet {
  readonly folder: string;
  readonly instances: readonly LocalInstance[];
  readonly #options: ReplicaSetOptions;
  #stateboard: Stateboard | undefined;

  private constructor(options: ReplicaSetOptions, ports: readonly number[]) {
    this.#options = options;
    this.folder = options.folder ?? mkdtempSync(path.join(tmpdir(), 'tonearm-set-'));
    const { application, environment = {} } = options;
    this.instances = Array.from({ length: options.instances }, (_, index) => {
      const name = `row-${index}`;
      const [port = 0, httpPort = 0] = ports.slice(2 * index);
      const workdir = path.join(this.folder, name);
      return new LocalInstance({ name, port, httpPort, workdir, application, environment });
    });
  }

  /** Its leader is writable. */
  static async start(options: ReplicaSetOptions): Promise<ReplicaSet> {
    const set = new ReplicaSet(options, await freePorts(2 * options.instances));
    try {
      const isGiven = options.failover !== undefined || options.provider !== undefined;
      const needsProvider = options.instances > 1 && !isGiven;
      if (needsProvider) set.#stateboard = await startStateboard();
      for (const instance of set.instances) instance.start();
      await set.#configure();
      await set.leader();
      return set;
    } catch (error) {
      await set.stop();
      throw error;
    }
  }

  /** The instance that is writable now. */
  async leader(): Promise<LocalInstance> {
    return waitUntil(
      `${this.#options.role} has a writable leader`,
      async () => {
        for (const instance of this.instances) {
          const status = await instance.status(2000).catch(() => undefined);
          if (status?.replicaSet?.writable === true && status.state === 'RolesConfigured')
            return instance;
        }
        return undefined;
      },
      PATIENCE_MS,
    );
  }

  /** One leads, all are in sync with it and have its rows. */
  async settled(): Promise<LocalInstance> {
    let last: unknown;
    const probe = async (): Promise<LocalInstance | undefined> => {
      const statuses = await Promise.all(this.instances.map((instance) => instance.status(5000)));
      last = statuses.map(({ state, error, replicaSet }) => ({ state, error, replicaSet }));
      const views = statuses.map(({ replicaSet }) => replicaSet);
      const leaders = views.filter((view) => view?.writable === true);
      const leader = leaders[0];
      const isSettled =
        leaders.length === 1 &&
        leader?.inSync.length === this.instances.length &&
        views.every((view) => isDeepStrictEqual(view?.position, leader.position));
      return isSettled ? this.instances[views.indexOf(leader)] : undefined;
    };
    try {
      return await waitUntil('all instances are equal', probe, PATIENCE_MS);
    } catch (error) {
      throw new Error(`the replica set does not settle: ${JSON.stringify(last)}`, {
        cause: error,
      });
    }
  }

  connect(instance: LocalInstance): Promise<IprotoClient> {
    return IprotoClient.connect(instance.port, { user: 'admin', password: COOKIE });
  }

  /** All rows of a space that this instance has. */
  async rowsAt(instance: LocalInstance, space: string): Promise<readonly (readonly unknown[])[]> {
    const client = await this.connect(instance);
    const rows = await client.request(requestType.SELECT, [
      [key.SPACE_NAME, space],
      [key.INDEX_ID, 0],
      [key.ITERATOR, ITERATE_ALL],
      [key.LIMIT, LIMIT],
      [key.KEY, []],
    ]);
    client.close();
    return rows as readonly (readonly unknown[])[];
  }

  async stop(): Promise<void> {
    await Promise.all(this.instances.map((instance) => instance.crash()));
    await this.#stateboard?.stop('SIGKILL');
    if (process.env['KEEP_LOGS'] === undefined && this.#options.folder === undefined)
      rmSync(this.folder, { recursive: true, force: true });
  }

  async #configure(): Promise<void> {
    const uuids = await Promise.all(
      this.instances.map((instance) =>
        waitUntil(
          `${instance.name} is unconfigured`,
          async () => {
            const { state, uuid } = await instance.status();
            return state === 'Unconfigured' ? uuid : undefined;
          },
          PATIENCE_MS,
        ),
      ),
    );
    const answer = await this.instances[0]!.request('PATCH', '/admin/config', {
      sections: { topology: this.#topology(uuids) },
    });
    if (answer.status !== 200) throw new Error(`no config: ${JSON.stringify(answer.body)}`);
  }

  #topology(uuids: readonly string[]): unknown {
    const servers = this.instances.map((instance, index) => [
      uuids[index],
      {
        uri: `127.0.0.1:${instance.port}`,
        http_uri: `127.0.0.1:${instance.httpPort}`,
        alias: instance.name,
        replicaset_uuid: setUuid(0),
      },
    ]);
    const { role, failover = { mode: 'disabled' } } = this.#options;
    const ttlDefault = this.#options.provider === undefined ? 1 : 2;
    const provider = this.#options.provider ?? this.#stateboard?.provider('/rows');
    const roles = provider === undefined ? [role] : ['failover-coordinator', role];
    return {
      servers: Object.fromEntries(servers) as unknown,
      replicasets: { [setUuid(0)]: { alias: 'rows', roles, failover_priority: uuids } },
      failover:
        provider === undefined
          ? failover
          : {
              mode: 'stateful',
              state_provider: provider,
              fencing_ttl: this.#options.ttlSeconds ?? ttlDefault,
            },
    };
  }
}
