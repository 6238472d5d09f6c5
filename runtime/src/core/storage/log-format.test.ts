import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';
import { crc32 } from './crc32.ts';
import {
  type Batch,
  encodeBatch,
  encodeHeader,
  lastSequence,
  readSegment,
  validBatches,
} from './log-format.ts';
import { RowCodec } from './rows.ts';

const START = { sequence: 1, checksum: 0 };

interface Encoded {
  readonly bytes: Uint8Array;
  readonly batches: readonly Batch[];
  /** Ends of header and batches. */
  readonly ends: readonly number[];
}

function encode(payloads: readonly Uint8Array[], syncedBefore: (index: number) => number): Encoded {
  const parts = [encodeHeader(START)];
  const batches: Batch[] = [];
  const ends = [parts[0]!.length];
  let checksum = 0;
  for (const [index, payload] of payloads.entries()) {
    const firstSequence = (batches.at(-1) === undefined ? 0 : lastSequence(batches.at(-1)!)) + 1;
    const batch = { term: 1 + (index >> 1), firstSequence, rowCount: 1 + (index % 3), payload };
    const encoded = encodeBatch(batch, checksum, syncedBefore(index));
    ({ checksum } = encoded);
    parts.push(encoded.bytes);
    batches.push(batch);
    ends.push(ends.at(-1)! + encoded.bytes.length);
  }
  return { bytes: Uint8Array.from(Buffer.concat(parts)), batches, ends };
}

function found(bytes: Uint8Array): readonly Batch[] {
  return readSegment(bytes, START).batches.map(({ term, firstSequence, rowCount, payload }) => ({
    term,
    firstSequence,
    rowCount,
    payload,
  }));
}

const payloads = fc.array(fc.uint8Array({ minLength: 1, maxLength: 30 }), { maxLength: 6 });

