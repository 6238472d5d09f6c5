/**
 * The server of the binary protocol: accepts connections, tells their sessions which replies may leave, and watchers
 * what has changed.
 */

import { ClusterError } from '../../core/errors.ts';
import type { ByteConnection, ByteListener, ByteSession } from '../../core/iproto/connection.ts';
import { describeError, type ProtocolError } from '../../core/iproto/describe-error.ts';
import { greeting, SALT_SIZE } from '../../core/iproto/greeting.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Logger } from '../../foundation/logger.ts';
import type { HeldReplies, IprotoStorage } from '../../ports/iproto-storage.ts';
import { boxId, boxSchema, boxStatus, statusKeys } from './box-info.ts';
import { DataRequests } from './data-requests.ts';
import { Events } from './events.ts';
import {
  type CallFunction,
  defaultLimits,
  type InstanceIdentity,
  type IprotoContext,
  type IprotoLimits,
  type SessionHandle,
} from './iproto-context.ts';
import type { IprotoUsers } from './iproto-users.ts';
import { IprotoSession } from './session.ts';

export interface IprotoServerOptions {
  readonly storage: IprotoStorage;
  readonly call: CallFunction;
  readonly users: IprotoUsers;
  readonly listener: ByteListener;
  readonly instance: InstanceIdentity;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly limits?: Partial<IprotoLimits>;
}

export class IprotoServer {
  readonly #options: IprotoServerOptions;
  readonly #context: IprotoContext;
  readonly #sessions = new Set<SessionHandle>();
  readonly #counters = { requests: 0, errors: 0 };
  readonly #deferred = new DeferredReplies();
  #release: (() => void) | undefined;
  #isClosing = false;
  #whenEmpty: (() => void)[] = [];
  #toldWritable: boolean | undefined;
  #toldReadable: boolean | undefined;
  #toldSchema: number | undefined;

  constructor(options: IprotoServerOptions) {
    const { storage, call, users, logger, clock, instance } = options;
    this.#options = options;
    const deferred = this.#deferred;
    this.#context = {
      storage,
      call,
      users,
      logger,
      clock,
      instance,
      limits: { ...defaultLimits, ...options.limits },
      data: new DataRequests(storage, users),
      events: new Events(),
      waiting: deferred.waiting,
      counters: this.#counters,
      enter: () => deferred.enter(),
      leave: () => deferred.leave(),
      forget: (session) => this.#forget(session),
    };
    this.#context.events.publish(statusKeys.id, boxId(instance));
    this.stateChanged();
  }

  get connections(): number {
    return this.#sessions.size;
  }

  get requestsInFlight(): number {
    let sum = 0;
    for (const session of this.#sessions) sum += session.requestsInFlight;
    return sum;
  }

  /** Since the start. */
  get requests(): number {
    return this.#counters.requests;
  }

  /** Replies that were errors, since the start. */
  get errors(): number {
    return this.#counters.errors;
  }

  /** Resolves with the port. */
  async listen(): Promise<number> {
    const held: HeldReplies = {
      settle: (acknowledged, logged) => {
        this.#deferred.settle(acknowledged, logged);
        this.stateChanged();
      },
      fail: (upTo, why) => {
        this.#deferred.fail(upTo, why);
        this.stateChanged();
      },
    };
    this.#release = this.#options.storage.hold(held);
    return this.#options.listener.listen((connection) => this.#accept(connection));
  }

  /** Tells watchers when the instance has become writable or readable or not, or the schema has changed. */
  stateChanged(): void {
    const { storage, events } = this.#context;
    const { isWritable, isReadable, schemaVersion } = storage;
    if (isWritable !== this.#toldWritable || isReadable !== this.#toldReadable) {
      this.#toldWritable = isWritable;
      this.#toldReadable = isReadable;
      events.publish(statusKeys.status, boxStatus(storage));
    }
    if (schemaVersion !== this.#toldSchema) {
      this.#toldSchema = schemaVersion;
      events.publish(statusKeys.schema, boxSchema(storage));
    }
  }

  /**
   * Accepts no more, tells those who watch for it, and closes each connection when its requests are answered; those
   * who watch close theirs themselves. After `graceMs` the rest is cut.
   */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    this.#options.listener.stop();
    this.#context.events.publish(statusKeys.shutdown, true);
    for (const session of this.#sessions as Set<IprotoSession>) {
      if (!session.isShutdownWatched) session.end();
    }
    const over = new AbortController();
    const empty = new Promise<void>((resolve) => {
      this.#whenEmpty.push(resolve);
      if (this.#sessions.size === 0) resolve();
    });
    const late = this.#options.clock.sleep(graceMs, over.signal).catch(() => undefined);
    await Promise.race([empty, late]);
    over.abort(new Error('closed'));
    for (const session of [...this.#sessions] as IprotoSession[]) session.destroy();
    this.#release?.();
  }

  #accept(connection: ByteConnection): ByteSession {
    const { limits, logger, instance } = this.#context;
    const salt = this.#options.listener.randomBytes(SALT_SIZE);
    const session = new IprotoSession(this.#context, connection, salt);
    if (this.#isClosing || this.#sessions.size >= limits.connections) {
      const { peer } = connection;
      logger.warn({ peer, connections: this.#sessions.size }, 'a client was refused');
      connection.destroy();
      return session;
    }
    this.#sessions.add(session);
    const bytes = greeting(instance.uuid, salt);
    connection.send(bytes, 0, bytes.length);
    return session;
  }

  #forget(session: SessionHandle): void {
    this.#sessions.delete(session);
    if (this.#sessions.size > 0) return;
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }
}

/** What the storage says of replies while a session works is done when that has ended. */
class DeferredReplies {
  readonly waiting = new Set<SessionHandle>();
  #depth = 0;
  #acknowledged = 0;
  #logged = 0;
  #failures: { readonly upTo: number; readonly why: string }[] = [];

  enter(): void {
    this.#depth += 1;
  }

  leave(): void {
    this.#depth -= 1;
    if (this.#depth > 0) return;
    if (this.#acknowledged > 0 || this.#logged > 0) {
      const acknowledged = this.#acknowledged;
      const logged = this.#logged;
      this.#acknowledged = 0;
      this.#logged = 0;
      this.settle(acknowledged, logged);
    }
    if (this.#failures.length === 0) return;
    const failures = this.#failures;
    this.#failures = [];
    for (const { upTo, why } of failures) this.fail(upTo, why);
  }

  settle(acknowledged: number, logged: number): void {
    if (this.#depth > 0) {
      this.#acknowledged = Math.max(this.#acknowledged, acknowledged);
      this.#logged = Math.max(this.#logged, logged);
      return;
    }
    for (const session of this.waiting) session.settle(acknowledged, logged);
  }

  fail(upTo: number, why: string): void {
    if (this.#depth > 0) {
      this.#failures.push({ upTo, why });
      return;
    }
    const error: { write: ProtocolError; read: ProtocolError } = {
      write: describeError(new ClusterError('OUTCOME_UNKNOWN', { message: why })),
      read: describeError(new ClusterError('NO_LEADER', { message: why })),
    };
    for (const session of this.waiting) session.fail(upTo, error);
  }
}
