/**
 * A process that pings a binary port every millisecond, whether the last ping was answered or not, so that a pause
 * counts for every ping that came in it. Told `reset` it begins anew; told `report` it says what it has seen.
 */
import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';

const EVERY_MS = 1;
const GREETING_BYTES = 128;
const PING = Uint8Array.of(0xce, 0, 0, 0, 5, 0x82, 0x00, 0x40, 0x01, 0x00);

class Pinger {
  readonly #socket: Socket;
  #sentAtMs: number[] = [];
  #latenciesMs: number[] = [];
  #toSkip = GREETING_BYTES;
  #header: number[] = [];

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (bytes) => this.#take(bytes));
    this.#socket.on('error', () => process.exit(1));
    setInterval(() => this.#ping(), EVERY_MS);
  }

  reset(): void {
    this.#latenciesMs = [];
  }

  report(): { readonly maxMs: number; readonly p999Ms: number; readonly pings: number } {
    const sorted = this.#latenciesMs.toSorted((a, b) => a - b);
    const at = Math.min(sorted.length - 1, Math.floor(sorted.length * 0.999));
    return { maxMs: sorted.at(-1) ?? 0, p999Ms: sorted[at] ?? 0, pings: sorted.length };
  }

  #ping(): void {
    this.#sentAtMs.push(performance.now());
    this.#socket.write(PING);
  }

  #take(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#toSkip > 0) {
        const skipped = Math.min(this.#toSkip, bytes.length - at);
        this.#toSkip -= skipped;
        at += skipped;
        continue;
      }
      this.#header.push(bytes[at++] as number);
      if (this.#header.length < 5) continue;
      const [, a = 0, b = 0, c = 0, d = 0] = this.#header;
      this.#toSkip = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d;
      this.#header = [];
      const sentAtMs = this.#sentAtMs.shift();
      if (sentAtMs !== undefined) this.#latenciesMs.push(performance.now() - sentAtMs);
    }
  }
}

const pinger = new Pinger(Number(process.argv[2]));
process.on('message', (message) => {
  if (message === 'reset') pinger.reset();
  process.send?.(message === 'report' ? pinger.report() : {});
});
process.on('disconnect', () => process.exit());