describe('a segment of the log', () => {
  it('gives its batches back', () => {
    fc.assert(
      fc.property(payloads, (all) => {
        const { bytes, batches } = encode(all, () => 0);
        assert.deepEqual(found(bytes), batches);
        assert.equal(readSegment(bytes, START).fault, undefined);
      }),
    );
  });

  it('that is torn at any byte gives the batches before it, and is not damaged', () => {
    const { bytes, batches, ends } = encode(
      [1, 2, 3].map((n) => new Uint8Array(n).fill(n)),
      () => 0,
    );
    for (let size = 0; size < bytes.length; size++) {
      const whole = ends.filter((end) => end <= size);
      const content = readSegment(bytes.slice(0, size), START);
      assert.deepEqual(
        found(bytes.slice(0, size)),
        batches.slice(0, Math.max(0, whole.length - 1)),
      );
      assert.equal(content.end, whole.at(-1) ?? 0);
      assert.equal(content.fault?.validBehind ?? 0, 0);
      assert.equal(content.fault === undefined, ends.includes(size));
    }
  });

  it('with any bit turned over gives only batches before it, and says what is behind', () => {
    const { bytes, batches, ends } = encode(
      [5, 6, 7, 8].map((n) => new Uint8Array(n).fill(n)),
      (index) => index,
    );
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const broken = bytes.slice();
      broken[bit >> 3]! ^= 1 << (bit & 7);
      // The index of the header (0) or of the batch that is hit.
      const hit = ends.findIndex((end) => bit >> 3 < end);
      const content = readSegment(broken, START);
      assert.deepEqual(found(broken), batches.slice(0, Math.max(0, hit - 1)));
      assert.equal(content.fault?.validBehind, batches.length - hit);
    }
  });

  it('says what is behind a fault when that is very much', () => {
    const { bytes, batches } = encode(
      Array.from({ length: 150_000 }, () => new Uint8Array()),
      (index) => index,
    );
    bytes[0]! ^= 1;
    const { fault } = readSegment(bytes, START);
    const last = batches.length - 1;
    assert.deepEqual([fault?.validBehind, fault?.syncedBehind], [batches.length, last]);
  });

  it('refuses a batch that was taken out, exchanged or comes from another log', () => {
    const { bytes, batches, ends } = encode(
      [1, 2, 3].map((n) => new Uint8Array(n)),
      () => 0,
    );
    const [one, two] = [bytes.slice(ends[0], ends[1]), bytes.slice(ends[1], ends[2])];
    const header = bytes.slice(0, ends[0]);
    const without = Uint8Array.from([...header, ...two]);
    const exchanged = Uint8Array.from([...header, ...two, ...one]);
    assert.deepEqual([found(without), found(exchanged)], [[], []]);
    const other = encodeBatch(batches[1]!, 12345, 0).bytes;
    assert.deepEqual(found(Uint8Array.from([...header, ...one, ...other])), batches.slice(0, 1));
    assert.equal(validBatches(exchanged).length, 2);
  });

  it('refuses to continue another log than the one before it', () => {
    const { bytes } = encode([new Uint8Array(1)], () => 0);
    const { batches, end } = readSegment(bytes, { sequence: 2, checksum: 0 });
    assert.deepEqual({ batches, end }, { batches: [], end: 0 });
    assert.equal(readSegment(bytes, { sequence: 1, checksum: 7 }).end, 0);
  });

  it('of version 1 is read', () => {
    const golden = readFileSync(path.join(import.meta.dirname, 'testdata/version-1.xlog'));
    const content = readSegment(golden, START);
    const codec = new RowCodec();
    assert.equal(content.fault, undefined);
    assert.deepEqual(
      content.batches.map(({ term, firstSequence, rowCount, syncedSequence, payload }) => ({
        term,
        firstSequence,
        rowCount,
        syncedSequence,
        rows: codec.decode(payload),
      })),
      goldenBatches(),
    );
  });

  it('of version 1 is written as it was', () => {
    const golden = readFileSync(path.join(import.meta.dirname, 'testdata/version-1.xlog'));
    const payloads = readSegment(golden, START).batches.map(({ payload }) => payload);
    const parts = [encodeHeader(START)];
    let checksum = 0;
    for (const [index, { rows, syncedSequence, ...batch }] of goldenBatches().entries()) {
      // The same rows can be written in more than one way: maps had longer headers.
      const payload = payloads[index] ?? new Uint8Array();
      const result = encodeBatch(
        { ...batch, rowCount: rows.length, payload },
        checksum,
        syncedSequence,
      );
      ({ checksum } = result);
      parts.push(result.bytes);
    }
    assert.deepEqual(Uint8Array.from(parts.flatMap((part) => [...part])), Uint8Array.from(golden));
  });
});

describe('the checksum', () => {
  it('is that of zlib, also in pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        assert.equal(crc32(b, crc32(a)), zlibCrc32(Buffer.concat([a, b])));
      }),
    );
  });
});

function goldenBatches(): readonly (Omit<Batch, 'payload'> & {
  readonly syncedSequence: number;
  readonly rows: ReturnType<RowCodec['decode']>;
})[] {
  const primary = {
    id: 0,
    name: 'primary',
    unique: true,
    parts: [{ field: 0, type: 'unsigned', isNullable: false }],
  } as const;
  const format = [{ name: 'id', type: 'unsigned', isNullable: false }] as const;
  return [
    {
      term: 1,
      firstSequence: 1,
      rowCount: 1,
      syncedSequence: 0,
      rows: [{ kind: 'begin-term', leader: '00000000-0000-4000-8000-000000000001' }],
    },
    {
      term: 1,
      firstSequence: 2,
      rowCount: 4,
      syncedSequence: 1,
      rows: [
        { kind: 'create-space', definition: { id: 512, name: 'a', format, indexes: [] } },
        { kind: 'create-index', space: 512, index: primary },
        {
          kind: 'replace',
          space: 512,
          tuple: [1, null, true, -1.5, 2n ** 60n, 'é', Uint8Array.from([1, 2]), [1], { a: 1 }],
        },
        { kind: 'delete', space: 512, key: [1] },
      ],
    },
    {
      term: 3,
      firstSequence: 6,
      rowCount: 2,
      syncedSequence: 5,
      rows: [
        { kind: 'drop-index', space: 512, index: 0 },
        { kind: 'drop-space', space: 512 },
      ],
    },
  ];
}
