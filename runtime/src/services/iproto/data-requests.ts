/**
 * Carries a request for rows to the storage, or answers it from the definitions of spaces.
 *
 * Rights are checked here, before anything is read: everybody may read the schema, rows need the right.
 */
import { ClusterError } from '../../core/errors.ts';
import { errorNumber } from '../../core/iproto/error-numbers.ts';
import { fromBase64 } from '../../core/iproto/greeting.ts';
import { requestType } from '../../core/iproto/protocol.ts';
import type { ReplyWriter } from '../../core/iproto/reply.ts';
import type { IprotoRequest } from '../../core/iproto/request.ts';
import {
  FIRST_USER_SPACE,
  selectView,
  viewId,
  viewIndexId,
} from '../../core/iproto/schema-views.ts';
import { MsgpackReader } from '../../core/msgpack/decode.ts';
import { checkedEnd, skip } from '../../core/msgpack/skip.ts';
import type { Tuple } from '../../core/schema/values.ts';
import { type IprotoStorage, SCHEMA } from '../../ports/iproto-storage.ts';
import type { IprotoUsers } from './iproto-users.ts';

const LAST_ITERATOR = 6;

export class DataRequests {
  readonly #storage: IprotoStorage;
  readonly #users: IprotoUsers;
  readonly #reader = new MsgpackReader(new Uint8Array(1));

  constructor(storage: IprotoStorage, users: IprotoUsers) {
    this.#storage = storage;
    this.#users = users;
  }

  /** Gives the tuples of the result to `reply`: the number of the row for which the reply must wait, or 0. */
  run(request: IprotoRequest, reply: ReplyWriter, user: string): number {
    if (request.spaceAt < 0 || request.indexNameAt >= 0) this.#resolveNames(request);
    if (request.type === requestType.SELECT) return this.#select(request, reply, user);
    if (!this.#users.mayWrite(user)) throw this.#denied('Write', request.space, user);
    if (request.space < FIRST_USER_SPACE) {
      throw new ClusterError('NOT_SUPPORTED', {
        message: 'System spaces do not support changes by clients: change the schema instead.',
      });
    }
    switch (request.type) {
      case requestType.INSERT:
        return this.#storage.insert(request, reply);
      case requestType.REPLACE:
        return this.#storage.replace(request, reply);
      case requestType.UPDATE:
        return this.#storage.update(request, reply);
      case requestType.DELETE:
        return this.#storage.delete(request, reply);
      default:
        return this.#storage.upsert(request);
    }
  }

  #select(request: IprotoRequest, reply: ReplyWriter, user: string): number {
    if (request.iterator > LAST_ITERATOR) {
      throw new ClusterError('REQUEST_INVALID', {
        field: 'iterator',
        message: `Unknown iterator type '${request.iterator}'`,
        protocolNumber: errorNumber.ITERATOR_TYPE,
      });
    }
    if (request.afterPositionAt >= 0) this.#resumeAt(request);
    const number =
      request.space < FIRST_USER_SPACE
        ? this.#selectView(request, reply)
        : this.#selectRows(request, reply, user);
    if (request.fetchesPosition) reply.position();
    return number;
  }

  #selectRows(request: IprotoRequest, reply: ReplyWriter, user: string): number {
    if (!this.#users.mayRead(user)) throw this.#denied('Read', request.space, user);
    return this.#storage.select(request, reply);
  }

  #selectView(request: IprotoRequest, reply: ReplyWriter): number {
    if (request.afterAt >= 0) {
      throw new ClusterError('NOT_SUPPORTED', {
        message: 'System spaces do not support pages: select all at once.',
      });
    }
    const { space, index, iterator, limit, offset, bytes, keyAt } = request;
    this.#reader.reset(bytes, keyAt);
    const key = this.#reader.value() as Tuple;
    const query = { space, index, iterator, limit, offset, key };
    for (const row of selectView(query, this.#storage.spaces())) reply.value(row);
    return this.#storage.unacknowledged(SCHEMA);
  }

  /** A position is the last tuple of the page before, in base64. */
  #resumeAt(request: IprotoRequest): void {
    const { bytes, keyAt } = request;
    this.#reader.reset(bytes, request.afterPositionAt);
    const after = fromBase64(this.#reader.value() as string);
    const first = after?.[0] ?? 0;
    const isArray = (first & 0xf0) === 0x90 || first === 0xdc || first === 0xdd;
    if (after === undefined || !isArray || checkedEnd(after, 0, after.length) !== after.length) {
      throw new ClusterError('REQUEST_INVALID', {
        field: 'after',
        message: 'The position is not one that a page before has given.',
      });
    }
    const key = bytes.subarray(keyAt, skip(bytes, keyAt));
    const both = new Uint8Array(key.length + after.length);
    both.set(key);
    both.set(after, key.length);
    request.bytes = both;
    request.keyAt = 0;
    request.afterAt = key.length;
    request.afterPositionAt = -1;
  }

  #resolveNames(request: IprotoRequest): void {
    const { bytes } = request;
    if (request.spaceAt < 0) {
      this.#reader.reset(bytes, request.spaceNameAt);
      request.space = this.#spaceId(this.#reader.value() as string);
    }
    if (request.indexNameAt < 0) return;
    this.#reader.reset(bytes, request.indexNameAt);
    request.index = this.#indexId(request.space, this.#reader.value() as string);
  }

  #spaceId(name: string): number {
    const id = this.#storage.spaces().find((space) => space.name === name)?.id ?? viewId(name);
    if (id !== undefined) return id;
    throw new ClusterError('SCHEMA_MISSING', {
      message: `Space '${name}' does not exist`,
      protocolNumber: errorNumber.NO_SUCH_SPACE,
    });
  }

  #indexId(space: number, name: string): number {
    const definition = this.#storage.spaces().find(({ id }) => id === space);
    const id =
      definition?.indexes.find((index) => index.name === name)?.id ?? viewIndexId(space, name);
    if (id !== undefined) return id;
    throw new ClusterError('SCHEMA_MISSING', {
      message: `No index '${name}' is defined in space '${definition?.name ?? space}'`,
      protocolNumber: errorNumber.NO_SUCH_INDEX_ID,
    });
  }

  #denied(what: 'Read' | 'Write', space: number, user: string): ClusterError {
    const name = this.#storage.spaces().find(({ id }) => id === space)?.name ?? String(space);
    return accessDenied(what, `space '${name}'`, user);
  }
}

export function accessDenied(what: string, object: string, user: string): ClusterError {
  return new ClusterError('UNAUTHORIZED', {
    message: `${what} access to ${object} is denied for user '${user}'`,
    protocolNumber: errorNumber.ACCESS_DENIED,
  });
}
