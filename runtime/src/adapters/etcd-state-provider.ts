/**
 * The state provider on etcd v3: transactions and watches; no leases of etcd's own.
 *
 * Reads are linearizable. An endpoint that answers for another cluster than the one believed in, or with a lower
 * revision than one seen before the call was sent, is passed over: it belongs to others, or was started from old data.
 * Only when no endpoint answers otherwise was the whole of etcd set up anew or restored, and is believed again.
 */
import { randomUUID } from 'node:crypto';
import type { Etcd3 } from 'etcd3';
import type { ICompare, IKeyValue, IResponseHeader } from 'etcd3/lib/rpc.js';
import { judgeEtcdMembers, prevailingCluster } from '../core/failover/etcd-members.ts';
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
import { explainEtcdError } from './etcd-errors.ts';
import { watchEtcd } from './etcd-watch.ts';

export interface EtcdStateProviderOptions extends EtcdEndpoints {
  /** Every key begins with it. */
  readonly prefix: string;
  /** How long a watch may be silent before it is probed. */
  readonly watchIdleMs?: number;
}

/** For hearing of all members which cluster most of them belong to, before the first answer is believed. */
const SURVEY_MS = 500;

export class EtcdStateProvider extends EpochGuard {
  constructor(options: EtcdStateProviderOptions) {
    super(new EtcdStore(options), randomUUID);
  }
}

class EtcdStore implements ProviderStore {
  readonly #connection: EtcdConnection;
  readonly #prefix: string;
  readonly #watchIdleMs: number;
  readonly #endpoints: number;
  #seenRevision = 0;
  #cluster: string | undefined;
  #surveyed: Promise<void> | undefined;
  /** Answers in a row that were not believed. */
  #disbelieved = 0;

  constructor(options: EtcdStateProviderOptions) {
    this.#connection = new EtcdConnection(options);
    this.#prefix = options.prefix;
    this.#endpoints = options.endpoints.length;
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
    const answer = await this.#anywhere(options, (rest) =>
      this.#call('refused', rest, (client, deadline) => client.kv.txn(request, { deadline })),
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
    const { closed } = this.#connection;
    try {
      await this.#connection.use(({ client, givenUp }) =>
        watchEtcd(client, {
          key: this.#key(prefix),
          rangeEnd: this.#end(prefix),
          fromRevision,
          listener,
          relative: (key) => this.#relative(key),
          idleMs: this.#watchIdleMs,
          signal: AbortSignal.any([signal, closed]),
          givenUp,
        }),
      );
    } catch (cause) {
      if (!signal.aborted) {
        const { message } = explainEtcdError(cause);
        throw new ProviderError('refused', `the watch was lost: ${message}`, { cause });
      }
    }
    if (!signal.aborted) throw new ProviderError('refused', 'the client is closed');
  }

  async check({ timeoutMs }: ProviderCallOptions): Promise<readonly string[]> {
    return judgeEtcdMembers(await this.#connection.survey(timeoutMs));
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  /** A read may be sent again: to the next endpoint, while there is time. */
  async #anywhere<T>(
    options: ProviderCallOptions,
    read: (rest: ProviderCallOptions) => Promise<T>,
  ): Promise<T> {
    const endMs = performance.now() + options.timeoutMs;
    for (let left = this.#endpoints - 1; ; left--) {
      try {
        return await read({ ...options, timeoutMs: endMs - performance.now() });
      } catch (error) {
        const isOver = performance.now() >= endMs || options.signal?.aborted === true;
        const isRefusal = error instanceof ProviderError && explainEtcdError(error.cause).isRefusal;
        if (left === 0 || isOver || isRefusal || this.#connection.closed.aborted) throw error;
      }
    }
  }

  async #call<T extends { readonly header: IResponseHeader }>(
    failure: 'refused' | 'unknown',
    options: ProviderCallOptions,
    call: (client: Etcd3, deadline: Date) => Promise<T>,
  ): Promise<T> {
    const { closed } = this.#connection;
    if (closed.aborted) throw new ProviderError('refused', 'the client is closed');
    const deadline = new Date(Date.now() + options.timeoutMs);
    const given = [AbortSignal.timeout(Math.max(1, Math.ceil(options.timeoutMs))), closed];
    if (options.signal !== undefined) given.push(options.signal);
    const end = AbortSignal.any(given);
    let asked = '';
    try {
      await endingWith(end, () => (this.#surveyed ??= this.#survey()));
      const seen = this.#seenRevision;
      return await this.#connection.use(async ({ client, endpoint }) => {
        asked = ` at ${endpoint}`;
        const answer = await endingWith(end, () => call(client, deadline));
        this.#believe(answer.header, seen);
        return answer;
      });
    } catch (cause) {
      const { message, isRefusal } = explainEtcdError(cause);
      // Nothing is sent before an endpoint was chosen.
      const kind = isRefusal || asked === '' ? 'refused' : failure;
      throw new ProviderError(kind, `etcd${asked} did not answer: ${message}`, { cause });
    }
  }

  /** Throws when the answer is not to be believed, unless nobody answers otherwise. */
  #believe(header: IResponseHeader, seen: number): void {
    const revision = Number(header.revision);
    const isForeign = this.#cluster !== undefined && header.cluster_id !== this.#cluster;
    if (isForeign || revision < seen) {
      this.#disbelieved += 1;
      if (this.#disbelieved < this.#endpoints) {
        throw new Error(
          isForeign
            ? `it belongs to another cluster (${header.cluster_id}) than the one that was used before (${this.#cluster})`
            : `it went back from revision ${seen} to ${revision}: it was started from old data`,
        );
      }
      this.#seenRevision = revision;
    }
    this.#disbelieved = 0;
    this.#cluster = header.cluster_id;
    this.#seenRevision = Math.max(this.#seenRevision, revision);
  }

  /** Which cluster to believe at first, where there is a choice. */
  async #survey(): Promise<void> {
    if (this.#endpoints === 1) return;
    const answers = await this.#connection.survey(SURVEY_MS);
    const statuses = answers.flatMap((answer) => (answer.kind === 'status' ? [answer.status] : []));
    this.#cluster = prevailingCluster(statuses);
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
