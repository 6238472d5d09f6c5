/**
 * The state provider on a stateboard. A transaction is sent once: only a connection that was refused proves that
 * nothing happened. A watch that is silent for three heartbeats is lost.
 */
import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { Agent, type Dispatcher, request } from '../foundation/http-client.ts';
import type {
  ProviderStore,
  StoreRange,
  StoreReading,
  StoreTransaction,
  WatchListener,
} from '../ports/provider-store.ts';
import {
  type ProviderCallOptions,
  ProviderError,
  type ProviderOutcome,
} from '../ports/state-provider.ts';
import {
  readAnswerSchema,
  transactAnswerSchema,
  WATCH_HEARTBEAT_MS,
  watchLineSchema,
} from '../stateboard/messages.ts';
import { EpochGuard } from './epoch-guard.ts';

export interface StateboardStateProviderOptions {
  /** `host:port`. */
  readonly uri: string;
  /** Every key begins with it. */
  readonly prefix: string;
  readonly password: string;
}

export class StateboardStateProvider extends EpochGuard {
  constructor(options: StateboardStateProviderOptions) {
    super(new StateboardClient(options), randomUUID);
  }
}

class StateboardClient implements ProviderStore {
  readonly #agent = new Agent({ connect: { timeout: 5000 }, pipelining: 1, bodyTimeout: 0 });
  readonly #closing = new AbortController();
  readonly #uri: string;
  readonly #prefix: string;
  readonly #authorization: string;

  constructor(options: StateboardStateProviderOptions) {
    this.#uri = options.uri;
    this.#prefix = options.prefix;
    const credentials = Buffer.from(`client:${options.password}`).toString('base64');
    this.#authorization = `Basic ${credentials}`;
  }

  async read(ranges: readonly StoreRange[], options: ProviderCallOptions): Promise<StoreReading> {
    const body = {
      ranges: ranges.map((range) =>
        'key' in range
          ? { key: this.#prefix + range.key }
          : { prefix: this.#prefix + range.prefix },
      ),
    };
    const { found, revision } = await this.#call('read', body, readAnswerSchema, options);
    return {
      found: found.map((entries) => entries.map((entry) => this.#relative(entry))),
      revision,
    };
  }

  async transact(
    transaction: StoreTransaction,
    options: ProviderCallOptions,
  ): Promise<ProviderOutcome> {
    const whole = <T extends { readonly key: string }>(item: T): T => ({
      ...item,
      key: this.#prefix + item.key,
    });
    const body = {
      equal: transaction.equal.map(whole),
      compare: transaction.compare.map(whole),
      writes: transaction.writes.map(whole),
    };
    return this.#call('transact', body, transactAnswerSchema, options);
  }

  async watch(
    prefix: string,
    fromRevision: number,
    listener: WatchListener,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await this.#watch({ prefix: this.#prefix + prefix, fromRevision }, signal, listener);
    } catch (cause) {
      if (!signal.aborted) {
        const reason = this.#closing.signal.aborted ? 'the client is closed' : messageOf(cause);
        throw new ProviderError('refused', `the watch was lost: ${reason}`, { cause });
      }
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#agent.destroy();
  }

  async #watch(body: unknown, signal: AbortSignal, listener: WatchListener): Promise<void> {
    const silent = new AbortController();
    const hurry = (): NodeJS.Timeout =>
      setTimeout(
        () => silent.abort(new Error('the stateboard fell silent')),
        3 * WATCH_HEARTBEAT_MS,
      );
    let watchdog = hurry();
    try {
      const end = AbortSignal.any([signal, silent.signal, this.#closing.signal]);
      const answer = await this.#send('watch', body, end);
      if (answer.statusCode !== 200) throw new Error(await answer.body.text());
      listener.onOpen();
      let rest = '';
      for await (const chunk of answer.body.setEncoding('utf8') as AsyncIterable<string>) {
        clearTimeout(watchdog);
        watchdog = hurry();
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        const changes = lines.flatMap((line) => watchLineSchema.parse(JSON.parse(line)).changes);
        if (signal.aborted) return;
        if (changes.length === 0) continue;
        listener.onChanges(changes.map((change) => this.#relative(change)));
      }
      throw new Error('the stateboard ended it');
    } finally {
      clearTimeout(watchdog);
    }
  }

  async #call<T extends z.ZodType>(
    call: 'read' | 'transact',
    body: unknown,
    schema: T,
    options: ProviderCallOptions,
  ): Promise<z.infer<T>> {
    if (this.#closing.signal.aborted) throw new ProviderError('refused', 'the client is closed');
    const given = [AbortSignal.timeout(Math.ceil(options.timeoutMs)), this.#closing.signal];
    if (options.signal !== undefined) given.push(options.signal);
    let status = 0;
    try {
      const answer = await this.#send(call, body, AbortSignal.any(given));
      status = answer.statusCode;
      const value: unknown = await answer.body.json();
      if (status !== 200) throw new Error(`it answered ${status}: ${JSON.stringify(value)}`);
      return schema.parse(value);
    } catch (cause) {
      const refused = call !== 'transact' || (status >= 400 && status < 500) || notSent(cause);
      throw new ProviderError(
        refused ? 'refused' : 'unknown',
        `the stateboard at ${this.#uri} did not answer: ${messageOf(cause)}`,
        { cause },
      );
    }
  }

  #send(call: string, body: unknown, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    return request(`http://${this.#uri}/v1/${call}`, {
      method: 'POST',
      headers: { authorization: this.#authorization, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      dispatcher: this.#agent,
      signal,
    });
  }

  #relative<T extends { readonly key: string }>(entry: T): T {
    return { ...entry, key: entry.key.slice(this.#prefix.length) };
  }
}

function notSent(cause: unknown): boolean {
  const code = (cause as { readonly code?: unknown }).code;
  return code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'UND_ERR_CONNECT_TIMEOUT';
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
