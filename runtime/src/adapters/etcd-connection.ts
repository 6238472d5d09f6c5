/**
 * One etcd3 client on one endpoint at a time, replaced as a whole when it fails.
 *
 * The package's own fault handling is switched off: it would send a transaction again whose answer was lost, and
 * report `conflict` for one that was applied. Here a call is sent once; its outcome is known or it is not.
 */
import { Etcd3, type IOptions } from 'etcd3';

export interface EtcdEndpoints {
  readonly endpoints: readonly string[];
  readonly username?: string;
  readonly password?: string;
}

/** With one endpoint a single failure may be the network's; with several, the next one is tried at once. */
const FAILURES_OF_ONE_ENDPOINT = 2;

type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

const sendOnce = {
  execute: async (call: (context: { signal: AbortSignal }) => unknown) =>
    call({ signal: new AbortController().signal }),
} as unknown as Policy;

interface Connection {
  readonly client: Etcd3;
  calls: number;
  retired: boolean;
}

export class EtcdConnection {
  readonly #options: EtcdEndpoints;
  readonly #closing = new AbortController();
  #next = 0;
  #failures = 0;
  #current: Connection | undefined;

  constructor(options: EtcdEndpoints) {
    this.#options = options;
  }

  /** Aborts when `close` is called. */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  /** Runs one call; the client that it uses stays open until it has ended. */
  async use<T>(call: (client: Etcd3) => Promise<T>): Promise<T> {
    const connection = (this.#current ??= this.#connect());
    connection.calls += 1;
    try {
      const result = await call(connection.client);
      this.#failures = 0;
      return result;
    } catch (error) {
      this.#failed(connection);
      throw error;
    } finally {
      connection.calls -= 1;
      closeWhenIdle(connection);
    }
  }

  close(): void {
    this.#closing.abort();
    this.#retire();
  }

  #failed(connection: Connection): void {
    if (connection !== this.#current) return;
    this.#failures += 1;
    const limit = this.#options.endpoints.length > 1 ? 1 : FAILURES_OF_ONE_ENDPOINT;
    if (this.#failures >= limit) this.#retire();
  }

  #retire(): void {
    const connection = this.#current;
    if (connection === undefined) return;
    this.#current = undefined;
    this.#failures = 0;
    connection.retired = true;
    closeWhenIdle(connection);
  }

  #connect(): Connection {
    const { endpoints, username, password } = this.#options;
    const endpoint = endpoints[this.#next % endpoints.length];
    this.#next += 1;
    const client = new Etcd3({
      hosts: [endpoint ?? ''],
      ...(username === undefined ? {} : { auth: { username, password: password ?? '' } }),
      faultHandling: { host: () => sendOnce, global: sendOnce },
      // No keepalive: etcd ends a connection that pings more than once in 5 s. A call has its deadline instead, and a
      // watch its own probe.
      grpcOptions: {
        'grpc.enable_retries': 0,
        'grpc.initial_reconnect_backoff_ms': 100,
        'grpc.max_reconnect_backoff_ms': 1000,
      },
    });
    return { client, calls: 0, retired: false };
  }
}

function closeWhenIdle(connection: Connection): void {
  if (connection.retired && connection.calls === 0) connection.client.close();
}
