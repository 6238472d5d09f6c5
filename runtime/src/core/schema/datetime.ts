/**
 * Points in time to the nanosecond, with the offset in which they were written.
 *
 * As Tarantool's extension 4 of MessagePack. Comparison knows the instant only: offset and zone are for showing it.
 */
const ISO =
  /^(\d{4}|[+-]\d{6})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(Z|[+-]\d\d(?::?\d\d)?)?)?$/i;
/** What a `Date` can be. */
const MAX_SECONDS = 8.64e12;
const NANOSECONDS = 1_000_000_000;
const INT16 = 0x7fff;

export interface Zone {
  /** Minutes ahead of UTC. */
  readonly tzoffset?: number;
  /** Number of a named zone; 0 for none. */
  readonly tzindex?: number;
}

export class DateTime {
  /** Since 1970, rounded down. */
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly tzoffset: number;
  readonly tzindex: number;

  private constructor(seconds: number, nanoseconds: number, zone: Zone) {
    this.seconds = seconds;
    this.nanoseconds = nanoseconds;
    this.tzoffset = zone.tzoffset ?? 0;
    this.tzindex = zone.tzindex ?? 0;
    Object.freeze(this);
  }

  /** Undefined where a part is out of its range. */
  static of(seconds: number, nanoseconds = 0, zone: Zone = {}): DateTime | undefined {
    const { tzoffset = 0, tzindex = 0 } = zone;
    const isValid =
      isWithin(seconds, -MAX_SECONDS, MAX_SECONDS) &&
      isWithin(nanoseconds, 0, NANOSECONDS - 1) &&
      isWithin(tzoffset, -INT16, INT16) &&
      isWithin(tzindex, 0, 0xffff);
    return isValid ? new DateTime(seconds, nanoseconds, zone) : undefined;
  }

  /** Undefined for an invalid date. */
  static fromDate(date: Date): DateTime | undefined {
    const milliseconds = date.getTime();
    const seconds = Math.floor(milliseconds / 1000);
    return DateTime.of(seconds, (milliseconds - seconds * 1000) * 1_000_000);
  }

  /** ISO 8601: a date, a date with a time, and either with an offset; without one it is UTC. */
  static parse(text: string): DateTime | undefined {
    const match = ISO.exec(text);
    if (match === null) return undefined;
    const [, year, month, day, hour = '00', minute = '00', second = '00'] = match;
    const [fraction = '', offset = 'Z'] = [match[7], match[8]];
    const local = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
    const milliseconds = Date.parse(`${local}Z`);
    if (Number.isNaN(milliseconds)) return undefined;
    // Parsing takes the 30th of February for a day in March.
    if (!new Date(milliseconds).toISOString().startsWith(local.slice(0, -6))) return undefined;
    const tzoffset = offsetOf(offset);
    return DateTime.of(milliseconds / 1000 - tzoffset * 60, Number(fraction.padEnd(9, '0')), {
      tzoffset,
    });
  }

  /** Nanoseconds below a millisecond are lost, and what is behind the last date. */
  toDate(): Date {
    const milliseconds = this.seconds * 1000 + Math.floor(this.nanoseconds / 1_000_000);
    return new Date(Math.min(milliseconds, MAX_SECONDS * 1000));
  }

  toString(): string {
    const local = new Date((this.seconds + this.tzoffset * 60) * 1000);
    // The last hours that a date can be have no date some offsets further on.
    const isShown = !Number.isNaN(local.getTime());
    const text = (isShown ? local : new Date(this.seconds * 1000)).toISOString().slice(0, -5);
    const fraction = this.nanoseconds.toString().padStart(9, '0').replace(/0+$/, '');
    return `${text}${fraction === '' ? '' : `.${fraction}`}${shownOffset(isShown ? this.tzoffset : 0)}`;
  }

  toJSON(): string {
    return this.toString();
  }

  compare(other: DateTime): number {
    return this.seconds - other.seconds || this.nanoseconds - other.nanoseconds;
  }
}

function isWithin(value: number, least: number, greatest: number): boolean {
  return Number.isInteger(value) && value >= least && value <= greatest;
}

function offsetOf(text: string): number {
  if (/^z$/i.test(text)) return 0;
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(3).replace(':', ''));
  return text.startsWith('-') ? -minutes : minutes;
}

function shownOffset(minutes: number): string {
  if (minutes === 0) return 'Z';
  const size = Math.abs(minutes);
  const hours = Math.trunc(size / 60)
    .toString()
    .padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${hours}:${(size % 60).toString().padStart(2, '0')}`;
}

/** The content of extension 4: the second half is left out where it is zero. */
export function dateTimeBytes(value: DateTime): Uint8Array {
  const isShort = value.nanoseconds === 0 && value.tzoffset === 0 && value.tzindex === 0;
  const bytes = new Uint8Array(isShort ? 8 : 16);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, BigInt(value.seconds), true);
  if (isShort) return bytes;
  view.setInt32(8, value.nanoseconds, true);
  view.setInt16(12, value.tzoffset, true);
  view.setUint16(14, value.tzindex, true);
  return bytes;
}

/** Undefined where the bytes are no such point. */
export function dateTimeFromBytes(
  bytes: Uint8Array,
  start: number,
  end: number,
): DateTime | undefined {
  const length = end - start;
  if (length !== 8 && length !== 16) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, length);
  const seconds = Number(view.getBigInt64(0, true));
  if (length === 8) return DateTime.of(seconds);
  return DateTime.of(seconds, view.getInt32(8, true), {
    tzoffset: view.getInt16(12, true),
    tzindex: view.getUint16(14, true),
  });
}
