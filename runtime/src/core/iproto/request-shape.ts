/**
 * What the requests of one client have in common: they differ in little more than their number and their last value,
 * a key or a tuple. Whoever has read one knows the rest of the next one that has the same bytes elsewhere.
 */
import type { RequestFields } from './request-fields.ts';

/** Longer beginnings are not worth comparing. */
const LONGEST = 64;

export class RequestShape {
  readonly type: number;
  readonly schemaVersion: number;
  readonly streamId: number;
  readonly space: number;
  readonly index: number;
  readonly iterator: number;
  readonly limit: number;
  readonly offset: number;
  readonly indexBase: number;
  /** Where things are, from the beginning of the frame. */
  readonly spaceAt: number;
  readonly limitAt: number;
  readonly syncAt: number;
  /** Of the last value. */
  readonly lastAt: number;
  readonly isKeyLast: boolean;
  readonly isWhole: boolean;
  readonly #syncEnd: number;
  readonly #beginning: Uint8Array;

  private constructor(request: RequestFields, at: number, isWhole: boolean) {
    this.type = request.type;
    this.schemaVersion = request.schemaVersion;
    this.streamId = request.streamId;
    this.space = request.space;
    this.index = request.index;
    this.iterator = request.iterator;
    this.limit = request.limit;
    this.offset = request.offset;
    this.indexBase = request.indexBase;
    this.spaceAt = request.spaceAt < 0 ? -1 : request.spaceAt - at;
    this.limitAt = request.limitAt < 0 ? -1 : request.limitAt - at;
    this.syncAt = request.syncAt - at;
    this.isKeyLast = request.keyAt >= 0;
    this.lastAt = (this.isKeyLast ? request.keyAt : request.tupleAt) - at;
    this.isWhole = isWhole;
    const width = 1 << ((request.bytes[request.syncAt] as number) - 0xcc);
    this.#syncEnd = this.syncAt + 1 + width;
    this.#beginning = request.bytes.slice(at, at + this.lastAt);
  }

  /** Of a request that was read up to `end`; undefined when others would not be like it. */
  static of(request: RequestFields, end: number, isWhole: boolean): RequestShape | undefined {
    const { frameAt, syncAt, keyAt, tupleAt } = request;
    if (request.hasRare || request.operationsAt >= 0 || request.afterAt >= 0) return undefined;
    const lastAt = Math.max(keyAt, tupleAt);
    const isAlone = Math.min(keyAt, tupleAt) < 0;
    const isLast = (keyAt > tupleAt ? request.keyEnd : request.tupleEnd) === end;
    if (!isAlone || !isLast || lastAt < syncAt || lastAt - frameAt > LONGEST) return undefined;
    return isWide(request) ? new RequestShape(request, frameAt, isWhole) : undefined;
  }

  /** Is the frame from `at` like it, as far as its last value? */
  fits(bytes: Uint8Array, at: number, end: number): boolean {
    const beginning = this.#beginning;
    const { length } = beginning;
    if (end - at <= length) return false;
    const { syncAt } = this;
    for (let i = 0; i <= syncAt; i++) if (bytes[at + i] !== beginning[i]) return false;
    for (let i = this.#syncEnd; i < length; i++) if (bytes[at + i] !== beginning[i]) return false;
    return true;
  }
}

/** Is its number written with a width of its own, which the first byte tells? */
function isWide({ bytes, syncAt }: RequestFields): boolean {
  const first = syncAt < 0 ? 0 : (bytes[syncAt] as number);
  return first >= 0xcc && first <= 0xcf;
}
