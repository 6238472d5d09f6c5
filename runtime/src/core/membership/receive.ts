/**
 * What comes in by gossip: who said it, whether it is for this instance, and what is answered.
 *
 * An answer goes to where the datagram came from: that may be another instance that passes it on. A packet is passed
 * on once, and only to an instance that is known: nobody can make it travel for ever.
 */
import { believed, type GossipEntry } from './entry.ts';
import type { GossipWork } from './gossip-work.ts';
import { decodePacket, encodePacket, type GossipPacket } from './packet.ts';

/** @returns why it was passed over */
export function receive(work: GossipWork, bytes: Uint8Array, from: string): string | undefined {
  const decoded = decodePacket(bytes);
  if (decoded.kind === 'refused') return decoded.reason;
  const { packet } = decoded;
  if (packet.cluster !== work.before.cluster) return 'it is of another cluster';
  if (packet.from.uri === work.before.self) return 'it is of this instance itself';
  const isForSelf = packet.to === undefined || packet.to.uri === work.before.self;
  if (!isForSelf) return passOn(work, packet);
  const better = packet.kind === 'sync' ? betterKnown(work, packet) : [];
  believeAll(work, packet);
  answer(work, packet, { from, better });
  return undefined;
}

function believeAll(work: GossipWork, packet: GossipPacket): void {
  if (!work.isAllowed(packet.from.uri)) return;
  work.believe(packet.from);
  if (packet.to !== undefined) work.believe(packet.to);
  for (const entry of packet.entries) work.believe(entry);
}

function passOn(work: GossipWork, packet: GossipPacket): string | undefined {
  const { to, from, kind } = packet;
  if (to === undefined || packet.hops > 0) return 'it was passed on to the wrong instance';
  if (kind !== 'ping' && kind !== 'ack') return 'it is for another instance';
  if (!work.isAllowed(from.uri) || work.entryOf(to.uri) === undefined)
    return 'it is to be passed on among strangers';
  believeAll(work, packet);
  const { bytes } = encodePacket({ ...packet, hops: 1 }, packet.entries);
  work.datagrams.push({ to: to.uri, bytes });
  return undefined;
}

function answer(
  work: GossipWork,
  packet: GossipPacket,
  options: { readonly from: string; readonly better: readonly GossipEntry[] },
): void {
  const { sequence } = packet;
  const sender = packet.from;
  const recipient = work.entryOf(sender.uri) ?? sender;
  const common = { to: options.from, sequence, recipient };
  switch (packet.kind) {
    case 'ping':
      return work.send({ ...common, kind: 'ack' });
    case 'sync':
      return work.send({ ...common, kind: 'synced', first: options.better });
    case 'ack':
      work.answered.push({ uri: sender.uri, sequence });
      return noteAnswer(work, packet);
    case 'synced':
    case 'word':
      return undefined;
  }
}

function noteAnswer(work: GossipWork, { from, sequence, wallMs }: GossipPacket): void {
  const { pending } = work;
  if (pending?.uri !== from.uri || pending.sequence !== sequence) return;
  work.pending = undefined;
  const heard = work.heard.get(from.uri);
  if (heard === undefined) return;
  const middleMs = (pending.sentWallMs + work.moment.wallMs) / 2;
  work.heard.set(from.uri, { ...heard, clockDeltaMs: wallMs - middleMs });
}

/** Where what is known here adds to what the other has said, or the other has said nothing. */
function betterKnown(work: GossipWork, packet: GossipPacket): readonly GossipEntry[] {
  const said = new Map(packet.entries.map((entry) => [entry.uri, entry]));
  const entries = work.others(({ uri }) => uri !== packet.from.uri);
  const differs = (entry: GossipEntry): boolean => {
    const other = said.get(entry.uri);
    return other !== undefined && believed(other, entry) !== other;
  };
  const isUnsaid = ({ uri }: GossipEntry): boolean => !said.has(uri);
  return [...entries.filter(differs), ...entries.filter(isUnsaid)];
}
