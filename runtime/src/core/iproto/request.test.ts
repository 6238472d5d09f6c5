import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encode } from '../msgpack/encode.ts';
import { frameLength, IprotoRequest } from './request.ts';

function read(...bytes: readonly number[]): readonly [unknown, IprotoRequest] {
  const request = new IprotoRequest();
  return [request.read(Uint8Array.from(bytes), 0, bytes.length), request];
}

/** All but how it was read. */
function meaning(request: IprotoRequest): unknown {
  const { isWhole: _, ...rest } = request;
  return rest;
}

describe('a request', () => {
  it('keeps all 64 bits of its number, however wide it and its keys are', () => {
    const wide = [0xcf, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9, 0xf8];
    const [fault, request] = read(0x82, 0xcc, 0x00, 0xcd, 0, 64, 0xce, 0, 0, 0, 1, ...wide);
    assert.deepEqual(
      [fault, request.type, request.syncHigh, request.syncLow],
      [undefined, 64, 0xfffefdfc, 0xfbfaf9f8],
    );
  });

  it('passes over keys that nobody knows', () => {
    const [fault, request] = read(0x82, 0x00, 1, 0x7f, 0x91, 0xc0, 0x82, 0x6f, 0x80, 0x14, 5);
    assert.deepEqual([fault, request.iterator], [undefined, 5]);
  });

  it('carries the operations of an update where others carry their tuple', () => {
    const [fault, request] = read(0x81, 0x00, 4, 0x81, 0x21, 0x90);
    assert.deepEqual([fault, request.tupleAt, request.operationsAt], [undefined, -1, 5]);
  });

  const malformed: readonly (readonly [string, readonly number[], string])[] = [
    ['no header', [], 'packet header'],
    ['a header without a type', [0x81, 0x01, 5], 'packet header'],
    ['a text for a type', [0x81, 0x00, 0xa1, 0x61], 'packet header'],
    ['a number below zero for its own number', [0x82, 0x00, 1, 0x01, 0xeb], 'packet header'],
    ['a header that is cut off', [0x82, 0x00, 1, 0x01, 0xce, 0], 'packet header'],
    ['a body that is no map', [0x81, 0x00, 1, 0x90], 'packet body'],
    ['a key that is no array', [0x81, 0x00, 1, 0x81, 0x20, 1], 'packet body'],
    [
      'an array that is cut off',
      [0x81, 0x00, 1, 0x81, 0x20, 0xdd, 255, 255, 255, 255],
      'packet body',
    ],
    ['a space below zero', [0x81, 0x00, 1, 0x81, 0x10, 0xff], 'packet body'],
    ['a number for a name', [0x81, 0x00, 10, 0x81, 0x22, 1], 'packet body'],
    ['something behind its body', [0x81, 0x00, 1, 0x80, 0xc0], 'packet body'],
  ];
  for (const [name, bytes, fault] of malformed) {
    it(`is refused with ${name}`, () => {
      assert.equal(read(...bytes)[0], fault);
    });
  }

  it('is read as by itself after others that were like it', () => {
    const sync = fc.oneof(fc.nat(0x7f), fc.nat(0xffff), fc.nat(0xffff_ffff));
    const header = fc.tuple(fc.constantFrom(1, 2, 3, 5, 64), sync);
    const value = fc.oneof(fc.array(fc.string(), { maxLength: 2 }), fc.nat(2));
    const part = fc.tuple(fc.constantFrom(0x10, 0x11, 0x12, 0x14, 0x20, 0x21, 0x22), value);
    const aFrame = fc.tuple(header, fc.array(part, { maxLength: 4 }), fc.boolean());
    fc.assert(
      fc.property(fc.array(aFrame, { minLength: 2, maxLength: 12 }), (frames) => {
        const used = new IprotoRequest();
        for (const [[type, number], parts, isCut] of [...frames, ...frames, ...frames]) {
          const wide = [0xce, number >>> 24, (number >>> 16) & 255, (number >>> 8) & 255];
          const bytes = Uint8Array.from([
            ...[0x82, 0x00, type, 0x01, ...wide, number & 255, 0x80 | parts.length],
            ...parts.flatMap(([name, given]) => [name, ...encode(given)]),
          ]);
          const at = Uint8Array.from([1, 2, 3, ...bytes]);
          const end = at.length - (isCut ? 1 : 0);
          const fresh = new IprotoRequest();
          const fault = fresh.read(at, 3, end);
          assert.equal(used.read(at, 3, end), fault);
          if (fault === undefined) assert.deepEqual(meaning(used), meaning(fresh));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('is never read beyond its frame, whatever the bytes are', () => {
    const values = fc.letrec<{ value: never }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.integer(),
        fc.string(),
        fc.constant(null),
        fc.array(tie('value'), { maxLength: 3 }),
      ) as unknown as fc.Arbitrary<never>,
    }));
    const aFrame = fc
      .array(
        fc.oneof(
          fc.uint8Array({ maxLength: 6 }),
          values.value.map((v) => encode(v)),
        ),
      )
      .map((parts) => [0x81, 0x00, 1, ...parts.flatMap((part) => [...part])]);
    fc.assert(
      fc.property(aFrame, fc.nat(20), (bytes, behind) => {
        const whole = Uint8Array.from([...bytes, ...new Array<number>(behind).fill(0x01)]);
        const request = new IprotoRequest();
        const short = new IprotoRequest();
        const fault = request.read(whole, 0, bytes.length);
        assert.equal(short.read(Uint8Array.from(bytes), 0, bytes.length), fault);
        assert.ok(request.tupleEnd <= bytes.length);
      }),
    );
  });
});

describe('the length of a frame', () => {
  const cases: readonly (readonly [readonly number[], number])[] = [
    [[], -1],
    [[0x05], 5],
    [[0xce, 0, 0], -1],
    [[0xce, 0, 0, 1, 2], 258],
    [[0xcf, 0, 0, 0, 1, 0, 0, 0, 0], 2 ** 32],
    [[0xd0, 1], -2],
    [[0xa1, 0x61], -2],
  ];
  for (const [bytes, length] of cases) {
    it(`of ${JSON.stringify(bytes)} is ${length}`, () => {
      assert.equal(frameLength(Uint8Array.from(bytes), 0, bytes.length), length);
    });
  }
});
