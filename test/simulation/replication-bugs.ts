/**
 * Bugs planted on purpose in how an instance keeps, copies and receives rows, each at a port, so that the real
 * services run unchanged. A checker that does not find them proves nothing.
 */
import {
  pullAnswerSchema,
  pullRequestSchema,
} from '../../runtime/src/core/replication/messages.ts';
import { PAYLOAD_HEADROOM } from '../../runtime/src/core/storage/row-writer.ts';
import {
  type EncodedPart,
  encodeBlock,
  encodeSnapshotEnd,
  encodeSnapshotHeader,
  readPart,
  readSnapshotHeader,
  type SnapshotPart,
} from '../../runtime/src/core/storage/snapshot-format.ts';
import type { Clock } from '../../runtime/src/foundation/clock.ts';
import type { AppendFile, Disk } from '../../runtime/src/ports/disk.ts';
import type { Peers } from '../../runtime/src/ports/peers.ts';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';

export type ReplicationBug =
  | 'acknowledged-before-the-log'
  | 'segment-reused'
  | 'snapshot-before-its-end'
  | 'join-misses-rows'
  | 'term-continued'
  | 'lower-term-rows'
  | 'position-before-the-promise'
  // Each takes itself for a majority.
  | 'acknowledged-by-a-minority'
  | 'cut-rows-not-kept';

/** Rows come to the log a little later than it says. */
export function lateLog(disk: Disk, clock: Clock): Disk {
  return changedLog(disk, (file) => {
    let after: Promise<void> = Promise.resolve();
    return {
      write: (bytes) => {
        const copy = bytes.slice();
        after = after.then(() => clock.sleep(300)).then(() => file.write(copy));
        // What the process has not written when it dies never is.
        after.catch(() => undefined);
      },
      sync: () => Promise.resolve(),
      close: () => Promise.resolve(),
    };
  });
}

/** The first segment after a start overwrites the last one of before. */
export function reusedSegment(disk: Disk): Disk {
  let isFirst = true;
  return {
    ...disk,
    openAppend: async (path) => {
      const last = isFirst && isLog(path) ? (await disk.list('log')).at(-1) : undefined;
      if (isLog(path)) isFirst = false;
      if (last === undefined) return disk.openAppend(path);
      await disk.truncate(`log/${last}`, 0);
      return disk.openAppend(`log/${last}`);
    },
  };
}

/** The log says to be durable when it is not. */
export function neverSynced(disk: Disk): Disk {
  return changedLog(disk, (file) => ({ ...file, sync: () => Promise.resolve() }));
}

/** What is cut from a log is gone. */
export function cutRowsNotKept(disk: Disk): Disk {
  return {
    ...disk,
    writeAtomic: async (file, bytes) => {
      if (!file.startsWith('lost/')) await disk.writeAtomic(file, bytes);
    },
  };
}

/** A promise comes to the disk a little later than it says. */
export function latePromise(disk: Disk, clock: Clock): Disk {
  let after: Promise<void> = Promise.resolve();
  return {
    ...disk,
    writeAtomic: async (file, bytes) => {
      if (file !== 'promised.json') return disk.writeAtomic(file, bytes);
      const copy = bytes.slice();
      after = after.then(() => clock.sleep(50)).then(() => disk.writeAtomic(file, copy));
      // What the process has not written when it dies never is.
      after.catch(() => undefined);
    },
  };
}

/** Asks the leader before as well, and takes its rows for those of the present one. */
export function lowerTermRows(peers: Peers, random: SeededRandom): Peers {
  let present = { address: '', term: 0 };
  let before = present;
  return {
    call: async (address, method, body, options) => {
      if (method !== 'replication.pull') return peers.call(address, method, body, options);
      const request = pullRequestSchema.parse(body);
      if (request.term !== present.term) {
        before = present;
        present = { address, term: request.term };
      }
      if (before.term === 0 || random.chance(0.5)) {
        return peers.call(address, method, body, options);
      }
      // A pull that waits makes a laggard, which nobody counts on.
      const earlier = { ...request, term: before.term, waitMs: 0 };
      const answer = pullAnswerSchema.parse(
        await peers.call(before.address, method, earlier, options),
      );
      return { ...answer, term: request.term };
    },
  };
}

