/**
 * Walks through an index as an iterator type says: where to begin, in which direction, and when to end.
 *
 * A page begins behind a tuple that need not be there any more, but never before the range itself.
 */
import { ClusterError } from '../../errors.ts';
import { errorNumber } from '../../iproto/error-numbers.ts';
import type { IndexDefinition } from '../../schema/space-definition.ts';
import type { MemoryIndex } from './memory-index.ts';
import type { MemorySpace } from './memory-space.ts';

/** As the protocol counts iterators. */
export const iterators = { EQ: 0, REQ: 1, ALL: 2, LT: 3, LE: 4, GE: 5, GT: 6 } as const;

const downward: ReadonlySet<number> = new Set([iterators.REQ, iterators.LE, iterators.LT]);
const strict: ReadonlySet<number> = new Set([iterators.GT, iterators.LT]);

export interface Range {
  bytes: Uint8Array;
  iterator: number;
  keyAt: number;
  keyParts: number;
  /** A whole tuple, or -1. */
  afterAt: number;
}

export class Selection {
  readonly #place = { leaf: 0, slot: 0 };
  #index: MemoryIndex | undefined;
  #isDownward = false;
  #isEqual = false;
  #handle = 0;
  #isAtEnd = true;

  /** Begins; `next` gives the first tuple. */
  start(space: MemorySpace, index: MemoryIndex, range: Range): void {
    const { iterator, keyParts } = range;
    if (index.definition.type === 'hash') checkHashRange(space, index, range);
    this.#index = index;
    this.#isDownward = downward.has(iterator);
    // Nothing is before or behind an empty key: it is equal to the beginning of every one.
    const isEverything = keyParts === 0;
    const isStrict = !isEverything && strict.has(iterator);
    const fromUpper = this.#isDownward !== isStrict;
    this.#isEqual = !isEverything && (iterator === iterators.EQ || iterator === iterators.REQ);
    this.#isAtEnd = false;
    if (range.afterAt >= 0) this.#startBehind(space, range, fromUpper);
    else if (isEverything) this.#startAtEnd();
    else this.#startAtKey(range, fromUpper);
    if (this.#isDownward) this.#isAtEnd = !index.tree.backward(this.#place);
  }

  /** The next tuple; 0 behind the last. */
  next(): number {
    const index = this.#index as MemoryIndex;
    if (this.#isAtEnd) return 0;
    const handle = index.tree.handleAt(this.#place);
    if (handle === 0 || (this.#isEqual && index.order.compare(handle) !== 0)) {
      this.#isAtEnd = true;
      return 0;
    }
    if (this.#isDownward) this.#isAtEnd = !index.tree.backward(this.#place);
    else index.tree.forward(this.#place);
    this.#handle = handle;
    return this.#handle;
  }

  #startAtEnd(): void {
    const { tree } = this.#index as MemoryIndex;
    if (this.#isDownward) tree.toEnd(this.#place);
    else tree.toStart(this.#place);
  }

  #startAtKey(range: Range, fromUpper: boolean): void {
    const { order, tree } = this.#index as MemoryIndex;
    order.probeKey(range.bytes, range.keyAt, range.keyParts);
    tree.seek(fromUpper, this.#place);
  }

  #startBehind(space: MemorySpace, range: Range, fromUpper: boolean): void {
    const { order, tree } = this.#index as MemoryIndex;
    const { check } = space;
    check.locate(range.bytes, range.afterAt);
    order.probeTuple(range.bytes, check.positions);
    tree.seek(!this.#isDownward, this.#place);
    if (range.keyParts === 0) return;
    order.probeKey(range.bytes, range.keyAt, range.keyParts);
    if (this.#isBeforeRange(fromUpper)) tree.seek(fromUpper, this.#place);
  }

  /** Is the entry that would come first outside of the range, on the side where it begins? */
  #isBeforeRange(fromUpper: boolean): boolean {
    const { order, tree } = this.#index as MemoryIndex;
    const first = { ...this.#place };
    if (this.#isDownward && !tree.backward(first)) return false;
    const handle = tree.handleAt(first);
    if (handle === 0) return false;
    const side = order.compare(handle);
    if (this.#isDownward) return fromUpper ? side > 0 : side >= 0;
    return fromUpper ? side <= 0 : side < 0;
  }
}

/** A hash promises no order: it is asked for whole keys, or for everything. */
function checkHashRange(
  space: MemorySpace,
  { definition }: MemoryIndex,
  { iterator, keyParts }: Range,
): void {
  const { EQ, ALL, GT } = iterators;
  const isAll = keyParts === 0 && (iterator === EQ || iterator === ALL || iterator === GT);
  if (isAll || (iterator === EQ && keyParts === definition.parts.length)) return;
  const name = Object.entries(iterators).find(([, number]) => number === iterator)?.[0];
  throw noOrder(space, definition, `iterator ${name} with ${keyParts} parts of a key`);
}

export function noOrder(space: MemorySpace, { name }: IndexDefinition, what: string): ClusterError {
  return new ClusterError('TUPLE_INVALID', {
    field: `${space.name}.${name}`,
    message: `"${space.name}.${name}" is a hash, which has no ${what}.`,
    protocolNumber: errorNumber.ITERATOR_TYPE,
  });
}
