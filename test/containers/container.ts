/**
 * One container on the network of the cluster, and the faults that only an engine can make: its network taken away,
 * a pause, a kill, a stop. What it has written stays in it over kills and starts.
 *
 * The test reaches its published port by a second network, so that a container that is cut off still answers the test.
 */
import {
  type ContainerRuntimeClient,
  GenericContainer,
  getContainerRuntimeClient,
  Network,
  type StartedNetwork,
  type StartedTestContainer,
  type WaitStrategy,
} from 'testcontainers';

type Handle = ReturnType<ContainerRuntimeClient['container']['getById']>;

export interface ContainerOptions {
  readonly image: string;
  /** Under which the others know it. */
  readonly name: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly files?: readonly { readonly content: string; readonly target: string }[];
  /** Published to the test. */
  readonly port: number;
  readonly ready: WaitStrategy;
}

export class Container {
  readonly name: string;
  readonly #handle: Handle;
  readonly #port: number;
  readonly #networks: Networks;
  #published: number | undefined;

  private constructor(options: ContainerOptions, handle: Handle, networks: Networks) {
    this.name = options.name;
    this.#handle = handle;
    this.#port = options.port;
    this.#networks = networks;
  }

  static async start(options: ContainerOptions, networks: Networks): Promise<Container> {
    let generic = new GenericContainer(options.image)
      .withUser('0:0')
      .withNetwork(networks.test)
      .withExposedPorts(options.port)
      .withEnvironment({ ...options.environment })
      .withCopyContentToContainer([...(options.files ?? [])])
      .withWaitStrategy(options.ready)
      .withStartupTimeout(60_000);
    if (options.entrypoint !== undefined) generic = generic.withEntrypoint([...options.entrypoint]);
    if (options.command !== undefined) generic = generic.withCommand([...options.command]);
    const started = await generic.start();
    const client = await getContainerRuntimeClient();
    const container = new Container(options, client.container.getById(started.getId()), networks);
    networks.keep(started);
    await container.mend();
    return container;
  }

  /** Where the test reaches it: each start, and each change of its networks, may publish another port. */
  async address(): Promise<{ readonly host: string; readonly port: number }> {
    const { host } = (await getContainerRuntimeClient()).info.containerRuntime;
    if (this.#published === undefined) {
      const { NetworkSettings: settings } = await this.#handle.inspect();
      const [binding] = settings.Ports[`${this.#port}/tcp`] ?? [];
      if (binding === undefined) throw new Error(`${this.name} has no published port`);
      this.#published = Number(binding.HostPort);
    }
    return { host, port: this.#published };
  }

  /** No packet comes or goes between it and the others; nothing is closed. */
  async cut(): Promise<void> {
    await this.#networks.cluster().disconnect({ Container: this.#handle.id, Force: true });
    this.#published = undefined;
  }

  async mend(): Promise<void> {
    await this.#networks.cluster().connect({
      Container: this.#handle.id,
      EndpointConfig: { Aliases: [this.name] },
    });
    this.#published = undefined;
  }

  async pause(): Promise<void> {
    await this.#handle.pause();
  }

  async resume(): Promise<void> {
    await this.#handle.unpause();
  }

  async kill(): Promise<void> {
    await this.#handle.kill();
    this.#published = undefined;
  }

  /** SIGTERM, and time to end. */
  async stop(): Promise<void> {
    await this.#handle.stop({ t: 20 });
    this.#published = undefined;
  }

  async start(): Promise<void> {
    await this.#handle.start();
    this.#published = undefined;
  }

  async log(): Promise<string> {
    return (await this.#handle.logs({ stdout: true, stderr: true })).toString();
  }
}

/** The cluster's network and the test's, and everything that is on them. */
export class Networks {
  readonly test: StartedNetwork;
  readonly #cluster: StartedNetwork;
  readonly #client: ContainerRuntimeClient;
  readonly #containers: StartedTestContainer[] = [];

  private constructor(
    networks: { readonly test: StartedNetwork; readonly cluster: StartedNetwork },
    client: ContainerRuntimeClient,
  ) {
    this.test = networks.test;
    this.#cluster = networks.cluster;
    this.#client = client;
  }

  static async make(): Promise<Networks> {
    const [test, cluster] = await Promise.all([new Network().start(), new Network().start()]);
    return new Networks({ test, cluster }, await getContainerRuntimeClient());
  }

  cluster(): ReturnType<ContainerRuntimeClient['network']['getById']> {
    return this.#client.network.getById(this.#cluster.getId());
  }

  keep(container: StartedTestContainer): void {
    this.#containers.push(container);
  }

  async remove(): Promise<void> {
    await Promise.all(this.#containers.map((container) => container.stop({ timeout: 0 })));
    await Promise.all([this.test.stop(), this.#cluster.stop()]);
  }
}
