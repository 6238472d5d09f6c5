/**
 * Packets of gossip, as bytes.
 *
 *     version   one byte, outside of everything else: another one says how to read the rest, encrypted or not
 *     head      [cluster, kind, sequence, hops, wall time]
 *     from      the sender's own entry
 *     to        what the sender thinks of the recipient; nil: whoever gets it
 *     entries   until the end
 *
 * All but the version is MessagePack; an entry is [uri, status, incarnation, payload]. A packet stays below what a
 * network carries whole. Whatever else comes in is refused with a reason, and never an error.
 */
import { hostPortSchema } from '../../contract/cluster-config.ts';
import { MsgpackReader } from '../msgpack/decode.ts';
import { MsgpackWriter } from '../msgpack/encode.ts';
import { checkedEnd } from '../msgpack/skip.ts';
import type { Value } from '../schema/values.ts';
import { GOSSIP_STATUSES, type GossipEntry, INCARNATION_MAX } from './entry.ts';

/** What is left of an Ethernet frame of 1500 bytes after the headers of IP and UDP [MEM-04]. */
export const PACKET_BYTES_MAX = 1472;

/** `sync` asks for what the other knows better, `synced` answers it; `word` wants no answer. */
export type PacketKind = 'ping' | 'ack' | 'sync' | 'synced' | 'word';

export interface PacketHead {
  readonly cluster: string;
  readonly kind: PacketKind;
  /** The sender's count; the answer has that of the question. */
  readonly sequence: number;
  /** How often it was passed on: 0, or 1. */
  readonly hops: number;
  /** The sender's, in milliseconds: for the difference of clocks. */
  readonly wallMs: number;
  readonly from: GossipEntry;
  readonly to: GossipEntry | undefined;
}

export interface GossipPacket extends PacketHead {
  readonly entries: readonly GossipEntry[];
}

export type DecodedPacket =
  | { readonly kind: 'packet'; readonly packet: GossipPacket }
  | { readonly kind: 'refused'; readonly reason: string };

const VERSION = 1;
const KINDS: readonly PacketKind[] = ['ping', 'ack', 'sync', 'synced', 'word'];
/** Names of the payload that are sent as their place here: only appended to. */
const KEYS = ['uuid', 'alias', 'state', 'state_prev', 'leader_uuid', 'raft_term'];
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const HEAD_VALUES = 5;
const ENTRY_VALUES = 4;
const NIL = 0xc0;

export interface EncodedPacket {
  readonly bytes: Uint8Array;
  /** Those of the wanted entries that are in it. */
  readonly carried: readonly GossipEntry[];
}

/** As many of the wanted entries as fit, in their order. */
export function encodePacket(head: PacketHead, wanted: Iterable<GossipEntry>): EncodedPacket {
  const writer = new MsgpackWriter(2 * PACKET_BYTES_MAX);
  // Below 128 a number is its own byte.
  writer.uint(VERSION);
  writer.arrayHeader(HEAD_VALUES);
  writeText(writer, head.cluster);
  writer.uint(KINDS.indexOf(head.kind));
  writer.uint(head.sequence);
  writer.uint(head.hops);
  writer.uint(head.wallMs);
  writeEntry(writer, head.from);
  if (head.to === undefined) writer.nil();
  else writeEntry(writer, head.to);
  const carried: GossipEntry[] = [];
  for (const entry of wanted) {
    const before = writer.length;
    writeEntry(writer, entry);
    if (writer.length > PACKET_BYTES_MAX) {
      writer.length = before;
      break;
    }
    carried.push(entry);
  }
  return { bytes: writer.take(), carried };
}

export function decodePacket(bytes: Uint8Array): DecodedPacket {
  if (bytes.length === 0) return refused('it is empty');
  if (bytes.length > PACKET_BYTES_MAX) return refused('it is too long');
  if (bytes[0] !== VERSION) return refused(`its version is ${bytes[0] ?? 0}, not ${VERSION}`);
  const packet = readPacket(readValues(bytes) ?? []);
  return packet === undefined ? refused('it is no packet of gossip') : { kind: 'packet', packet };
}

function readPacket(values: readonly Value[]): GossipPacket | undefined {
  const [first, second, third, ...others] = values;
  const head = readHead(first);
  const from = readEntry(second);
  const to = readEntry(third);
  if (head === undefined || from === undefined || (to === undefined && third !== null))
    return undefined;
  const entries = others.map(readEntry).filter((entry) => entry !== undefined);
  return entries.length === others.length ? { ...head, from, to, entries } : undefined;
}

function refused(reason: string): DecodedPacket {
  return { kind: 'refused', reason };
}

function writeEntry(writer: MsgpackWriter, entry: GossipEntry): void {
  writer.arrayHeader(ENTRY_VALUES);
  writer.text(entry.uri);
  writer.uint(GOSSIP_STATUSES.indexOf(entry.status));
  writer.uint(entry.incarnation);
  const payload = Object.entries(entry.payload);
  writer.mapHeader(payload.length);
  for (const [key, value] of payload) {
    const place = KEYS.indexOf(key);
    if (place === -1) writer.text(key);
    else writer.uint(place);
    writeText(writer, value);
  }
}

/** A UUID takes half of its text. */
function writeText(writer: MsgpackWriter, text: string): void {
  if (UUID.test(text)) writer.uuid(text);
  else writer.text(text);
}

/** All values behind the version; undefined where they are not whole and valid. */
function readValues(bytes: Uint8Array): readonly Value[] | undefined {
  const reader = new MsgpackReader(bytes, 1);
  const values: Value[] = [];
  while (reader.position < bytes.length) {
    const isNil = bytes[reader.position] === NIL;
    if (!isNil && checkedEnd(bytes, reader.position, bytes.length) < 0) return undefined;
    values.push(reader.value());
  }
  return values;
}

function readHead(value: Value | undefined): Omit<PacketHead, 'from' | 'to'> | undefined {
  if (!Array.isArray(value) || value.length !== HEAD_VALUES) return undefined;
  const [cluster, kindPlace, ...numbers] = value as readonly unknown[];
  const kind = isCount(kindPlace) ? KINDS[kindPlace] : undefined;
  if (typeof cluster !== 'string' || kind === undefined || !numbers.every(isCount))
    return undefined;
  const [sequence = 0, hops = 0, wallMs = 0] = numbers;
  return { cluster, kind, sequence, hops, wallMs };
}

function readEntry(value: Value | undefined): GossipEntry | undefined {
  if (!Array.isArray(value) || value.length !== ENTRY_VALUES) return undefined;
  const [uri, statusPlace, incarnation, map] = value as readonly Value[];
  const status = isCount(statusPlace) ? GOSSIP_STATUSES[statusPlace] : undefined;
  const payload = readPayload(map);
  const isFit =
    typeof uri === 'string' && hostPortSchema.safeParse(uri).success && isCount(incarnation);
  if (!isFit || incarnation > INCARNATION_MAX || status === undefined || payload === undefined)
    return undefined;
  return { uri, status, incarnation, payload };
}

function readPayload(value: Value | undefined): GossipEntry['payload'] | undefined {
  if (value?.constructor !== Object) return undefined;
  const pairs = Object.entries(value as Readonly<Record<string, Value>>);
  // A number as a key is read as its digits.
  const named = pairs.map(([key, text]) => {
    const name = /^\d+$/.test(key) ? KEYS[Number(key)] : undefined;
    return [name ?? key, text] as const;
  });
  if (named.some(([, text]) => typeof text !== 'string')) return undefined;
  return Object.fromEntries(named) as Record<string, string>;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
