/** Requests on the bytes of the memory engine, beside the same requests on an engine in plain JavaScript. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ClusterError } from '../core/errors.ts';
import { describeError } from '../core/iproto/describe-error.ts';
import { errorNumber } from '../core/iproto/error-numbers.ts';
import { decode } from '../core/msgpack/decode.ts';
import { encode } from '../core/msgpack/encode.ts';
import { Extension, extensionType, writeUuid } from '../core/msgpack/extension.ts';
import { decimal } from '../core/schema/decimal.ts';
import type { IndexOptions } from '../core/schema/space-definition.ts';
import type { Tuple, Value } from '../core/schema/values.ts';
import type { Transaction } from '../core/storage/engine.ts';
import { MemoryEngine } from '../core/storage/memory/memory-engine.ts';
import type { DataRequest, IprotoStorage } from '../ports/iproto-storage.ts';
import { LeaderAndFollower } from '../testing/leader-and-follower.ts';
import { ReferenceIprotoStorage } from '../testing/reference-iproto-storage.ts';
import { RequestStorage } from './request-storage.ts';

const ROWS = 512;
const NUMBERED = 513;

const HASH = 5;
const rowIndexes: readonly IndexOptions[] = [
  { name: 'pk', parts: ['id'] },
  { name: 'n', parts: ['n'] },
  { name: 'name', parts: ['name'], unique: false },
  { name: 'x', parts: [{ field: 'x', excludeNull: true }, 'name'], unique: false },
  { name: 'key', parts: [{ field: 'key', excludeNull: true }] },
  { name: 'hash', parts: ['name', 'id'], type: 'hash' },
  { name: 'name_n', parts: ['name', 'n'] },
];

function createSpaces(transaction: Transaction): void {
  transaction.createSpace('rows', {
    format: [
      { name: 'id', type: 'unsigned' },
      { name: 'name', type: 'string', collation: 'unicode_ci' },
      { name: 'n', type: 'integer', isNullable: true },
      { name: 'x', type: 'number', isNullable: true },
      { name: 'any', type: 'any', isNullable: true },
      { name: 'key', type: 'uuid', isNullable: true },
    ],
  });
  for (const index of rowIndexes) transaction.createIndex('rows', index);
  transaction.createSequence('numbers', { start: 5 });
  transaction.createSpace('numbered', {
    format: [
      { name: 'id', type: 'unsigned' },
      { name: 'name', type: 'string', isNullable: true },
    ],
  });
  transaction.createIndex('numbered', { name: 'pk', parts: ['id'], sequence: 'numbers' });
  transaction.createIndex('numbered', { name: 'name', parts: ['name'] });
}

/** Each request has a tick of its own. */
class TickPerRequest extends LeaderAndFollower {
  constructor() {
    super(createSpaces);
  }

  override committed(): number {
    this.endTick();
    return 0;
  }
}

class Follower extends TickPerRequest {
  readonly #applied: MemoryEngine;

  constructor(applied: MemoryEngine) {
    super();
    this.#applied = applied;
  }

  override readable(): MemoryEngine {
    return this.#applied;
  }
}

type RowRequest = 'select' | 'insert' | 'replace' | 'update' | 'upsert' | 'delete';

interface Step {
  readonly kind: RowRequest | 'begin' | 'commit' | 'rollback';
  readonly space: number;
  readonly index: number;
  readonly iterator: number;
  readonly limit: number;
  readonly offset: number;
  readonly key: Tuple;
  readonly after: Tuple | undefined;
  readonly tuple: Tuple;
  readonly operations: readonly Tuple[];
  readonly indexBase: number;
}

/** A request as it comes from a client: everything in one buffer. */
function requestOf(step: Step): DataRequest {
  const parts = [step.key, step.tuple, step.operations, step.after ?? []].map((part) =>
    encode(part),
  );
  const starts: number[] = [];
  let at = 1;
  for (const part of parts) {
    starts.push(at);
    at += part.length;
  }
  const bytes = new Uint8Array(at);
  for (const [index, part] of parts.entries()) bytes.set(part, starts[index]);
  const [keyAt = -1, tupleAt = -1, operationsAt = -1, afterAt = -1] = starts;
  const { space, index, iterator, limit, offset, indexBase } = step;
  return {
    ...{ bytes, space, index, iterator, limit, offset, keyAt, tupleAt, operationsAt, indexBase },
    tupleEnd: operationsAt,
    afterAt: step.after === undefined ? -1 : afterAt,
  };
}

