/**
 * Gives out ports of 127.0.0.1. An owner gets the same port again whenever it is free, over restarts as well:
 * instances write their addresses into the cluster config.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';

/** Below the ports that systems give to outgoing connections, so that none of those takes ours away. */
const FIRST_PORT = 21_000;
const LAST_PORT = 29_999;

export class LocalPorts {
  readonly #file: string;
  readonly #byOwner: Map<string, number>;
  /** Claims are decided one after the other, so that no two owners are promised the same port. */
  #previous: Promise<unknown> = Promise.resolve();

  private constructor(file: string, byOwner: Map<string, number>) {
    this.#file = file;
    this.#byOwner = byOwner;
  }

  static open(directory: string): LocalPorts {
    mkdirSync(directory, { recursive: true });
    const file = path.join(directory, 'ports.json');
    const known: unknown = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
    return new LocalPorts(file, new Map(Object.entries(known as Record<string, number>)));
  }

  /** The port of an owner: the one that it had, when nobody else listens there, or a new one. */
  async claim(owner: string): Promise<number> {
    const claimed = this.#previous.then(() => this.#choose(owner));
    this.#previous = claimed.catch(() => undefined);
    return claimed;
  }

  /** Forgets the ports of owners whose names begin like this. */
  release(prefix: string): void {
    for (const owner of this.#byOwner.keys()) {
      if (owner.startsWith(prefix)) this.#byOwner.delete(owner);
    }
    this.#save();
  }

  async #choose(owner: string): Promise<number> {
    const known = this.#byOwner.get(owner);
    if (known !== undefined && (await isPortFree(known))) return known;
    const taken = new Set(this.#byOwner.values());
    for (let port = FIRST_PORT; port <= LAST_PORT; port += 1) {
      if (taken.has(port) || !(await isPortFree(port))) continue;
      this.#byOwner.set(owner, port);
      this.#save();
      return port;
    }
    throw new Error(
      `no free port between ${FIRST_PORT} and ${LAST_PORT} on 127.0.0.1: stop some programs, or purge old state with "tonearm down --purge"`,
    );
  }

  #save(): void {
    const temporary = `${this.#file}.new`;
    writeFileSync(temporary, JSON.stringify(Object.fromEntries(this.#byOwner)));
    renameSync(temporary, this.#file);
  }
}

export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      probe.close(() => resolve(true));
    });
  });
}
