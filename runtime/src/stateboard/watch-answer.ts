/**
 * The answer to one watch, which never ends. What a slow client has not taken is not kept for it: nothing more is
 * written until the connection has drained, and then the changes come from the store's history. One that takes nothing
 * for long, or is left behind by the history, is disconnected and lists again.
 */
import type { ServerResponse } from 'node:http';
import { WATCH_HEARTBEAT_MS } from './messages.ts';
import type { StateboardStore } from './store.ts';

/** A client that has heard nothing for so long has given the watch up itself. */
const SLOWEST_WATCH_MS = 5 * WATCH_HEARTBEAT_MS;

export class WatchAnswer {
  readonly #store: StateboardStore;
  readonly #response: ServerResponse;
  readonly #prefix: string;
  #next: number;
  #blockedSinceMs: number | undefined;

  constructor(
    store: StateboardStore,
    response: ServerResponse,
    from: { readonly prefix: string; readonly next: number },
  ) {
    this.#store = store;
    this.#response = response;
    this.#prefix = from.prefix;
    this.#next = from.next;
  }

  begin(): void {
    const unsubscribe = this.#store.subscribe(() => this.#send());
    const timer = setInterval(() => this.#beat(), WATCH_HEARTBEAT_MS);
    this.#response.on('drain', () => {
      this.#blockedSinceMs = undefined;
      this.#send();
    });
    this.#response.on('error', () => this.#response.destroy());
    this.#response.on('close', () => {
      unsubscribe();
      clearInterval(timer);
    });
    this.#write('{"changes":[]}\n');
    this.#send();
  }

  #send(): void {
    if (this.#blockedSinceMs !== undefined) return;
    if (this.#next <= this.#store.compacted) {
      this.#response.destroy();
      return;
    }
    const changes = this.#store.changesFrom(this.#next, this.#prefix);
    this.#next = this.#store.revision + 1;
    if (changes.length > 0) this.#write(`${JSON.stringify({ changes })}\n`);
  }

  #beat(): void {
    if (this.#blockedSinceMs === undefined) this.#write('{"changes":[]}\n');
    else if (performance.now() - this.#blockedSinceMs > SLOWEST_WATCH_MS) this.#response.destroy();
  }

  #write(line: string): void {
    if (!this.#response.write(line)) this.#blockedSinceMs ??= performance.now();
  }
}
