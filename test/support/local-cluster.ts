/**
 * A cluster of real processes on loopback: instances of the employees application, without Kubernetes and without the
 * operator. The test plays the operator: it gives the first config, kills, pauses and starts again.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { InstanceStatus, StateProviderConfig } from '@tonearm/runtime/contract';
import { bucketIdStrCrc32 } from '../../runtime/src/core/sharding/bucket-id.ts';
import { type ConfiguredInstance, firstSections } from './first-config.ts';
import { LocalInstance } from './local-instance.ts';
import { freePorts } from './ports.ts';
import { waitUntil } from './wait-until.ts';

export interface LocalClusterOptions {
  readonly provider: StateProviderConfig;
  /** Instances per storage replica set. */
  readonly storages: readonly number[];
  readonly routers?: number;
  readonly bucketCount?: number;
  readonly fencingTtlSeconds?: number;
  /** Instances of storages appoint leaders too, not only the routers. */
  readonly allCoordinate?: boolean;
  /** What all run, with roles of the same names; the employees without one. */
  readonly application?: string;
  /** At which `host:port` the others reach the HTTP port of an instance; its own without it. */
  readonly reachedAt?: (instance: LocalInstance) => Promise<string>;
  /** Where so many start that they are slow: the first config is given again while not all prepare it in time. */
  readonly patienceMs?: number;
  /** Of all instances, beside what tests give them. */
  readonly environment?: Readonly<Record<string, string>>;
}

type Place = Pick<ConfiguredInstance, 'uuid' | 'httpUri'>;

const BUCKET_COUNT_DEFAULT = 300;
const PATIENCE_MS_DEFAULT = 60_000;

export class LocalCluster {
  readonly folder: string;
  readonly routers: LocalInstance[] = [];
  /** By replica set, in its failover priority. */
  readonly storages: LocalInstance[][] = [];
  readonly #options: LocalClusterOptions;

  private constructor(options: LocalClusterOptions) {
    this.#options = options;
    this.folder = mkdtempSync(path.join(tmpdir(), 'tonearm-cluster-'));
  }

