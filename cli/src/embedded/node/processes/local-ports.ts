/**
 * Gives out ports of 127.0.0.1. An owner gets the same port again whenever it is free, over restarts as well:
 * instances write their addresses into the cluster config. Some keep theirs for life, and are refused when it is
 * taken. A folder begins at a place of its own: what runs in one does not see the ports of another that is stopped.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Below the ports that systems give to outgoing connections, so that none of those takes ours away. */
const FIRST_PORT = 21_000;
const LAST_PORT = 29_999;
const PORT_COUNT = LAST_PORT - FIRST_PORT + 1;
/** A process of an earlier run that is being killed may hold its port for a moment. */
const LEFTOVER_MS = 3_000;
const POLL_MS = 50;

export class PortInUseError extends Error {
  readonly port: number;

  constructor(port: number) {
    super(`port ${port} of 127.0.0.1 is in use`);
    this.name = 'PortInUseError';
    this.port = port;
  }
}

export class LocalPorts {
  readonly #file: string;
  /** Where the search for a new port begins. */
  readonly #first: number;
  readonly #byOwner: Map<string, number>;
  /** Claims are decided one after the other, so that no two owners are promised the same port. */
  #previous: Promise<unknown> = Promise.resolve();

  private constructor(file: string, byOwner: Map<string, number>) {
    this.#file = file;
    const digest = createHash('sha256').update(path.resolve(file)).digest();
    this.#first = digest.readUInt32BE() % PORT_COUNT;
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
    return this.#inTurn(() => this.#choose(owner));
  }

  /** The one port that an owner ever has. Throws `PortInUseError` when somebody else listens there. */
  async claimForLife(owner: string): Promise<number> {
    return this.#inTurn(async () => {
      const known = this.#byOwner.get(owner);
      if (known === undefined) return this.#choose(owner);
      if (await becomesFree(known)) return known;
      throw new PortInUseError(known);
    });
  }

  /** Forgets the ports of owners whose names begin like this. */
  release(prefix: string): void {
    for (const owner of this.#byOwner.keys()) {
      if (owner.startsWith(prefix)) this.#byOwner.delete(owner);
    }
    this.#save();
  }

  #inTurn(claim: () => Promise<number>): Promise<number> {
    const claimed = this.#previous.then(claim);
    this.#previous = claimed.catch(() => undefined);
    return claimed;
  }

  async #choose(owner: string): Promise<number> {
    const known = this.#byOwner.get(owner);
    if (known !== undefined && (await isPortFree(known))) return known;
    const taken = new Set(this.#byOwner.values());
    for (let step = 0; step < PORT_COUNT; step += 1) {
      const port = FIRST_PORT + ((this.#first + step) % PORT_COUNT);
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

async function becomesFree(port: number): Promise<boolean> {
  const deadlineMs = performance.now() + LEFTOVER_MS;
  while (!(await isPortFree(port))) {
    if (performance.now() > deadlineMs) return false;
    await delay(POLL_MS);
  }
  return true;
}

function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      probe.close(() => resolve(true));
    });
  });
}
