import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compareTexts } from './collations.ts';
import { DateTime, dateTimeBytes, dateTimeFromBytes } from './datetime.ts';
import { Decimal, decimal, decimalBytes, decimalFromBytes } from './decimal.ts';
import { compareValues, type Value } from './values.ts';

const anyDecimal = fc
  .tuple(fc.bigInt(-(10n ** 20n), 10n ** 20n), fc.integer({ min: -10, max: 38 }))
  .map(([unscaled, scale]) => Decimal.of(unscaled, scale)!);
/** Of the very last second a `Date` has only the beginning. */
const anyDateTime = fc
  .tuple(
    fc.integer({ min: -8.64e12, max: 8.64e12 - 1 }),
    fc.integer({ min: 0, max: 999_999_999 }),
    fc.integer({ min: -720, max: 840 }),
  )
  .map(([seconds, nanoseconds, tzoffset]) => DateTime.of(seconds, nanoseconds, { tzoffset })!);

describe('Decimal', () => {
  it('is the text it was made of, without an exponent', () => {
    const texts = ['0', '-0', '1.50', '-1.5', '.5', '5.', '+7', '1e10', '12E-3', '1e-38'];
    assert.deepEqual(
      texts.map((text) => decimal(text).toString()),
      ['0', '0', '1.50', '-1.5', '0.5', '5', '7', '10000000000', '0.012', `0.${'0'.repeat(37)}1`],
    );
  });

  it('has 38 digits, and is no other text', () => {
    const texts = [
      '9'.repeat(39),
      '1e38',
      '1e-39',
      '',
      '.',
      'x',
      '1,5',
      ' 1',
      'NaN',
      '1e',
      '1e99999',
    ];
    assert.deepEqual(
      texts.map((text) => Decimal.parse(text)),
      texts.map(() => undefined),
    );
    assert.equal(decimal('9'.repeat(38)).toString(), '9'.repeat(38));
  });

  it('is exact where doubles are not', () => {
    assert.equal(decimal('0.1').compare(0.1), -1);
    assert.equal(decimal('0.5').compare(0.5), 0);
    assert.equal(decimal('9007199254740993').compare(2 ** 53), 1);
    assert.equal(decimal('18446744073709551615').compare(2n ** 64n - 1n), 0);
    assert.deepEqual(
      [Infinity, -Infinity, 5e-324, -5e-324].map((other) => decimal('0').compare(other)),
      [-1, 1, -1, 1],
    );
  });

  it('comes back from its text and its bytes', () => {
    fc.assert(
      fc.property(anyDecimal, (value) => {
        assert.equal(decimal(value.toString()).compare(value), 0);
        const bytes = decimalBytes(value);
        assert.deepEqual(decimalFromBytes(bytes, 0, bytes.length), value);
      }),
    );
  });

  it('adds exactly, and rounds only beyond 38 digits', () => {
    const sums: readonly (readonly [string, string, string | undefined])[] = [
      ['0.1', '0.2', '0.3'],
      ['1.5', '-1.50', '0.00'],
      ['9'.repeat(37), '0.25', `${'9'.repeat(37)}.3`],
      ['9'.repeat(38), '0.1', '9'.repeat(38)],
      ['9'.repeat(38), '0.9', undefined],
      ['9'.repeat(38), '1', undefined],
      [`${'9'.repeat(37)}.9`, '0.06', `1${'0'.repeat(37)}`],
    ];
    assert.deepEqual(
      sums.map(([a, b]) => decimal(a).plus(decimal(b))?.toString()),
      sums.map(([, , sum]) => sum),
    );
  });
});