  static async start(options: LocalClusterOptions): Promise<LocalCluster> {
    const cluster = new LocalCluster(options);
    const routerCount = options.routers ?? 1;
    const total = routerCount + options.storages.reduce((sum, count) => sum + count, 0);
    const ports = await freePorts(2 * total);
    const make = (name: string): LocalInstance => {
      const httpPort = ports.pop() ?? 0;
      return new LocalInstance({
        name,
        httpPort,
        port: ports.pop() ?? 0,
        workdir: path.join(cluster.folder, name),
        environment: options.environment ?? {},
        ...(options.application === undefined ? {} : { application: options.application }),
      });
    };
    for (let index = 0; index < routerCount; index++) cluster.routers.push(make(`router-${index}`));
    for (const [set, count] of options.storages.entries()) {
      cluster.storages.push(
        Array.from({ length: count }, (_, index) => make(`storage-${set + 1}-${index}`)),
      );
    }
    for (const instance of cluster.instances) instance.start();
    try {
      await cluster.#bootstrap();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  get instances(): readonly LocalInstance[] {
    return [...this.routers, ...this.storages.flat()];
  }

  get router(): LocalInstance {
    const [router] = this.routers;
    if (router === undefined) throw new Error('the cluster has no router');
    return router;
  }

  /** The instance of a storage replica set that is writable now. */
  async leaderOf(set: number): Promise<LocalInstance> {
    return waitUntil(`storage ${set + 1} has a writable leader`, async () => {
      for (const instance of this.storages[set] ?? []) {
        const status = await instance.status(2000).catch(() => undefined);
        if (status?.replicaSet?.writable === true) return instance;
      }
      return undefined;
    });
  }

  async ready(): Promise<void> {
    await waitUntil(
      'every instance is ready',
      async () => {
        const answers = await Promise.all(
          this.instances.map((instance) => instance.request('GET', '/health/ready')),
        );
        return answers.every(({ status }) => status === 200);
      },
      this.#patienceMs,
    );
  }

  /** Changes sections through one instance, as `PATCH /admin/config` does. */
  patch(
    through: LocalInstance,
    sections: Record<string, unknown>,
  ): Promise<{ status: number; body: unknown }> {
    return through.request('PATCH', '/admin/config', { sections });
  }

  /** Which storage replica set the row of this id belongs to. */
  setOf(id: string): number {
    return Math.floor((bucketIdStrCrc32(id, this.#bucketCount) - 1) / this.bucketsPerSet);
  }

  get bucketsPerSet(): number {
    return Math.ceil(this.#bucketCount / this.storages.length);
  }

  /** One instance leads and every instance of the set has its rows. */
  async settled(set: number): Promise<LocalInstance> {
    const instances = this.storages[set] ?? [];
    let last: unknown;
    const probe = async (): Promise<LocalInstance | undefined> => {
      const statuses = await Promise.all(instances.map((instance) => instance.status(5000)));
      last = statuses;
      const views = statuses.map(({ replicaSet }) => replicaSet);
      const leaders = views.filter((view) => view?.writable === true);
      const leader = leaders[0];
      const isSettled =
        leaders.length === 1 &&
        leader?.inSync.length === instances.length &&
        views.every((view) => isDeepStrictEqual(view?.position, leader.position));
      return isSettled ? instances[views.indexOf(leader)] : undefined;
    };
    try {
      return await waitUntil(`all of storage ${set + 1} are equal`, probe, 60_000);
    } catch (error) {
      throw new Error(`storage ${set + 1} does not settle: ${JSON.stringify(last)}`, {
        cause: error,
      });
    }
  }

  get #bucketCount(): number {
    return this.#options.bucketCount ?? BUCKET_COUNT_DEFAULT;
  }

  async stop(): Promise<void> {
    await Promise.all(this.instances.map((instance) => instance.crash()));
    if (process.env['KEEP_LOGS'] === undefined)
      rmSync(this.folder, { recursive: true, force: true });
  }

  async #bootstrap(): Promise<void> {
    const statuses: InstanceStatus[] = [];
    // One after the other: questions to many that are not there yet would take the time that they need.
    for (const instance of this.instances) {
      const isUnconfigured = async (): Promise<InstanceStatus | undefined> => {
        const status = await instance.status();
        return status.state === 'Unconfigured' ? status : undefined;
      };
      const what = `${instance.name} is unconfigured`;
      statuses.push(await waitUntil(what, isUnconfigured, this.#patienceMs));
    }
    const { reachedAt = ownAddress } = this.#options;
    const httpUris = await Promise.all(this.instances.map((instance) => reachedAt(instance)));
    const placeOf = new Map(
      statuses.map(({ name, uuid }, index) => [name, { uuid, httpUri: httpUris[index] ?? '' }]),
    );
    await this.#giveFirstConfig(this.#firstSections(placeOf));
    await this.ready();
    await Promise.all(this.storages.map((_, set) => this.leaderOf(set)));
  }

  async #giveFirstConfig(sections: Record<string, unknown>): Promise<void> {
    const isPatient = this.#options.patienceMs !== undefined;
    const answer = await waitUntil(
      'the first config is taken',
      async () => {
        const given = await this.patch(this.router, sections);
        return isPatient && given.status === 409 ? undefined : given;
      },
      this.#patienceMs,
    );
    if (answer.status !== 200) throw new Error(`bootstrap failed: ${JSON.stringify(answer.body)}`);
  }

  get #patienceMs(): number {
    return this.#options.patienceMs ?? PATIENCE_MS_DEFAULT;
  }

  #firstSections(placeOf: ReadonlyMap<string, Place>): Record<string, unknown> {
    const { provider, fencingTtlSeconds = 1, allCoordinate = false } = this.#options;
    const configured = (instance: LocalInstance): ConfiguredInstance => ({
      name: instance.name,
      uri: `127.0.0.1:${instance.port}`,
      ...(placeOf.get(instance.name) ?? { uuid: '', httpUri: '' }),
    });
    return firstSections({
      routers: this.routers.map(configured),
      storages: this.storages.map((instances) => instances.map(configured)),
      ...{ provider, fencingTtlSeconds, allCoordinate, bucketCount: this.#bucketCount },
    });
  }
}

async function ownAddress({ httpPort }: LocalInstance): Promise<string> {
  return `127.0.0.1:${httpPort}`;
}
