/** One space in plain JavaScript: its rows in the order of each of its indexes. */
import { assert } from '../../foundation/assert.ts';
import { ClusterError } from '../errors.ts';
import { errorNumber } from '../iproto/error-numbers.ts';
import {
  type IndexDefinition,
  isIndexed,
  type SpaceDefinition,
  storedKey,
  storedTuple,
} from '../schema/space-definition.ts';
import { compareValues, type Tuple, type Value } from '../schema/values.ts';
import type { IteratorType, SelectOptions } from './engine.ts';
import { type Place, SortedTuples } from './sorted-tuples.ts';

interface Index {
  readonly definition: IndexDefinition;
  readonly compare: (a: Tuple, b: Tuple) => number;
  readonly tuples: SortedTuples;
}

export class ReferenceSpace {
  readonly id: number;
  readonly name: string;
  #definition: SpaceDefinition;
  #indexes: readonly Index[] = [];

  constructor(definition: SpaceDefinition) {
    this.id = definition.id;
    this.name = definition.name;
    this.#definition = definition;
    for (const index of definition.indexes) this.createIndex(index);
  }

  get definition(): SpaceDefinition {
    return this.#definition;
  }

  /** Refuses duplicates among the rows that are there; nothing has happened then. */
  createIndex(definition: IndexDefinition): void {
    const compare = this.#order(definition);
    const index = { definition, compare, tuples: new SortedTuples(compare) };
    for (const tuple of this.#indexes[0]?.tuples.forward({ chunk: 0, offset: 0 }) ?? []) {
      if (!isIndexed(definition, tuple)) continue;
      this.#refuseDuplicate(index, tuple, undefined);
      index.tuples.add(tuple);
    }
    this.#setIndexes([...this.#indexes, index]);
  }

  dropIndex(id: number): void {
    this.#setIndexes(this.#indexes.filter((index) => index.definition.id !== id));
  }

  /** The row with the same primary key as `tuple`. */
  samePrimary(tuple: Tuple): Tuple | undefined {
    return this.#index(undefined).tuples.find(tuple);
  }

  byPrimaryKey(key: readonly Value[]): Tuple | undefined {
    return this.#lookUp(this.#index(undefined), key);
  }

  primaryKey(tuple: Tuple): readonly Value[] {
    return partsOf(this.#index(undefined).definition, tuple);
  }

  /** All rows behind a primary key, which need not be there; from the beginning without one. */
  behindPrimary(key: readonly Value[]): Iterable<Tuple> {
    if (this.#indexes.length === 0) return [];
    const { tuples, definition } = this.#index(undefined);
    const place =
      key.length === 0
        ? tuples.start()
        : tuples.upperBound((tuple) => compareToKey(definition, tuple, key));
    return tuples.forward(place);
  }

  /** Puts `next` in the place of `previous`; either may be missing. Refuses duplicates before it changes anything. */
  exchange(previous: Tuple | undefined, next: Tuple | undefined): void {
    this.#index(undefined);
    if (next !== undefined) {
      for (const index of this.#indexes) this.#refuseDuplicate(index, next, previous);
    }
    for (const { tuples, definition } of this.#indexes) {
      if (previous !== undefined && isIndexed(definition, previous)) tuples.remove(previous);
      if (next !== undefined && isIndexed(definition, next)) tuples.add(next);
    }
  }

  get(key: readonly unknown[], indexName: string | undefined): Tuple | undefined {
    const index = this.#index(indexName);
    const { unique, parts, name } = index.definition;
    const stored = storedKey(this.definition, index.definition, key);
    if (!unique || stored.length !== parts.length) {
      throw new ClusterError('TUPLE_INVALID', {
        field: `${this.name}.${name}`,
        message: `"get" needs a full key of a unique index, which "${this.name}.${name}" was not given.`,
      });
    }
    return this.#lookUp(index, stored);
  }

  *select(key: readonly unknown[], options: SelectOptions): Generator<Tuple> {
    const index = this.#index(options.index);
    const stored = storedKey(this.definition, index.definition, key);
    this.#checkIterator(index.definition, stored.length, options.iterator ?? 'EQ');
    const after =
      options.after === undefined ? undefined : storedTuple(this.definition, options.after);
    let skip = options.offset ?? 0;
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    for (const tuple of this.#walk(index, stored, options, after)) {
      if (left <= 0) return;
      if (skip > 0) {
        skip--;
        continue;
      }
      left--;
      yield tuple;
    }
  }

  /** Rows in the order of the iterator, from its key or from behind `after`, while they belong to it. */
  *#walk(
    index: Index,
    key: readonly Value[],
    { iterator = 'EQ' }: SelectOptions,
    after: Tuple | undefined,
  ): Generator<Tuple> {
    const { tuples, definition, compare } = index;
    const probe = (tuple: Tuple): number => compareToKey(definition, tuple, key);
    const range = rangeOf(iterator, key.length === 0);
    const bound = range.fromUpper ? tuples.upperBound(probe) : tuples.lowerBound(probe);
    let start: Place = bound;
    if (after !== undefined) {
      const at = (tuple: Tuple): number => compare(tuple, after);
      const behind = range.isDownward ? tuples.lowerBound(at) : tuples.upperBound(at);
      // A page that begins before the range begins at the range.
      start = range.isDownward ? earlier(bound, behind) : later(bound, behind);
    }
    for (const tuple of range.isDownward ? tuples.backward(start) : tuples.forward(start)) {
      if (range.isEqual && probe(tuple) !== 0) return;
      yield tuple;
    }
  }

  /** Takes out all rows; gives back what puts them in again. */
  truncate(): () => void {
    const before = this.#indexes;
    this.#setIndexes(
      before.map(({ definition, compare }) => {
        return { definition, compare, tuples: new SortedTuples(compare) };
      }),
    );
    return () => this.#setIndexes(before);
  }

  /** The first row, or the last, of those that begin with the key. */
  end(
    key: readonly unknown[],
    iterator: 'EQ' | 'REQ',
    name: string | undefined,
  ): Tuple | undefined {
    const { definition } = this.#index(name);
    if (definition.type === 'hash') throw noOrder(this.name, definition, 'ends');
    const options = { iterator, limit: 1, ...(name === undefined ? {} : { index: name }) };
    const [first] = this.select(key, options);
    return first;
  }

  /** A hash is asked for whole keys, or for everything. */
  #checkIterator(definition: IndexDefinition, length: number, iterator: IteratorType): void {
    if (definition.type !== 'hash') return;
    const isAll = length === 0 && (iterator === 'EQ' || iterator === 'ALL' || iterator === 'GT');
    if (isAll || (iterator === 'EQ' && length === definition.parts.length)) return;
    throw noOrder(this.name, definition, `iterator ${iterator} with ${length} parts of a key`);
  }