/** The tuples of the answer, or the number of the error. */
function answer(storage: IprotoStorage, step: Step): unknown {
  const tuples: unknown[] = [];
  const sink = {
    tuple: (bytes: Uint8Array, start: number, end: number) =>
      tuples.push(decode(bytes.slice(start, end), 0)),
  };
  try {
    switch (step.kind) {
      case 'begin':
      case 'commit':
      case 'rollback':
        storage[step.kind]();
        break;
      case 'upsert':
        storage.upsert(requestOf(step));
        break;
      default:
        storage[step.kind](requestOf(step), sink);
    }
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    const { code, number } = describeError(error);
    // Which of tuple and operations is looked at first differs.
    if (step.kind === 'upsert') return { code };
    // A field that is missing is nil to the engine in plain JavaScript.
    return { code, number: number === errorNumber.FIELD_MISSING ? errorNumber.FIELD_TYPE : number };
  }
  return tuples;
}

function uuid(text: string): Extension {
  const bytes = new Uint8Array(16);
  writeUuid(text, bytes, 0);
  return new Extension(extensionType.uuid, bytes);
}

const nothing: Step = {
  kind: 'select',
  space: ROWS,
  index: 0,
  iterator: 2,
  limit: 1000,
  offset: 0,
  key: [],
  after: undefined,
  tuple: [],
  operations: [],
  indexBase: 0,
};

const name = fc.constantFrom<Value>('', 'a', 'A', 'ab', 'é', 'abcdefghi', 'ABCDEFGHJ');
const id = fc.integer({ min: 0, max: 12 });
const n = fc.constantFrom<Value>(null, -2, 0, 1, 2, 3n, 2n ** 63n, -(2n ** 63n), 2n ** 64n - 1n);
const x = fc.constantFrom<Value>(null, -1.5, 0, 1, 1.25, decimal('1.25'), decimal('-7'), 2n ** 60n);
const key = fc.constantFrom<Value>(
  null,
  uuid('00000000-0000-4000-8000-000000000001'),
  uuid('ffffffff-0000-4000-8000-000000000001'),
);
const any = fc.constantFrom<Value>(null, 1, 'x', [1, { a: 2 }], new Uint8Array([1, 2]));
/** What does not fit where it is put, now and then. */
const wrong = fc.constantFrom<Value>(-1, 'text', 1.5, true, [1], null);
const mostly = (right: fc.Arbitrary<Value>): fc.Arbitrary<Value> =>
  fc.oneof({ weight: 25, arbitrary: right }, { weight: 1, arbitrary: wrong });

const fields = [id, name, n, x, any, key].map((field) => mostly(field));
const tuple: fc.Arbitrary<Tuple> = fc
  .tuple(fc.tuple(...fields), fc.integer({ min: 0, max: 30 }))
  .map(([values, cut]) => (cut < 6 ? values.slice(0, cut) : values));
const numberedTuple: fc.Arbitrary<Tuple> = fc.oneof(
  fc.tuple(mostly(fc.oneof(fc.constant(null), id)), mostly(name)),
  fc.constant([null]),
);

/** Fields of each index's key, whose beginning may be asked for. */
const keyFields = [[0], [2], [1], [3, 1], [5], [1, 0], [1, 2]];
const keyOf = (index: number): fc.Arbitrary<Tuple> =>
  fc
    .tuple(
      fc.tuple(...(keyFields[index] ?? []).map((field) => fields[field] as fc.Arbitrary<Value>)),
      fc.constantFrom(0, 1, 9, 9, 9, 9),
    )
    .map(([parts, count]) => parts.slice(0, count));

const operationField = fc.oneof(
  fc.integer({ min: 1, max: 7 }),
  fc.constantFrom<Value>(-1, -2, 'id', 'name', 'n', 'x', 'none'),
);
/**
 * In plain JavaScript a UUID is a text. Where the two would be told apart it is not put: into other fields by `=` and
 * `!`, by `#` so far to the left that it comes to `name`, and under `:`.
 */
const operation: fc.Arbitrary<Tuple> = fc.oneof(
  fc.tuple(fc.constantFrom('=', '!'), operationField, fc.oneof(...fields.slice(0, 5))),
  fc.tuple(fc.constant('='), fc.constant('key'), key),
  fc.tuple(fc.constant('#'), operationField, fc.integer({ min: -1, max: 1 })),
);
/** Only the first operation: a field that has one is refused another of these, in plain JavaScript it is not. */
const computing: fc.Arbitrary<Tuple> = fc.oneof(
  fc.tuple(fc.constantFrom('+', '-'), operationField, fc.oneof(n, x)),
  fc.tuple(fc.constantFrom('&', '|', '^'), operationField, fc.oneof(id, n)),
  fc.tuple(
    fc.constant(':'),
    fc.constantFrom<Value>(1, 2, 'id', 'name', 'n', 'x', 'none'),
    fc.constantFrom(-9, -4, -1, 1, 2, 4, 12),
    fc.integer({ min: -3, max: 3 }),
    name,
  ),
);
const operations = fc.oneof(
  fc.array(operation, { minLength: 1, maxLength: 3 }),
  fc.tuple(computing, fc.array(operation, { maxLength: 2 })).map(([one, more]) => [one, ...more]),
);

