import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { DateTime } from '../schema/datetime.ts';
import { decimal } from '../schema/decimal.ts';
import type { Value } from '../schema/values.ts';
import { decode, MsgpackReader } from './decode.ts';
import { encode, MsgpackWriter } from './encode.ts';
import { Extension } from './extension.ts';
import { checkedEnd, skip, skipMany } from './skip.ts';

const packr = new Packr({ useRecords: false, int64AsType: 'bigint', copyBuffers: true });

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

const integer = fc
  .oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), fc.bigInt(-70000n, 70000n))
  .map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value));
const key = fc.string({ unit: 'grapheme', maxLength: 5 }).filter((text) => text !== '__proto__');

function values(leaf: fc.Arbitrary<Value>): fc.Arbitrary<Value> {
  return fc.letrec<{ value: Value }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaf,
      fc.array(tie('value'), { maxLength: 20 }),
      fc.dictionary(key, tie('value'), { noNullPrototype: true }),
    ),
  })).value;
}

const plain: fc.Arbitrary<Value> = fc.oneof(
  integer,
  fc.double({ noNaN: true }).map((value) => (value === 0 ? 0 : value)),
  fc.boolean(),
  fc.constant(null),
  fc.string({ unit: 'grapheme', maxLength: 80 }),
  fc.uint8Array({ maxLength: 300 }),
);

const special: fc.Arbitrary<Value> = fc.oneof(
  fc.constantFrom(decimal('-1.50'), decimal('0'), decimal('9'.repeat(38)), decimal('1e33')),
  fc
    .tuple(
      fc.integer({ min: -8.64e12, max: 8.64e12 }),
      fc.integer({ min: 0, max: 999_999_999 }),
      fc.integer({ min: -720, max: 840 }),
    )
    .map(([seconds, nanoseconds, tzoffset]) => DateTime.of(seconds, nanoseconds, { tzoffset })!),
  fc
    .tuple(fc.integer({ min: -128, max: -2 }), fc.uint8Array({ maxLength: 300 }))
    .map(([type, bytes]) => new Extension(type, bytes)),
);

describe('MessagePack', () => {
  const known: readonly (readonly [Value, string])[] = [
    [null, 'c0'],
    [true, 'c3'],
    [127, '7f'],
    [128, 'cc80'],
    [-32, 'e0'],
    [-33, 'd0df'],
    [-129, 'd1ff7f'],
    [-32769, 'd2ffff7fff'],
    [65535, 'cdffff'],
    [65536, 'ce00010000'],
    [2 ** 32, 'cf0000000100000000'],
    [-(2 ** 31) - 1, 'd3ffffffff7fffffff'],
    [2n ** 64n - 1n, 'cfffffffffffffffff'],
    [-(2n ** 63n), 'd38000000000000000'],
    [1.5, 'cb3ff8000000000000'],
    [2 ** 60, 'cb43b0000000000000'],
    ['Ada', 'a3416461'],
    ['é', 'a2c3a9'],
    ['x'.repeat(32), `d920${'78'.repeat(32)}`],
    ['é'.repeat(16), `d920${'c3a9'.repeat(16)}`],
    [new Uint8Array([1, 2]), 'c4020102'],
    [[1, [2]], '92019102'],
    [{ a: 1 }, '81a16101'],
    [decimal('-1.50'), 'c7030102150d'],
    [decimal('1.5'), 'c7030101015c'],
    [decimal('0'), 'd501000c'],
    [decimal('1E33'), 'c70301d0df1c'],
    [DateTime.of(1)!, 'd7040100000000000000'],
    [DateTime.of(-1, 5, { tzoffset: 180 })!, 'd804ffffffffffffffff05000000b4000000'],
    [new Extension(9, new Uint8Array([7])), 'd40907'],
    [new Extension(-1, new Uint8Array(3)), 'c703ff000000'],
  ];
  for (const [value, want] of known) {
    it(`writes and reads ${want.slice(0, 40)}`, () => {
      assert.equal(hex(encode(value)), want);
      assert.deepEqual(decode(bytesOf(want)), value);
    });
  }

  it('reads what nobody writes: floats, long forms, UUIDs, keys that are no text', () => {
    const read: readonly (readonly [string, Value])[] = [
      ['ca3fc00000', 1.5],
      ['d90161', 'a'],
      ['dd0000000101', [1]],
      ['d8025f0a4a3000000000000000000000000f', '5f0a4a30-0000-0000-0000-00000000000f'],
      ['8301a161c0a162cd0100a163', { 1: 'a', null: 'b', 256: 'c' }],
      ['81c70301d0df1c01', { 1000000000000000000000000000000000: 1 }],
    ];
    assert.deepEqual(
      read.slice(0, 5).map(([text]) => decode(bytesOf(text))),
      read.slice(0, 5).map(([, value]) => value),
    );
    assert.deepEqual(Object.keys(decode(bytesOf(read[5]![0])) as object), [`1${'0'.repeat(33)}`]);
  });

  it('keeps a key that is the name of the prototype', () => {
    const map = decode(bytesOf('81a95f5f70726f746f5f5f81a16101')) as Record<string, Value>;
    assert.deepEqual(Object.entries(map), [['__proto__', { a: 1 }]]);
    assert.equal(map['a'], undefined);
  });

  it('gives every value back, and ends where it ends', () => {
    fc.assert(
      fc.property(values(fc.oneof(plain, special)), (value) => {
        const bytes = encode(value);
        const framed = Uint8Array.from([0xc0, ...bytes, 0xc0]);
        const end = bytes.length + 1;
        assert.deepEqual(decode(framed, 1), value);
        assert.deepEqual(
          [skip(framed, 1), checkedEnd(framed, 1, framed.length), checkedEnd(framed, 1, end)],
          [end, end, end],
        );
        assert.equal(checkedEnd(framed, 1, end - 1), -1);
        const reader = new MsgpackReader(framed, 1);
        reader.value();
        assert.equal(reader.position, end);
      }),
    );
  });

  it('agrees with msgpackr, both ways', () => {
    fc.assert(
      fc.property(values(plain), (value) => {
        assert.deepEqual(packr.unpack(encode(value)), widened(value));
        assert.deepEqual(decode(Uint8Array.from(packr.pack(value))), value);
      }),
    );
  });

  it('writes headers and raw bytes into a buffer that grows', () => {
    const writer = new MsgpackWriter(1);
    writer.arrayHeader(70_000);
    for (let index = 0; index < 70_000; index++) writer.uint(index);
    const bytes = writer.take();
    assert.deepEqual(
      decode(bytes),
      Array.from({ length: 70_000 }, (_, index) => index),
    );
    assert.equal(skipMany(bytes, 5, 70_000), bytes.length);
    writer.mapHeader(1);
    writer.text('ключ');
    writer.raw(bytes, 0, 0);
    writer.value(undefined);
    assert.deepEqual(decode(writer.take()), { ключ: null });
  });
});