describe('DateTime', () => {
  it('has a text in the very last second of a date, in any offset', () => {
    for (const tzoffset of [-1, 0, 1]) {
      const last = DateTime.of(8.64e12, 1_500_000, { tzoffset })!;
      assert.match(String(last), /^\+275760-09-1[23]T\d\d:\d\d:00\.0015(Z|-00:01)$/);
      assert.equal(last.toDate().getTime(), 8.64e15);
    }
  });

  it('reads and shows ISO 8601', () => {
    const texts: readonly (readonly [string, string])[] = [
      ['1970-01-01', '1970-01-01T00:00:00Z'],
      ['2024-02-29T12:30', '2024-02-29T12:30:00Z'],
      ['2024-02-29T12:30:15.5Z', '2024-02-29T12:30:15.5Z'],
      ['2024-02-29 12:30:15.000000001+05:30', '2024-02-29T12:30:15.000000001+05:30'],
      ['1969-12-31T23:59:59.999-0830', '1969-12-31T23:59:59.999-08:30'],
      ['-000001-01-01T00:00:00+03', '-000001-01-01T00:00:00+03:00'],
    ];
    assert.deepEqual(
      texts.map(([text]) => DateTime.parse(text)?.toString()),
      texts.map(([, shown]) => shown),
    );
    assert.deepEqual(
      ['', 'yesterday', '2024-02-30', '2024-13-01', '2024-01-01T25:00:00Z', '24-01-01'].map(
        (text) => DateTime.parse(text),
      ),
      [undefined, undefined, undefined, undefined, undefined, undefined],
    );
  });

  it('comes back from its text, its bytes and, to the millisecond, from a Date', () => {
    fc.assert(
      fc.property(anyDateTime, (value) => {
        assert.equal(DateTime.parse(value.toString())?.compare(value), 0);
        const bytes = dateTimeBytes(value);
        assert.deepEqual(dateTimeFromBytes(bytes, 0, bytes.length), value);
        const again = DateTime.fromDate(value.toDate());
        assert.deepEqual(
          [again?.seconds, again?.nanoseconds],
          [value.seconds, value.nanoseconds - (value.nanoseconds % 1_000_000)],
        );
      }),
    );
    assert.equal(DateTime.fromDate(new Date(Number.NaN)), undefined);
  });
});

describe('the order of all values', () => {
  const value: fc.Arbitrary<Value> = fc.oneof(
    fc.constantFrom(null, false, true, 0.1, -0.5, 2 ** 53, 1e300, Infinity, -Infinity, Number.NaN),
    fc.constantFrom<Value>(2n ** 53n + 1n, 2n ** 64n - 1n, -(2n ** 63n), decimal('0.1')),
    fc.double(),
    fc.maxSafeInteger(),
    anyDecimal,
    anyDateTime,
    fc.string({ unit: 'grapheme', maxLength: 4 }),
    fc.uint8Array({ maxLength: 4 }),
  );

  it('is total: antisymmetric and transitive', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 3, maxLength: 12 }), (values) => {
        const sorted = values.toSorted((a, b) => compareValues(a, b));
        for (let low = 0; low < sorted.length; low++) {
          for (let high = low; high < sorted.length; high++) {
            const [a, b] = [sorted[low] ?? null, sorted[high] ?? null];
            assert.ok(compareValues(a, b) <= 0);
            assert.equal(Math.sign(compareValues(a, b)) + Math.sign(compareValues(b, a)), 0);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('goes by class first, and compares numbers of all kinds by what they are worth', () => {
    const sorted: readonly Value[] = [
      null,
      false,
      true,
      Number.NaN,
      -Infinity,
      -(2n ** 63n),
      -1.5,
      0,
      decimal('0.1'),
      0.1,
      decimal('1.50'),
      2 ** 53,
      2n ** 53n + 1n,
      decimal('9007199254740993.5'),
      2n ** 64n - 1n,
      decimal('1e30'),
      1e300,
      '',
      'a',
      new Uint8Array([0]),
      DateTime.of(-1)!,
      DateTime.of(0, 1)!,
    ];
    assert.deepEqual(
      sorted.toReversed().toSorted((a, b) => compareValues(a, b)),
      sorted,
    );
    assert.equal(compareValues(decimal('1.50'), 1.5), 0);
  });
});

describe('collations', () => {
  it('put texts in the order in which Tarantool 2.6 puts them', () => {
    // Recorded: what is equal under a collation is in the list once.
    const unicode =
      ' |_|-|🙂|🙃|$|€|1|1/2|½|10|2|²|a|ａ|A|á|Á|ä|a b|ab|ae|æ|b|B|co op|co-op|CO-OP|coop|e|E|é|fi|ﬁ|i|I|İ|ı|n|ñ|' +
      'o|ø|ss|SS|ß|z|Z|σ|Σ|ς|е|ё|я|Я|日本';
    const list = unicode.split('|');
    assert.deepEqual(
      list.toSorted().toSorted((a, b) => compareTexts(a, b, 'unicode')),
      list,
    );
    assert.equal(new Set(list).size, list.length);
  });

  it('know when texts are the same', () => {
    const same = (a: string, b: string): readonly boolean[] => [
      compareTexts(a, b) === 0,
      compareTexts(a, b, 'unicode') === 0,
      compareTexts(a, b, 'unicode_ci') === 0,
    ];
    assert.deepEqual(
      [same('a', 'A'), same('é', 'E'), same('ß', 'ss'), same('é', 'e\u0301'), same('a', 'b')],
      [
        [false, false, true],
        [false, false, true],
        [false, false, true],
        [false, true, true],
        [false, false, false],
      ],
    );
  });
});