const onRows: fc.Arbitrary<Step> = fc
  .integer({ min: 0, max: rowIndexes.length - 1 })
  .chain((index) =>
    fc.record({
      kind: fc.constantFrom<RowRequest>(
        ...(['select', 'select', 'insert', 'replace', 'update', 'upsert', 'delete'] as const),
      ),
      space: fc.constant(ROWS),
      index: fc.constant(index),
      iterator: fc.integer({ min: 0, max: 6 }),
      limit: fc.constantFrom(0, 1, 3, 1000),
      offset: fc.constantFrom(0, 0, 0, 1, 2),
      key: keyOf(index),
      after: fc.option(tuple, { nil: undefined, freq: 3 }),
      tuple,
      operations,
      indexBase: fc.constantFrom(0, 1),
    }),
  )
  .map((each) => (each.index === HASH ? asHash(each) : each));

/** The memory engine orders a hash as well: what both do is asked, whole keys and everything. */
function asHash(asked: Step): Step {
  if (asked.key.length === rowIndexes[HASH]?.parts.length) return { ...asked, iterator: 0 };
  return { ...asked, key: [], iterator: 2 };
}

const onNumbered: fc.Arbitrary<Step> = fc
  .tuple(
    fc.constantFrom<RowRequest>('insert', 'insert', 'replace', 'upsert', 'delete'),
    numberedTuple,
    fields[0] as fc.Arbitrary<Value>,
  )
  .map(([kind, values, first]) => ({
    ...nothing,
    ...{ kind, space: NUMBERED, tuple: values, key: [first], iterator: 0 },
    operations: [['=', 'name', 'changed']],
  }));

const step = fc.oneof({ weight: 5, arbitrary: onRows }, { weight: 1, arbitrary: onNumbered });
const transaction = fc
  .tuple(fc.array(step, { maxLength: 5 }), fc.constantFrom('commit', 'rollback'))
  .map(([steps, end]): readonly Step[] => [
    { ...nothing, kind: 'begin' },
    ...steps,
    { ...nothing, kind: end },
  ]);
const history = fc
  .array(
    fc.oneof(
      {
        weight: 8,
        arbitrary: step.map((one): readonly Step[] => [one]),
      },
      { weight: 1, arbitrary: transaction },
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.flat());

/** All rows of every index, in its order. */
const everything: readonly Step[] = [
  ...rowIndexes.map((_, index) => ({ ...nothing, index })),
  { ...nothing, space: NUMBERED },
  { ...nothing, space: NUMBERED, index: 1 },
];

function reference(): ReferenceIprotoStorage {
  const storage = new ReferenceIprotoStorage();
  storage.change(createSpaces);
  return storage;
}

describe('requests on the bytes of the memory engine', () => {
  it('answer as those on an engine in plain JavaScript do, whatever came before', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const access = new TickPerRequest();
        const storage = new RequestStorage(access);
        const oracle = reference();
        for (const [at, each] of [...steps, ...everything].entries()) {
          assert.deepEqual(answer(storage, each), answer(oracle, each), `step ${at}`);
        }
        const follower = new RequestStorage(new Follower(access.follower));
        for (const each of everything) {
          assert.deepEqual(answer(follower, each), answer(oracle, each));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('say with the numbers of Tarantool why a key does not name one row', () => {
    const storage = new RequestStorage(new TickPerRequest());
    const numbers = (kind: 'delete' | 'select', index: number, keys: readonly Tuple[]): unknown =>
      keys.map((asked) => numberOf(storage, { ...nothing, kind, index, key: asked, iterator: 0 }));
    assert.deepEqual(numbers('delete', 2, [['a'], [1]]), [41, 41]);
    assert.deepEqual(numbers('delete', HASH, [['a', 1], ['a'], [1], []]), [0, 19, 19, 19]);
    assert.deepEqual(numbers('delete', 0, [[1], [1, 2], ['x'], [null]]), [0, 19, 18, 18]);
    assert.deepEqual(numbers('delete', 1, [[null]]), [18]);
    assert.deepEqual(numbers('select', 0, [[1], [1, 2], ['x'], [null]]), [0, 31, 18, 18]);
    assert.deepEqual(numbers('select', 1, [[null]]), [0]);
  });

  it('tell a field that is missing from one of the wrong type', () => {
    const storage = new RequestStorage(new TickPerRequest());
    const numbers = [[9], [], [9, 9], [9, null], [9, 'a']].map((values) =>
      numberOf(storage, { ...nothing, kind: 'insert', tuple: values }),
    );
    assert.deepEqual(numbers, [39, 39, 23, 23, 0]);
  });
});

function numberOf(storage: IprotoStorage, asked: Step): number {
  const sink = { tuple: () => undefined };
  try {
    if (asked.kind === 'select') storage.select(requestOf(asked), sink);
    else if (asked.kind === 'delete') storage.delete(requestOf(asked), sink);
    else storage.insert(requestOf(asked), sink);
    return 0;
  } catch (error) {
    return describeError(error).number;
  }
}
