/** Faults of the gossip that are planted at its port of datagrams, for the simulation to find. */
import type { GossipEntry } from '../../runtime/src/core/membership/entry.ts';
import {
  decodePacket,
  encodePacket,
  type GossipPacket,
} from '../../runtime/src/core/membership/packet.ts';
import type { Datagrams } from '../../runtime/src/ports/datagrams.ts';

export type MembershipBug =
  /** It does not hear what is said of itself, and takes nothing back. */
  | 'no-refutation'
  /** What is said of an earlier start is taken for news. */
  | 'old-incarnation'
  /** Nobody else is asked to ask. */
  | 'no-helpers'
  /** A name is resolved once. */
  | 'keeps-addresses';

export interface BuggyOptions {
  readonly datagrams: Datagrams;
  readonly uri: string;
  readonly bug: MembershipBug | undefined;
  /** What the instance believes now. */
  readonly known: (uri: string) => GossipEntry | undefined;
}

export function withBug({ datagrams, uri, bug, known }: BuggyOptions): Datagrams {
  const changed = (bytes: Uint8Array): Uint8Array => {
    const packet = read(bytes);
    if (packet === undefined) return bytes;
    if (bug === 'no-refutation') return write(deaf(packet, uri));
    return bug === 'old-incarnation' ? write(credulous(packet, known)) : bytes;
  };
  return {
    send: async (to, bytes) => {
      const packet = read(bytes);
      const isForHelper =
        packet?.kind === 'ping' && packet.hops === 0 && (packet.to?.uri ?? to) !== to;
      if (bug !== 'no-helpers' || !isForHelper) await datagrams.send(to, bytes);
    },
    onDatagram: (listener) => {
      datagrams.onDatagram((bytes, from) => listener(changed(bytes), from));
    },
    forget: (to) => {
      if (bug !== 'keeps-addresses') datagrams.forget(to);
    },
    close: () => datagrams.close(),
  };
}

function read(bytes: Uint8Array): GossipPacket | undefined {
  const decoded = decodePacket(bytes);
  return decoded.kind === 'packet' ? decoded.packet : undefined;
}

function write(packet: GossipPacket): Uint8Array {
  return encodePacket(packet, packet.entries).bytes;
}

function deaf(packet: GossipPacket, uri: string): GossipPacket {
  const { to, entries } = packet;
  return {
    ...packet,
    to: to?.uri === uri ? { ...to, incarnation: 0 } : to,
    entries: entries.filter((entry) => entry.uri !== uri),
  };
}

function credulous(
  packet: GossipPacket,
  known: (uri: string) => GossipEntry | undefined,
): GossipPacket {
  const renewed = (entry: GossipEntry): GossipEntry => {
    // Of one that was not heard of, nothing is said.
    const latest = entry.incarnation === 0 ? 0 : (known(entry.uri)?.incarnation ?? 0);
    const incarnation = Math.max(entry.incarnation, latest);
    return { ...entry, incarnation };
  };
  return { ...packet, from: renewed(packet.from), entries: packet.entries.map(renewed) };
}
