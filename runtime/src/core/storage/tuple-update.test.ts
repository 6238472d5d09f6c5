import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { ClusterError } from '../errors.ts';
import { decode } from '../msgpack/decode.ts';
import { encode, MsgpackWriter } from '../msgpack/encode.ts';
import type { Value } from '../schema/values.ts';
import { checkOperations, updateTuple, upsertTuple } from './tuple-update.ts';

/** Tuple, operations, and the tuple or the number of the error that Tarantool gives for update and for upsert. */
type Vector = readonly [string, string, string | number, string | number];

const vectors = JSON.parse(
  readFileSync(path.join(import.meta.dirname, 'testdata/tuple-update-vectors.json'), 'utf8'),
) as readonly Vector[];

function unhex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

function outcome(work: () => Uint8Array): string | number {
  try {
    return Buffer.from(work()).toString('hex');
  } catch (error) {
    assert.ok(error instanceof ClusterError, String(error));
    assert.equal(error.code, 'TUPLE_INVALID');
    return error.protocolNumber ?? -1;
  }
}

function run(work: typeof updateTuple, tuple: string, operations: string): string | number {
  // Something before and behind, as in the arena and in a request.
  const around = unhex(`c1c1${tuple}c1`);
  const at = { bytes: around, start: 2, end: around.length - 1 };
  const given = { bytes: unhex(`c1${operations}c1`), at: 1, indexBase: 1 };
  return outcome(() => work(at, given, () => undefined));
}

describe('updates of tuples as bytes', () => {
  it(`give what Tarantool gives, ${vectors.length} times`, () => {
    const different = vectors.filter(
      ([tuple, operations, update, upsert]) =>
        run(updateTuple, tuple, operations) !== update ||
        run(upsertTuple, tuple, operations) !== upsert,
    );
    assert.deepEqual(different, []);
  });

  function updated(tuple: Value, operations: Value, names: readonly string[] = []): Value {
    const bytes = encode(tuple);
    const fields = {
      numberOf: (name: string): number | undefined =>
        names.includes(name) ? names.indexOf(name) : undefined,
      count: names.length,
    };
    const given = { bytes: encode(operations), at: 0, indexBase: 0 };
    return decode(updateTuple({ bytes, start: 0, end: bytes.length }, given, fields));
  }

  it('take names of fields, and numbers from 0 where the request counts so', () => {
    assert.deepEqual(
      updated(
        [1, 'Ada', 3],
        [
          ['+', 'salary', 5],
          ['=', 0, 2],
        ],
        ['id', 'name', 'salary'],
      ),
      [2, 'Ada', 8],
    );
  });

  it('put fields of the format that the tuple does not reach, with nil between', () => {
    assert.deepEqual(updated([1], [['=', 3, 'x']], ['a', 'b', 'c', 'd']), [1, null, null, 'x']);
    assert.throws(() => updated([1], [['=', 4, 'x']], ['a', 'b', 'c', 'd']), {
      protocolNumber: 37,
    });
  });

  it('write into a buffer that is given, whatever was in it', () => {
    const writer = new MsgpackWriter(1);
    writer.text('something');
    const bytes = encode([5, 'x'.repeat(100)]);
    const tuple = { bytes, start: 0, end: bytes.length };
    for (const operation of [
      ['+', 0, 1],
      ['!', 0, 6],
    ]) {
      const given = { bytes: encode([operation]), at: 0, indexBase: 0 };
      const made = updateTuple(tuple, given, () => undefined, writer);
      assert.equal(made.buffer, writer.bytes.buffer);
      assert.equal((decode(made) as readonly Value[])[0], 6);
    }
  });

  it('count on a field once only, unless they are told otherwise', () => {
    const twice: Value = [
      ['+', 0, 1],
      ['-', 0, 3],
    ];
    const bytes = encode([5]);
    const tuple = { bytes, start: 0, end: bytes.length };
    const given = { bytes: encode(twice), at: 0, indexBase: 0 };
    assert.throws(() => updated([5], twice), { protocolNumber: 29 });
    const fields = { numberOf: (): undefined => undefined, count: 1, canRepeat: true };
    assert.deepEqual(decode(updateTuple(tuple, given, fields)), [3]);
  });

  it('are refused by name where there is no such field', () => {
    assert.throws(() => updated([1], [['=', 'age', 1]], ['id']), {
      code: 'TUPLE_INVALID',
      field: 'age',
      message: 'There is no field "age" that could be updated.',
    });
  });

  it('are checked without a tuple as far as that can be', () => {
    const check = (operations: Value): void =>
      checkOperations({ bytes: encode(operations), at: 0, indexBase: 0 }, () => undefined);
    check([['+', 100, 1]]);
    assert.throws(() => check([['+', 100, 'x']]), { protocolNumber: 26 });
  });
});
