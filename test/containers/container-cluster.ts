/** A whole cluster in containers: three members of etcd, a slow link that may be put before them, and the employees. */
import type { InstanceStatus } from '@tonearm/runtime/contract';
import { Wait } from 'testcontainers';
import { bucketIdStrCrc32 } from '../../runtime/src/core/sharding/bucket-id.ts';
import { imageNames } from '../kubernetes/images/build-images.ts';
import { type AdminAnswer, adminRequest } from '../support/admin-request.ts';
import { firstSections } from '../support/first-config.ts';
import { waitUntil } from '../support/wait-until.ts';
import { Container, Networks } from './container.ts';
import { SlowLink } from './slow-link.ts';

const COOKIE = 'test-cookie';
const CLUSTER_UUID = '00000000-0000-4000-8000-0000000000cc';
const BUCKET_COUNT = 300;
const HTTP_PORT = 8081;
const IPROTO_PORT = 3301;
const TTL_SECONDS = 2;

const built = imageNames('localhost');
const images = {
  employees: process.env['EMPLOYEES_IMAGE'] ?? built.employees,
  etcd: process.env['ETCD_IMAGE'] ?? built.etcd,
  node: process.env['NODE_IMAGE'] ?? built.node,
};

export class ContainerInstance {
  readonly container: Container;
  uuid = '';

  constructor(container: Container) {
    this.container = container;
  }

  get name(): string {
    return this.container.name;
  }

  async request(
    method: string,
    url: string,
    body?: unknown,
    timeoutMs = 20_000,
  ): Promise<AdminAnswer> {
    const { host, port } = await this.container.address();
    return adminRequest({ host, httpPort: port, cookie: COOKIE }, { method, url, body, timeoutMs });
  }

  async status(timeoutMs?: number): Promise<InstanceStatus> {
    const answer = await this.request('GET', '/admin/status', undefined, timeoutMs);
    if (answer.status !== 200) throw new Error(`${this.name}: ${JSON.stringify(answer)}`);
    return answer.body as InstanceStatus;
  }
}

export class ContainerCluster {
  readonly #networks: Networks;
  readonly etcd: readonly Container[];
  readonly link: SlowLink;
  readonly router: ContainerInstance;
  readonly storages: readonly (readonly ContainerInstance[])[];

  private constructor(
    networks: Networks,
    parts: Pick<ContainerCluster, 'etcd' | 'link' | 'router' | 'storages'>,
  ) {
    this.#networks = networks;
    this.etcd = parts.etcd;
    this.link = parts.link;
    this.router = parts.router;
    this.storages = parts.storages;
  }

  /** One router, and storage replica sets of so many instances. */
  static async start(sizes: readonly number[]): Promise<ContainerCluster> {
    const networks = await Networks.make();
    try {
      const etcd = await Promise.all([1, 2, 3].map((member) => startEtcd(member, networks)));
      const targets = etcd.map(({ name }) => ({ host: name, port: 2379 }));
      const link = await SlowLink.start(images.node, targets, networks);
      const start = (name: string): Promise<ContainerInstance> => startInstance(name, networks);
      const [router, ...storages] = await Promise.all([
        start('router-0'),
        ...sizes.map((size, set) =>
          Promise.all(
            Array.from({ length: size }, (_, index) => start(`storage-${set + 1}-${index}`)),
          ),
        ),
      ]);
      const cluster = new ContainerCluster(networks, { etcd, link, router, storages });
      await cluster.#bootstrap();
      return cluster;
    } catch (error) {
      await networks.remove();
      throw error;
    }
  }

  get instances(): readonly ContainerInstance[] {
    return [this.router, ...this.storages.flat()];
  }

  async remove(): Promise<void> {
    await this.#networks.remove();
  }

  /** Which storage replica set the row of this id belongs to. */
  setOf(id: string): number {
    const share = Math.ceil(BUCKET_COUNT / this.storages.length);
    return Math.floor((bucketIdStrCrc32(id, BUCKET_COUNT) - 1) / share);
  }

