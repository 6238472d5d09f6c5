/**
 * Writes rows through one connection, with many requests under way: inserts, replaces, updates, deletes, upserts, and
 * transactions of several statements among them.
 *
 * The writer has ids of its own, so it knows what each request does: any refusal is either one of an instance that
 * does not lead any more, and ends the load, or a bug.
 */
import { errorNumber } from '../../runtime/src/core/iproto/error-numbers.ts';
import { key, requestType } from '../../runtime/src/core/iproto/protocol.ts';
import type { Value } from '../../runtime/src/core/schema/values.ts';
import type { Fields } from '../../runtime/src/testing/iproto-frames.ts';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import type { IprotoClient, IprotoReply } from '../support/iproto-client.ts';
import type { Image, Tuple, WriteLedger } from './write-ledger.ts';

export interface RowLoadOptions {
  readonly client: IprotoClient;
  readonly ledger: WriteLedger;
  readonly random: SeededRandom;
  readonly space: number;
  /** Number of the writer: it alone writes rows of this number. */
  readonly writer: number;
  readonly versions: Versions;
}

/** A number for each value that is ever written, over all loads of a writer. */
export class Versions {
  #last = 0;

  next(): number {
    return ++this.#last;
  }
}

interface Statement {
  readonly type: number;
  readonly body: Fields;
  readonly image: Image;
}

const KEYS = 1200;
const OUTSTANDING_MAX = 320;
const BURST = 64;
const GROUPS = 20;
const TRANSACTION_MAX = 6;
/** Of an instance that does not lead, or whose disk has failed: what it did is open. */
const EXPECTED: ReadonlySet<number> = new Set([
  errorNumber.READONLY,
  errorNumber.NONMASTER,
  errorNumber.LOADING,
  errorNumber.TIMEOUT,
  errorNumber.WAL_IO,
  errorNumber.NO_SUCH_SPACE,
]);

export function idOf(writer: number, number: number): string {
  return `${writer}-${String(number).padStart(5, '0')}`;
}

export class RowLoad {
  readonly #options: RowLoadOptions;
  readonly surprises: string[] = [];
  /** What an instance said that ended the load. */
  refusal: string | undefined;
  /** Ids that the statement or transaction under way has already. */
  readonly #taken = new Set<string>();
  #stream = 0;
  #acknowledgements = 0;
  #isStopping = false;
  /** The first that an instance refused. */
  #refusedStep = Number.POSITIVE_INFINITY;

  constructor(options: RowLoadOptions) {
    this.#options = options;
    this.#fill();
  }

  get acknowledgements(): number {
    return this.#acknowledgements;
  }

  get isRunning(): boolean {
    return !this.#isStopping && this.#options.client.isOpen;
  }

  /** Sends no more. */
  stop(): void {
    this.#isStopping = true;
  }