/** The other reader makes every integer of 64 bits a bigint. */
function widened(value: Value): unknown {
  if (typeof value === 'number') {
    const isWide = Number.isSafeInteger(value) && (value > 0xffff_ffff || value < -(2 ** 31));
    return isWide ? BigInt(value) : value;
  }
  if (Array.isArray(value)) return (value as readonly Value[]).map(widened);
  if (value instanceof Uint8Array) return value;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value as Record<string, Value>).map(([name, item]) => [name, widened(item)]),
  );
}

describe('checkedEnd', () => {
  it('never throws, and what it accepts is read to the same end', () => {
    const mutated = fc
      .tuple(values(fc.oneof(plain, special)), fc.array(fc.tuple(fc.nat(), fc.nat(255))))
      .map(([value, changes]) => {
        const bytes = encode(value);
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), mutated), (bytes) => {
        const end = checkedEnd(bytes, 0, bytes.length);
        if (end < 0) return;
        const reader = new MsgpackReader(bytes, 0);
        const value = reader.value();
        assert.deepEqual([reader.position, skip(bytes, 0)], [end, end]);
        assert.equal(
          JSON.stringify(decode(encode(value)), plainly),
          JSON.stringify(value, plainly),
        );
      }),
      { numRuns: 500 },
    );
  });

  const refused: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['the byte that is never used', 'c1'],
    ['a text that is cut off', 'a261'],
    ['a header that is cut off', 'dd0000'],
    ['a count that is larger than what follows', 'ddffffffff01'],
    ['a decimal without a sign', 'd5010011'],
    ['a UUID of 8 bytes', 'd7020000000000000000'],
    ['a point in time with too many nanoseconds', 'd804000000000000000000ca9a3b00000000'],
    ['nesting of a million levels', '91'.repeat(1_000_000)],
  ];
  for (const [name, text] of refused) {
    it(`refuses ${name}`, () => {
      const bytes = bytesOf(text);
      assert.equal(checkedEnd(bytes, 0, bytes.length), -1);
    });
  }

  it('takes nesting of 128 levels', () => {
    const bytes = bytesOf(`${'91'.repeat(128)}01`);
    assert.equal(checkedEnd(bytes, 0, bytes.length), 129);
  });
});

function plainly(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}
