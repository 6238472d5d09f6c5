/** Writers that go on from round to round on what the round before has left, and what must be there of their rows. */
import { isDeepStrictEqual } from 'node:util';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import type { IprotoClient } from '../support/iproto-client.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import type { ReplicaSet } from '../support/replica-set.ts';
import { waitUntil } from '../support/wait-until.ts';
import { readRows, spaceIdOf } from './row-checker.ts';
import { RowLoad, Versions } from './row-load.ts';
import { type Tuple, WriteLedger } from './write-ledger.ts';

export interface Verdict {
  readonly violations: readonly string[];
  readonly told: string;
}

export type Rows = ReadonlyMap<string, Tuple>;

const WRITERS = 2;

/** Connections of one round. */
export class Loads {
  readonly #clients: readonly IprotoClient[];
  readonly #loads: readonly RowLoad[];

  constructor(clients: readonly IprotoClient[], loads: readonly RowLoad[]) {
    this.#clients = clients;
    this.#loads = loads;
  }

  get acknowledgements(): number {
    return this.#loads.reduce((sum, load) => sum + load.acknowledgements, 0);
  }

  get surprises(): readonly string[] {
    return this.#loads.flatMap(({ surprises }) => surprises.slice(0, 3));
  }

  get refusals(): readonly string[] {
    return this.#loads.flatMap(({ refusal }) => refusal ?? []);
  }

  /** Nothing more is sent, and all that was is answered or will never be. */
  get isQuiet(): boolean {
    return this.#clients.every((client) => !client.isOpen || client.outstanding === 0);
  }

  /** Sends nothing more, and ends when all that was sent is answered. */
  async finish(): Promise<void> {
    for (const load of this.#loads) load.stop();
    try {
      await waitUntil('everything is answered', () => this.isQuiet);
    } finally {
      for (const client of this.#clients) client.close();
    }
  }

  /** Resolves when all connections have ended. */
  async ended(): Promise<void> {
    for (const client of this.#clients) await client.ended;
  }
}

export class RowWriters {
  readonly #set: ReplicaSet;
  readonly #random: SeededRandom;
  readonly #ledgers = Array.from({ length: WRITERS }, () => new WriteLedger());
  readonly #versions = Array.from({ length: WRITERS }, () => new Versions());

  constructor(set: ReplicaSet, random: SeededRandom) {
    this.#set = set;
    this.#random = random;
  }

  async load(instance: LocalInstance): Promise<Loads> {
    const clients: IprotoClient[] = [];
    const loads: RowLoad[] = [];
    for (const [writer, ledger] of this.#ledgers.entries()) {
      const client = await this.#set.connect(instance);
      const space = await spaceIdOf(client);
      const versions = this.#versions[writer]!;
      clients.push(client);
      loads.push(new RowLoad({ client, ledger, random: this.#random, space, writer, versions }));
    }
    return new Loads(clients, loads);
  }

  /** The rows of an instance, which all its indexes have. */
  async read(instance: LocalInstance): Promise<{ rows: Rows; violations: readonly string[] }> {
    const client = await this.#set.connect(instance);
    try {
      const { rows, violations } = await readRows(client, await spaceIdOf(client));
      return { rows, violations: violations.map((one) => `${instance.name}: ${one}`) };
    } finally {
      client.close();
    }
  }

  /** All instances have the rows of the leader, and these are what was written. */
  async check(): Promise<Verdict> {
    const leader = await this.#set.settled();
    const { rows, violations } = await this.read(leader);
    const all = [...violations];
    for (const other of this.#set.instances.filter((instance) => instance !== leader)) {
      const found = await this.read(other);
      all.push(...found.violations);
      if (!isDeepStrictEqual(found.rows, rows))
        all.push(`${other.name} has other rows than its leader ${leader.name}`);
    }
    const settled = this.settle(rows);
    return { violations: [...all, ...settled.violations], told: settled.told };
  }

  /** What is there must be explained by what was sent and acknowledged; the next round builds on it. */
  settle(rows: Rows): Verdict {
    const violations: string[] = [];
    const told: string[] = [];
    for (const [writer, ledger] of this.#ledgers.entries()) {
      const own = [...rows].filter(([, tuple]) => tuple[1] === writer);
      const { steps, acknowledged, sent, wrong } = ledger.settle(new Map(own));
      told.push(`${acknowledged} <= ${steps ?? '?'} <= ${sent}`);
      if (steps !== undefined) continue;
      violations.push(
        `no prefix of ${sent} steps from ${acknowledged} acknowledged ones on explains the rows ` +
          `of writer ${writer}: ${wrong.join('; ')}`,
      );
    }
    return { violations, told: `steps ${told.join(', ')}` };
  }
}