  #fill(): void {
    const { client, random } = this.#options;
    if (!this.isRunning) return;
    for (let sent = 0; sent < BURST && client.outstanding < OUTSTANDING_MAX; sent++) {
      if (random.chance(0.1)) this.#transaction();
      else this.#single();
    }
  }

  #single(): void {
    const { client, ledger } = this.#options;
    this.#taken.clear();
    const statement = this.#statement();
    const step = ledger.send([statement.image]);
    client.send(statement.type, statement.body, (reply) => this.#answered(reply, step));
  }

  /** BEGIN, statements and COMMIT without waiting, with other requests between them. */
  #transaction(): void {
    const { client, ledger, random } = this.#options;
    const stream = ++this.#stream;
    const from = ledger.sent + 1;
    const refused = (reply: IprotoReply): void => void this.#judge(reply, from);
    client.send(requestType.BEGIN, [], refused, stream);
    const count = 2 + random.integer(TRANSACTION_MAX - 1);
    this.#taken.clear();
    const statements = Array.from({ length: count }, () => this.#statement());
    for (const { type, body } of statements) {
      client.send(type, body, refused, stream);
      if (random.chance(0.2)) this.#between();
    }
    if (random.chance(0.2)) {
      client.send(requestType.ROLLBACK, [], refused, stream);
      return;
    }
    const step = ledger.send(statements.map(({ image }) => image));
    client.send(requestType.COMMIT, [], (reply) => this.#answered(reply, step), stream);
  }

  /** A step of its own, on a row that the transaction does not touch. */
  #between(): void {
    const { client, ledger } = this.#options;
    const statement = this.#statement();
    const step = ledger.send([statement.image]);
    client.send(statement.type, statement.body, (reply) => this.#answered(reply, step));
  }

  #statement(): Statement {
    const { ledger, random, space, writer } = this.#options;
    const id = this.#freeId();
    const before = ledger.latest(id);
    const version = this.#options.versions.next();
    const tuple = this.#tuple(id, version, (before?.[6] ?? 0) + 1);
    const spaceId: Fields[number] = [key.SPACE_ID, space];
    if (before === undefined) {
      const type = random.pick([requestType.INSERT, requestType.REPLACE]);
      return { type, body: [spaceId, [key.TUPLE, tuple]], image: { id, tuple } };
    }
    const byId: Fields = [spaceId, [key.INDEX_ID, 0], [key.KEY, [id]]];
    const dice = random.fraction();
    if (dice < 0.2)
      return { type: requestType.DELETE, body: byId, image: { id, tuple: undefined } };
    if (dice < 0.5) {
      return {
        type: requestType.REPLACE,
        body: [spaceId, [key.TUPLE, tuple]],
        image: { id, tuple },
      };
    }
    if (dice < 0.6) {
      const operations = this.#operations(tuple);
      const body: Fields = [spaceId, [key.TUPLE, tuple], [key.OPS, operations]];
      return { type: requestType.UPSERT, body, image: { id, tuple: merged(before, tuple) } };
    }
    // By the second unique index as well.
    const body: Fields = random.chance(0.5)
      ? byId
      : [spaceId, [key.INDEX_ID, 1], [key.KEY, [writer, before[2]]]];
    return {
      type: requestType.UPDATE,
      body: [...body, [key.TUPLE, this.#operations(tuple)]],
      image: { id, tuple: merged(before, tuple) },
    };
  }

  #operations(tuple: Tuple): readonly Value[] {
    const assigned = ([2, 3, 4, 5] as const).map((field) => ['=', field, tuple[field]]);
    return [...assigned, ['+', 6, 1]];
  }

  #tuple(id: string, version: number, total: number): Tuple {
    const { random, writer } = this.#options;
    const size = random.chance(0.02) ? random.integer(20_000) : random.integer(300);
    const note = random.chance(0.5) ? null : `note ${random.integer(50)}`;
    const group = random.integer(GROUPS);
    const label = `${writer}/${version}`;
    return [id, writer, version, label, group, note, total, 'p'.repeat(size)];
  }

  #freeId(): string {
    const { random, writer } = this.#options;
    for (;;) {
      const id = idOf(writer, random.integer(KEYS));
      if (this.#taken.has(id)) continue;
      this.#taken.add(id);
      return id;
    }
  }

  #answered(reply: IprotoReply, step: number): void {
    const { client, ledger } = this.#options;
    if (this.#judge(reply, step)) {
      // Refusals do not wait for rows as answers do: what was sent before one may be acknowledged after it.
      if (step > this.#refusedStep)
        this.surprises.push(`step ${step} was done behind a refused one: ${this.refusal ?? ''}`);
      ledger.acknowledge(step);
      this.#acknowledgements += 1;
    }
    if (client.outstanding < OUTSTANDING_MAX - BURST) this.#fill();
  }

  #judge({ error, message }: IprotoReply, step: number): boolean {
    if (error === 0) return true;
    if (!EXPECTED.has(error)) this.surprises.push(`error ${error}: ${message}`);
    this.refusal ??= `error ${error}: ${message}`;
    if (error !== errorNumber.TIMEOUT) this.#refusedStep = Math.min(this.#refusedStep, step);
    this.stop();
    return false;
  }
}

/** An update leaves the payload as it was. */
function merged(before: Tuple, tuple: Tuple): Tuple {
  return tuple.with(7, before[7]) as unknown as Tuple;
}
