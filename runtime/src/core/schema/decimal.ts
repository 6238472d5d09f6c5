/**
 * Exact decimal numbers of up to 38 digits.
 *
 * A value is an integer and the number of its digits behind the point, as in Tarantool's extension 1 of MessagePack.
 * How many zeros end the fraction is kept and shown, and means nothing to comparison.
 */
import { assert } from '../../foundation/assert.ts';

const DIGITS = 38;
const LIMIT = 10n ** BigInt(DIGITS);
const TEXT = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,4}))?$/i;

export class Decimal {
  /** All digits as an integer. */
  readonly unscaled: bigint;
  /** Digits behind the point; negative: zeros that follow before it. */
  readonly scale: number;

  private constructor(unscaled: bigint, scale: number) {
    this.unscaled = unscaled;
    this.scale = scale;
    Object.freeze(this);
  }

  /** Undefined where it has more than 38 digits before and behind the point together. */
  static of(unscaled: bigint, scale = 0): Decimal | undefined {
    if (!Number.isInteger(scale) || scale > DIGITS || scale < -DIGITS) return undefined;
    const whole = scale < 0 ? unscaled * 10n ** BigInt(-scale) : unscaled;
    return whole < LIMIT && whole > -LIMIT ? new Decimal(unscaled, scale) : undefined;
  }

  /** Undefined where the text is no decimal number, or has too many digits. */
  static parse(text: string): Decimal | undefined {
    const match = TEXT.exec(text);
    if (match === null) return undefined;
    const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
    if (whole === '' && fraction === '') return undefined;
    const digits = BigInt(whole + fraction);
    return Decimal.of(sign === '-' ? -digits : digits, fraction.length - Number(exponent));
  }

  /** As Tarantool makes a decimal of a double: by its first 15 digits. */
  static fromNumber(value: number): Decimal | undefined {
    if (!Number.isFinite(value)) return undefined;
    if (Number.isSafeInteger(value)) return Decimal.of(BigInt(value));
    return Decimal.parse(String(Number(value.toPrecision(15))));
  }

  toString(): string {
    const { unscaled, scale } = this;
    if (scale <= 0) return (unscaled * 10n ** BigInt(-scale)).toString();
    const sign = unscaled < 0n ? '-' : '';
    const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
    return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  }

  toJSON(): string {
    return this.toString();
  }

  /** The nearest number: it may have lost digits. */
  toNumber(): number {
    return Number(this.toString());
  }

  /** Exact, whatever the other is; nothing is compared with NaN. */
  compare(other: Decimal | number | bigint): number {
    if (typeof other === 'bigint') return this.#compareTo(other, 0);
    if (typeof other !== 'number') return this.#compareTo(other.unscaled, other.scale);
    if (!Number.isFinite(other)) return other > 0 ? -1 : 1;
    if (Number.isInteger(other)) return this.#compareTo(BigInt(other), 0);
    // A double is an integer over a power of two, and that is an integer over the same power of ten.
    const { numerator, power } = fractionOf(other);
    return sign(
      this.unscaled * 2n ** BigInt(power) * tenTo(-this.scale) - numerator * tenTo(this.scale),
    );
  }

  negated(): Decimal {
    return new Decimal(-this.unscaled, this.scale);
  }

  /** Undefined where it has more than 38 digits before the point; behind it the last ones are rounded off. */
  plus(other: Decimal): Decimal | undefined {
    const scale = Math.max(this.scale, other.scale);
    return rounded(atScale(this, scale) + atScale(other, scale), scale);
  }

  #compareTo(unscaled: bigint, scale: number): number {
    const common = Math.max(this.scale, scale);
    return sign(atScale(this, common) - unscaled * tenTo(common - scale));
  }
}

function atScale(value: Decimal, scale: number): bigint {
  return value.unscaled * tenTo(scale - value.scale);
}

/** One for a negative power. */
function tenTo(power: number): bigint {
  return power > 0 ? 10n ** BigInt(power) : 1n;
}

function sign(value: bigint): number {
  if (value === 0n) return 0;
  return value < 0n ? -1 : 1;
}

function rounded(unscaled: bigint, scale: number): Decimal | undefined {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().length;
  const surplus = Math.min(digits - DIGITS, scale);
  if (surplus <= 0) return Decimal.of(unscaled, scale);
  const unit = tenTo(surplus);
  const half = unscaled < 0n ? -unit / 2n : unit / 2n;
  // 9.99… may have become 10.0…
  return rounded((unscaled + half) / unit, scale - surplus);
}

/** A number that is no integer, as `numerator / 2^power`. */
function fractionOf(value: number): { readonly numerator: bigint; readonly power: number } {
  let numerator = value;
  let power = 0;
  while (!Number.isInteger(numerator)) {
    numerator *= 2;
    power++;
  }
  return { numerator: BigInt(numerator), power };
}

/** The content of extension 1: the scale, then two digits a byte, the last half byte being the sign. */
export function decimalBytes(value: Decimal): Uint8Array {
  const digits = (value.unscaled < 0n ? -value.unscaled : value.unscaled).toString();
  const nibbles = `${digits.length % 2 === 0 ? '0' : ''}${digits}${value.unscaled < 0n ? 'd' : 'c'}`;
  const isWide = value.scale < -32;
  const start = isWide ? 2 : 1;
  const bytes = new Uint8Array(start + nibbles.length / 2);
  if (isWide) bytes[0] = 0xd0;
  bytes[start - 1] = value.scale & 0xff;
  for (let index = start; index < bytes.length; index++) {
    bytes[index] = Number.parseInt(nibbles.slice(2 * (index - start), 2 * (index - start) + 2), 16);
  }
  return bytes;
}

/** Undefined where the bytes are no such number. */
export function decimalFromBytes(
  bytes: Uint8Array,
  start: number,
  end: number,
): Decimal | undefined {
  const scale = scaleAt(bytes, start, end);
  if (scale === undefined) return undefined;
  let text = '';
  for (let index = start + scaleLength(bytes[start] ?? 0); index < end; index++) {
    text += (bytes[index] ?? 0).toString(16).padStart(2, '0');
  }
  if (!/^\d+[a-f]$/.test(text) || text.length > 2 * DIGITS) return undefined;
  const mark = text.at(-1);
  const digits = BigInt(text.slice(0, -1));
  return Decimal.of(mark === 'b' || mark === 'd' ? -digits : digits, scale);
}

function scaleLength(first: number): number {
  if (first < 0x80 || first >= 0xe0) return 1;
  if (first === 0xcc || first === 0xd0) return 2;
  if (first === 0xcd || first === 0xd1) return 3;
  return first === 0xce || first === 0xd2 ? 5 : 0;
}

/** An integer of MessagePack, of whichever width. */
function scaleAt(bytes: Uint8Array, start: number, end: number): number | undefined {
  const first = bytes[start] ?? 0;
  const length = scaleLength(first);
  if (length === 0 || start + length >= end) return undefined;
  if (length === 1) return first < 0x80 ? first : first - 0x100;
  let value = 0;
  for (let index = 1; index < length; index++) value = value * 0x100 + (bytes[start + index] ?? 0);
  const isNegative = first >= 0xd0 && (bytes[start + 1] ?? 0) >= 0x80;
  return isNegative ? value - 2 ** (8 * (length - 1)) : value;
}

/** For constants and tests: what is written in the code is a number. */
export function decimal(text: string): Decimal {
  const value = Decimal.parse(text);
  assert(value !== undefined, `"${text}" is no decimal number of at most ${DIGITS} digits`);
  return value;
}