  #setIndexes(indexes: readonly Index[]): void {
    this.#indexes = indexes.toSorted((a, b) => a.definition.id - b.definition.id);
    const definitions = this.#indexes.map((index) => index.definition);
    this.#definition = { ...this.#definition, indexes: definitions };
  }

  #lookUp({ tuples, definition }: Index, key: readonly Value[]): Tuple | undefined {
    const probe = (tuple: Tuple): number => compareToKey(definition, tuple, key);
    const found = tuples.at(tuples.lowerBound(probe));
    return found !== undefined && probe(found) === 0 ? found : undefined;
  }

  #index(name: string | undefined): Index {
    const index =
      name === undefined
        ? this.#indexes[0]
        : this.#indexes.find(({ definition }) => definition.name === name);
    if (index !== undefined) return index;
    const which = name === undefined ? 'has no index yet' : `has no index "${name}"`;
    throw new ClusterError('SCHEMA_MISSING', { message: `Space "${this.name}" ${which}.` });
  }

  /** Rows with equal parts follow each other by primary key; so do those with nil in a unique index. */
  #order(definition: IndexDefinition): (a: Tuple, b: Tuple) => number {
    const primary = this.#indexes[0]?.definition.parts ?? [];
    const parts = definition.id === 0 ? definition.parts : [...definition.parts, ...primary];
    return (a, b) => {
      for (const { field, collation } of parts) {
        const side = compareValues(a[field] ?? null, b[field] ?? null, collation);
        if (side !== 0) return side;
      }
      return 0;
    };
  }

  #refuseDuplicate({ definition, tuples }: Index, next: Tuple, previous: Tuple | undefined): void {
    const key = partsOf(definition, next);
    if (!definition.unique || key.includes(null)) return;
    const probe = (tuple: Tuple): number => compareToKey(definition, tuple, key);
    const found = tuples.at(tuples.lowerBound(probe));
    if (found === undefined || found === previous || probe(found) !== 0) return;
    throw new ClusterError('DUPLICATE_KEY', {
      message:
        `Space "${this.name}" has a row with the same key in the unique index ` +
        `"${definition.name}".`,
      details: { space: this.name, index: definition.name },
    });
  }
}

interface Range {
  readonly isDownward: boolean;
  /** Does it begin behind the rows that are equal to the key, or before them? */
  readonly fromUpper: boolean;
  readonly isEqual: boolean;
}

/** Nothing is before or behind an empty key: it is equal to the beginning of every one. */
function rangeOf(iterator: IteratorType, isKeyEmpty: boolean): Range {
  const isDownward = iterator === 'REQ' || iterator === 'LE' || iterator === 'LT';
  const isStrict = !isKeyEmpty && (iterator === 'GT' || iterator === 'LT');
  const isEqual = iterator === 'EQ' || iterator === 'REQ';
  return { isDownward, fromUpper: isDownward !== isStrict, isEqual };
}

function noOrder(space: string, { name }: IndexDefinition, what: string): ClusterError {
  return new ClusterError('TUPLE_INVALID', {
    field: `${space}.${name}`,
    message: `"${space}.${name}" is a hash, which has no ${what}.`,
    protocolNumber: errorNumber.ITERATOR_TYPE,
  });
}

function earlier(a: Place, b: Place): Place {
  return later(a, b) === a ? b : a;
}

function later(a: Place, b: Place): Place {
  return a.chunk > b.chunk || (a.chunk === b.chunk && a.offset > b.offset) ? a : b;
}

function partsOf(definition: IndexDefinition, tuple: Tuple): readonly Value[] {
  return definition.parts.map((part) => tuple[part.field] ?? null);
}

function compareToKey(definition: IndexDefinition, tuple: Tuple, key: readonly Value[]): number {
  for (const [position, value] of key.entries()) {
    const part = definition.parts[position];
    assert(part !== undefined, 'a key is no longer than its index');
    const side = compareValues(tuple[part.field] ?? null, value, part.collation);
    if (side !== 0) return side;
  }
  return 0;
}