  /** The instance of a storage replica set that is writable now, other than the one that was. */
  async leaderOf(set: number, than?: ContainerInstance): Promise<ContainerInstance> {
    const others = (this.storages[set] ?? []).filter((instance) => instance !== than);
    return this.#waitFor(`storage ${set + 1} has another leader`, others, (views) =>
      views.findIndex((view) => view?.writable === true),
    );
  }

  /** One leads and all are in sync with it. */
  async settled(set: number): Promise<ContainerInstance> {
    const instances = this.storages[set] ?? [];
    return this.#waitFor(`storage ${set + 1} settles`, instances, (views) => {
      const leaders = views.filter((view) => view?.writable === true);
      const isSettled = leaders.length === 1 && leaders[0]?.inSync.length === instances.length;
      return isSettled ? views.findIndex((view) => view?.writable === true) : -1;
    });
  }

  /** The instance that `find` names by its place; the error tells what each said last. */
  async #waitFor(
    what: string,
    instances: readonly ContainerInstance[],
    find: (views: readonly (InstanceStatus['replicaSet'] | undefined)[]) => number,
  ): Promise<ContainerInstance> {
    let last: unknown;
    const probe = async (): Promise<ContainerInstance | undefined> => {
      const answers = await Promise.allSettled(instances.map((instance) => instance.status(2000)));
      last = answers.map((answer) =>
        answer.status === 'fulfilled' ? answer.value.replicaSet : String(answer.reason),
      );
      const views = answers.map((answer) =>
        answer.status === 'fulfilled' ? answer.value.replicaSet : undefined,
      );
      return instances[find(views)];
    };
    try {
      return await waitUntil(what, probe, 60_000);
    } catch (error) {
      throw new Error(`not in time: ${what}: ${JSON.stringify(last)}`, { cause: error });
    }
  }

  async #bootstrap(): Promise<void> {
    for (const instance of this.instances) instance.uuid = (await instance.status()).uuid;
    const configured = (instance: ContainerInstance) => ({
      ...{ name: instance.name, uuid: instance.uuid },
      uri: `${instance.name}:${IPROTO_PORT}`,
      httpUri: `${instance.name}:${HTTP_PORT}`,
    });
    const endpoints = this.link.ports.map((port) => `http://${this.link.name}:${port}`);
    const sections = firstSections({
      routers: [configured(this.router)],
      storages: this.storages.map((instances) => instances.map(configured)),
      provider: { kind: 'etcd', endpoints, prefix: '/containers/' },
      fencingTtlSeconds: TTL_SECONDS,
      bucketCount: BUCKET_COUNT,
      allCoordinate: true,
    });
    const answer = await this.router.request('PATCH', '/admin/config', { sections });
    if (answer.status !== 200) throw new Error(`bootstrap failed: ${JSON.stringify(answer.body)}`);
    for (const instance of this.instances) {
      await waitUntil(`${instance.name} is ready`, async () => {
        return (await instance.request('GET', '/health/ready')).status === 200;
      });
    }
    await Promise.all(this.storages.map((_, set) => this.settled(set)));
  }
}

async function startEtcd(member: number, networks: Networks): Promise<Container> {
  const name = `etcd-${member}`;
  const members = [1, 2, 3].map((other) => `etcd-${other}=http://etcd-${other}:2380`);
  const command = [
    ...['--name', name, '--data-dir', '/etcd-data'],
    ...['--listen-client-urls', 'http://0.0.0.0:2379'],
    ...['--advertise-client-urls', `http://${name}:2379`],
    ...['--listen-peer-urls', 'http://0.0.0.0:2380'],
    ...['--initial-advertise-peer-urls', `http://${name}:2380`],
    ...['--initial-cluster', members.join(',')],
  ];
  // Healthy only with the others, and those know it only after it was started.
  const ready = Wait.forListeningPorts();
  return Container.start({ name, image: images.etcd, command, port: 2379, ready }, networks);
}

async function startInstance(name: string, networks: Networks): Promise<ContainerInstance> {
  const environment = {
    TONEARM_INSTANCE_NAME: name,
    TONEARM_ADVERTISE_HOST: name,
    TONEARM_WORKDIR: '/instance-data',
    TONEARM_HTTP_PORT: String(HTTP_PORT),
    TONEARM_PORT: String(IPROTO_PORT),
    TONEARM_CLUSTER_COOKIE: COOKIE,
    TONEARM_CLUSTER_UUID: CLUSTER_UUID,
  };
  const ready = Wait.forHttp('/health/live', HTTP_PORT);
  const options = { name, image: images.employees, environment, port: HTTP_PORT, ready };
  return new ContainerInstance(await Container.start(options, networks));
}
