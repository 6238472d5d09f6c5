/**
 * One etcd3 client on one endpoint at a time, replaced as a whole when it fails; what still waits on the old one ends.
 *
 * The package's own fault handling is switched off: it would send a transaction again whose answer was lost, and
 * report `conflict` for one that was applied. Here a call is sent once; its outcome is known or it is not.
 */
import { Etcd3, type IOptions } from 'etcd3';
import type { EtcdAnswer } from '../core/failover/etcd-members.ts';
import { explainEtcdError } from './etcd-errors.ts';

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

export interface Connection {
  readonly client: Etcd3;
  readonly endpoint: string;
  /** Aborts when the endpoint is given up: a watch on it may be silent for ever. */
  readonly givenUp: AbortSignal;
}

interface Opened extends Connection {
  readonly giveUp: () => void;
  calls: number;
}

export class EtcdConnection {
  readonly #options: EtcdEndpoints;
  readonly #closing = new AbortController();
  #next = 0;
  #failures = 0;
  #current: Opened | undefined;

  constructor(options: EtcdEndpoints) {
    this.#options = options;
  }

  /** Aborts when `close` is called. */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  /** Runs one call; the client that it uses stays open until it has ended. */
  async use<T>(call: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = (this.#current ??= this.#open());
    connection.calls += 1;
    try {
      const result = await call(connection);
      this.#failures = 0;
      return result;
    } catch (error) {
      // Another endpoint would refuse it as well.
      if (!explainEtcdError(error).isRefusal) this.#failed(connection);
      throw error;
    } finally {
      connection.calls -= 1;
      closeWhenIdle(connection);
    }
  }

  /** What every endpoint says of itself, within the time that is given. */
  survey(timeoutMs: number): Promise<readonly EtcdAnswer[]> {
    return Promise.all(
      this.#options.endpoints.map(async (endpoint): Promise<EtcdAnswer> => {
        const client = this.#client(endpoint);
        const limit = new AbortController();
        const late = new Promise<never>((_, reject) => {
          const timer = setTimeout(() => reject(new Error('Deadline exceeded')), timeoutMs);
          limit.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
        });
        try {
          const status = client.maintenance.status({ deadline: new Date(Date.now() + timeoutMs) });
          status.catch(() => undefined);
          return {
            kind: 'status',
            status: memberStatus(endpoint, await Promise.race([status, late])),
          };
        } catch (error) {
          return { kind: 'silent', endpoint, reason: explainEtcdError(error).message };
        } finally {
          limit.abort();
          client.close();
        }
      }),
    );
  }

  close(): void {
    this.#closing.abort();
    this.#retire();
  }

  #failed(connection: Opened): void {
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
    connection.giveUp();
    closeWhenIdle(connection);
  }

  #open(): Opened {
    const { endpoints } = this.#options;
    const endpoint = endpoints[this.#next % endpoints.length] ?? '';
    this.#next += 1;
    const given = new AbortController();
    return {
      ...{ client: this.#client(endpoint), endpoint, calls: 0 },
      givenUp: given.signal,
      giveUp: () => given.abort(new Error(`${endpoint} was given up`)),
    };
  }

  #client(endpoint: string): Etcd3 {
    const { username, password } = this.#options;
    return new Etcd3({
      hosts: [endpoint],
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
  }
}

type Status = Awaited<ReturnType<Etcd3['maintenance']['status']>>;

function memberStatus(
  endpoint: string,
  status: Status,
): Extract<EtcdAnswer, { kind: 'status' }>['status'] {
  const { header, leader, raftTerm, raftIndex, version, dbSize, errors } = status;
  return {
    endpoint,
    clusterId: header.cluster_id,
    memberId: header.member_id,
    leaderId: leader,
    raftTerm: Number(raftTerm),
    raftIndex: Number(raftIndex),
    version,
    dbSizeBytes: Number(dbSize),
    errors,
  };
}

function closeWhenIdle(connection: Opened): void {
  if (connection.givenUp.aborted && connection.calls === 0) connection.client.close();
}
