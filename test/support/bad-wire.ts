/**
 * A wire between two instances that is slow, cuts what it carries into single bytes, stands still, and breaks in the
 * middle of a message: a TCP proxy whose faults come from a seed.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';

export interface WireFaults {
  /** Each piece comes up to so much later. */
  readonly delayMs: number;
  /** Of a piece so many bytes come one by one. */
  readonly singleBytes: number;
  /** Both connections end within a piece. */
  readonly breaks: number;
  /** Nothing comes any more, and nobody is told. */
  readonly stalls: number;
}

export const GOOD_WIRE: WireFaults = { delayMs: 0, singleBytes: 0, breaks: 0, stalls: 0 };

export class BadWire implements AsyncDisposable {
  faults: WireFaults = GOOD_WIRE;
  readonly counts = { pieces: 0, breaks: 0, stalls: 0 };
  readonly #server: Server;
  readonly #random: SeededRandom;
  readonly #sockets = new Set<Socket>();

  private constructor(random: SeededRandom, target: number) {
    this.#random = random;
    this.#server = createServer((near) => this.#join(near, connect(target, '127.0.0.1')));
  }

  static async to(target: number, random: SeededRandom): Promise<BadWire> {
    const wire = new BadWire(random, target);
    await new Promise<void>((resolve) => wire.#server.listen(0, '127.0.0.1', resolve));
    return wire;
  }

  get address(): string {
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('the wire is not laid');
    return `127.0.0.1:${address.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near: Socket, far: Socket): void {
    const end = (): void => {
      for (const socket of [near, far]) {
        socket.destroy();
        this.#sockets.delete(socket);
      }
    };
    for (const [from, to] of [[near, far] as const, [far, near] as const]) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.on('error', end);
      from.on('close', end);
      let last = Promise.resolve();
      from.on('data', (piece: Buffer) => {
        last = last.then(() => this.#carry(piece, to, end)).catch(end);
      });
    }
  }

  async #carry(piece: Buffer, to: Socket, end: () => void): Promise<void> {
    const { delayMs, singleBytes, breaks, stalls } = this.faults;
    const random = this.#random;
    this.counts.pieces += 1;
    if (delayMs > 0) await sleep(random.fraction() * delayMs);
    if (random.chance(stalls)) {
      this.counts.stalls += 1;
      await new Promise((resolve) => to.once('close', resolve));
      return;
    }
    const isBroken = random.chance(breaks);
    const whole = isBroken ? piece.subarray(0, random.integer(piece.length)) : piece;
    const single = Math.min(singleBytes, whole.length);
    for (let at = 0; at < single; at++) await write(to, whole.subarray(at, at + 1));
    if (single < whole.length) await write(to, whole.subarray(single));
    if (!isBroken) return;
    this.counts.breaks += 1;
    end();
  }
}

/** Resolves when it was given to the system: a piece of its own, not part of the next one. */
function write(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