/** Whoever joins goes on where the reading of the snapshot ended, not where it began. */
export function joinAtTheEnd(peers: Peers): Peers {
  const files = new Map<string, Uint8Array>();
  return {
    call: async (address, method, body, options) => {
      if (method !== 'replication.snapshot') return peers.call(address, method, body, options);
      const request = body as { readonly name: string | null; readonly offset: number };
      const ask = (name: string | null, offset: number): Promise<Piece> =>
        peers.call(address, method, { ...request, name, offset }, options) as Promise<Piece>;
      if (request.name === null) {
        const first = await ask(null, 0);
        if (first.kind === 'later') return first;
        const pieces = [first.bytes];
        for (let length = first.bytes.length; length < first.total; ) {
          const piece = await ask(first.name, length);
          if (piece.kind === 'later') return piece;
          pieces.push(piece.bytes);
          length += piece.bytes.length;
        }
        files.set(first.name, beganAtItsEnd(Buffer.concat(pieces)));
        return part(first.name, files.get(first.name), 0);
      }
      return part(request.name, files.get(request.name), request.offset);
    },
  };
}

type Piece =
  | {
      readonly kind: 'part';
      readonly name: string;
      readonly total: number;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'later' };

function part(name: string, bytes: Uint8Array | undefined, offset: number): Piece {
  if (bytes === undefined) return { kind: 'later' };
  const total = bytes.length;
  return { kind: 'part', name, total, bytes: bytes.slice(offset, offset + 500) };
}

function beganAtItsEnd(bytes: Uint8Array): Uint8Array {
  const parts = partsOf(bytes);
  const header = parts[0];
  const end = parts.at(-1);
  if (header?.kind !== 'header' || end?.kind !== 'end') return bytes;
  const { position } = end;
  const last = header.runs.at(-1);
  // Only within one term is it known which rows the terms of the log have.
  if (last === undefined || last.term !== position.term) return bytes;
  const runs = [...header.runs.slice(0, -1), { ...last, last: position.sequence }];
  const encoded = [encodeSnapshotHeader({ start: position, runs })];
  for (const one of parts.slice(1)) encoded.push(encodedAgain(one, encoded.at(-1)?.checksum ?? 0));
  return Uint8Array.from(Buffer.concat(encoded.map((one) => one.bytes)));
}

function partsOf(bytes: Uint8Array): readonly SnapshotPart[] {
  const parts: SnapshotPart[] = [];
  let found = readSnapshotHeader(bytes);
  while (found !== undefined) {
    parts.push(found.part);
    found = found.end < bytes.length ? readPart(bytes, found.end, found.checksum) : undefined;
  }
  return parts;
}

function encodedAgain(one: SnapshotPart, previous: number): EncodedPart {
  if (one.kind === 'block') return encodeBlock(movable(one.payload), one.rowCount, previous);
  if (one.kind === 'end') return encodeSnapshotEnd(one.position, one.rowCount, previous);
  throw new Error('only the first part is a header');
}

function movable(payload: Uint8Array): Uint8Array {
  const whole = new Uint8Array(PAYLOAD_HEADROOM + payload.length);
  whole.set(payload, PAYLOAD_HEADROOM);
  return whole.subarray(PAYLOAD_HEADROOM);
}

function changedLog(disk: Disk, change: (file: AppendFile) => AppendFile): Disk {
  return {
    ...disk,
    openAppend: async (path) => {
      const file = await disk.openAppend(path);
      return isLog(path) ? change(file) : file;
    },
  };
}

function isLog(path: string): boolean {
  return path.startsWith('log/');
}
