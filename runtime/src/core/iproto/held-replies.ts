/**
 * Replies of one connection that wait for rows: most for the in-sync members, those of local spaces for the own log.
 *
 * Each kind leaves in the order in which it came. Neither waits for the other: clients know replies by their number.
 */
import type { MsgpackWriter } from '../msgpack/encode.ts';
import type { AwaitedRow } from '../replication/awaited-row.ts';
import { HeldQueue } from './held-queue.ts';

/** Where a reply begins that will not leave. */
export type FailedReply = (bytes: Uint8Array, start: number, isWrite: boolean) => void;

export class HeldReplyQueues {
  readonly #inSync = new HeldQueue();
  /** Most connections never need it. */
  #local: HeldQueue | undefined;

  get count(): number {
    return this.#inSync.count + (this.#local?.count ?? 0);
  }

  get byteLength(): number {
    return this.#inSync.byteLength + (this.#local?.byteLength ?? 0);
  }

  /** Replies are written to its end, then added. */
  get writer(): MsgpackWriter {
    return this.#inSync.writer;
  }

  /** Holds what was written since the last call. */
  add(row: AwaitedRow, isWrite: boolean): void {
    if (row > 0) {
      this.#inSync.add(row, isWrite);
      return;
    }
    this.#local ??= new HeldQueue();
    const { writer, unaddedAt } = this.#inSync;
    this.#local.writer.raw(writer.bytes, unaddedAt, writer.length);
    writer.length = unaddedAt;
    this.#local.add(-row, isWrite);
  }

  settle(acknowledged: number, logged: number, out: MsgpackWriter): void {
    this.#inSync.settle(acknowledged, out);
    this.#local?.settle(logged, out);
  }

  /** Takes out what waits for a row up to `upTo`. */
  fail(upTo: number, failed: FailedReply): void {
    for (const queue of [this.#inSync, this.#local]) {
      queue?.fail(upTo, (start, isWrite) => failed(queue.writer.bytes, start, isWrite));
    }
  }
}
