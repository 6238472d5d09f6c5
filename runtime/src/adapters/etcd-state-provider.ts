/**
 * The state provider on etcd v3: transactions and watches; no leases of etcd's own.
 *
 * Reads are linearizable. An answer whose revision is lower than one seen before the call was sent comes from a store
 * that was set up anew: it is never taken for an answer.
 */
import { randomUUID } from 'node:crypto';
import {
  type Etcd3,
  EtcdAuthenticationFailedError,
  EtcdInvalidAuthTokenError,
  EtcdPermissionDeniedError,
  GRPCInvalidArgumentError,
  GRPCUnauthenticatedError,
} from 'etcd3';
import type { ICompare, IKeyValue, IResponseHeader } from 'etcd3/lib/rpc.js';
import type {
  ProviderStore,
  StoreRange,
  StoreReading,
  StoreTransaction,
  WatchListener,
} from '../ports/provider-store.ts';
import {
  type ProviderCallOptions,
  type ProviderEntry,
  ProviderError,
  type ProviderOutcome,
} from '../ports/state-provider.ts';
import { EpochGuard } from './epoch-guard.ts';
import { EtcdConnection, type EtcdEndpoints } from './etcd-connection.ts';
import { watchEtcd } from './etcd-watch.ts';

export interface EtcdStateProviderOptions extends EtcdEndpoints {
  /** Every key begins with it. */
  readonly prefix: string;
  /** How long a watch may be silent before it is probed. */
  readonly watchIdleMs?: number;
}

/** With these the server has certainly not executed the transaction. */
const refusals = [
  EtcdAuthenticationFailedError,
  EtcdInvalidAuthTokenError,
  EtcdPermissionDeniedError,
  GRPCInvalidArgumentError,
  GRPCUnauthenticatedError,
];

export class EtcdStateProvider extends EpochGuard {
  constructor(options: EtcdStateProviderOptions) {
    super(new EtcdStore(options), randomUUID);
  }
}

class EtcdStore implements ProviderStore {
  readonly #connection: EtcdConnection;
  readonly #prefix: string;
  readonly #watchIdleMs: number;
  #seenRevision = 0;

  constructor(options: EtcdStateProviderOptions) {
    this.#connection = new EtcdConnection(options);
    this.#prefix = options.prefix;
    this.#watchIdleMs = options.watchIdleMs ?? 5000;
  }

  async read(ranges: readonly StoreRange[], options: ProviderCallOptions): Promise<StoreReading> {
    const request = {
      success: ranges.map((range) => ({
        request_range:
          'key' in range
            ? { key: this.#key(range.key) }
            : { key: this.#key(range.prefix), range_end: this.#end(range.prefix) },
      })),
    };
    const answer = await this.#call('refused', options, (client, deadline) =>
      client.kv.txn(request, { deadline }),
    );
    return {
      found: answer.responses.map(({ response_range: { kvs } }) =>
        kvs.map((found) => this.#entry(found)),
      ),
      revision: Number(answer.header.revision),
    };
  }

  async transact(
    transaction: StoreTransaction,
    options: ProviderCallOptions,
  ): Promise<ProviderOutcome> {
    const request = {
      compare: [
        ...transaction.equal.map(({ key, value }) => this.#equal(key, value)),
        ...transaction.compare.map(({ key, revision }) => this.#unchanged(key, revision)),
      ],
      success: transaction.writes.map((write) =>
        write.kind === 'put'
          ? { request_put: { key: this.#key(write.key), value: Buffer.from(write.value) } }
          : { request_delete_range: { key: this.#key(write.key) } },
      ),
    };
    const answer = await this.#call('unknown', options, (client, deadline) =>
      client.kv.txn(request, { deadline }),
    );
    return answer.succeeded
      ? { kind: 'applied', revision: Number(answer.header.revision) }
      : { kind: 'conflict' };
  }

  async watch(
    prefix: string,
    fromRevision: number,
    listener: WatchListener,
    signal: AbortSignal,
  ): Promise<void> {
    const closed = this.#connection.closed;
    try {
      await this.#connection.use((client) =>
        watchEtcd(client, {
          key: this.#key(prefix),
          rangeEnd: this.#end(prefix),
          fromRevision,
          listener,
          relative: (key) => this.#relative(key),
          idleMs: this.#watchIdleMs,
          signal: AbortSignal.any([signal, closed]),
        }),
      );
    } catch (cause) {
      if (!signal.aborted) {
        throw new ProviderError('refused', `the watch was lost: ${messageOf(cause)}`, { cause });
      }
    }
    if (!signal.aborted) throw new ProviderError('refused', 'the client is closed');
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  async #call<T extends { readonly header: IResponseHeader }>(
    failure: 'refused' | 'unknown',
    options: ProviderCallOptions,
    call: (client: Etcd3, deadline: Date) => Promise<T>,
  ): Promise<T> {
    if (this.#connection.closed.aborted) {
      throw new ProviderError('refused', 'the client is closed');
    }
    const seen = this.#seenRevision;
    const given = [AbortSignal.timeout(Math.ceil(options.timeoutMs)), this.#connection.closed];
    if (options.signal !== undefined) given.push(options.signal);
    const end = AbortSignal.any(given);
    const answer = await this.#connection
      .use((client) =>
        endingWith(end, () => call(client, new Date(Date.now() + options.timeoutMs))),
      )
      .catch((cause: unknown) => {
        const kind = refusals.some((type) => cause instanceof type) ? 'refused' : failure;
        throw new ProviderError(kind, `etcd did not answer: ${messageOf(cause)}`, { cause });
      });
    const revision = Number(answer.header.revision);
    if (revision < seen) {
      this.#seenRevision = revision;
      throw new ProviderError(
        failure,
        `etcd went back from revision ${seen} to ${revision}: it was set up anew or restored`,
      );
    }
    this.#seenRevision = Math.max(this.#seenRevision, revision);
    return answer;
  }

  #equal(key: string, value: string | null): ICompare {
    if (value === null) return this.#unchanged(key, 0);
    return {
      key: this.#key(key),
      target: 'Value',
      result: 'Equal',
      value: Buffer.from(value),
    };
  }

  #unchanged(key: string, revision: number): ICompare {
    return { key: this.#key(key), target: 'Mod', result: 'Equal', mod_revision: revision };
  }

  #key(key: string): Buffer {
    return Buffer.from(this.#prefix + key);
  }

  /** The first key after all that begin with the prefix. */
  #end(prefix: string): Buffer {
    const end = this.#key(prefix);
    const last = end.length - 1;
    end.writeUInt8(end.readUInt8(last) + 1, last);
    return end;
  }

  #entry(found: IKeyValue): ProviderEntry {
    return {
      key: this.#relative(found.key),
      value: found.value.toString(),
      revision: Number(found.mod_revision),
    };
  }

  #relative(key: Buffer): string {
    return key.toString().slice(this.#prefix.length);
  }
}

/** Rejects when the signal aborts, even if the call never ends. */
async function endingWith<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  let give: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    give = () => reject(signal.reason as Error);
    signal.addEventListener('abort', give, { once: true });
  });
  try {
    return await Promise.race([call(), aborted]);
  } finally {
    signal.removeEventListener('abort', give);
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
