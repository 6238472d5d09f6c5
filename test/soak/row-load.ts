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
import type { Change, Tuple, WriteLedger } from './write-ledger.ts';

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
  readonly change: Change;
}

const KEYS = 1200;
const OUTSTANDING_MAX = 320;
const BURST = 64;
const GROUPS = 20;
const TRANSACTION_MAX = 6;
const { TUPLE_FOUND, TIMEOUT, WAL_IO } = errorNumber;
/** Of an instance that lost its leadership on the way, or whose disk has failed: what it did is open. */
const OPEN: ReadonlySet<number> = new Set<number>([TIMEOUT, WAL_IO]);
/** Of one that does not lead besides: it did nothing. */
const EXPECTED: ReadonlySet<number> = new Set<number>([
  errorNumber.READONLY,
  errorNumber.NONMASTER,
  errorNumber.LOADING,
  ...OPEN,
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
    const step = ledger.send([statement.change]);
    client.send(statement.type, statement.body, (reply) => this.#answered(reply, step));
  }

  /** BEGIN, statements and COMMIT without waiting, with other requests between them. */
  #transaction(): void {
    const { client, ledger, random } = this.#options;
    const stream = ++this.#stream;
    const refused = new Set<Change>();
    const failed = new Set<Change>();
    client.send(requestType.BEGIN, [], (reply) => void this.#judge(reply), stream);
    const count = 2 + random.integer(TRANSACTION_MAX - 1);
    this.#taken.clear();
    const statements = Array.from({ length: count }, () => this.#statement());
    for (const { type, body, change } of statements) {
      const judge = (reply: IprotoReply): void => {
        if (this.#judge(reply) === 'refused') refused.add(change);
        else if (reply.error === WAL_IO) failed.add(change);
      };
      client.send(type, body, judge, stream);
      if (random.chance(0.2)) this.#between();
    }
    if (random.chance(0.2)) {
      client.send(requestType.ROLLBACK, [], (reply) => void this.#judge(reply), stream);
      return;
    }
    const step = ledger.send(statements.map(({ change }) => change));
    const ended = (reply: IprotoReply): void => {
      // Behind a disk that failed nothing is written: a commit that was done had nothing of them.
      const isWithout = reply.error === 0 ? [...refused, ...failed] : refused;
      for (const change of isWithout) ledger.refuse(step, change);
      this.#answered(reply, step);
    };
    client.send(requestType.COMMIT, [], ended, stream);
  }

  /** A step of its own, on a row that the transaction does not touch. */
  #between(): void {
    const { client, ledger } = this.#options;
    const statement = this.#statement();
    const step = ledger.send([statement.change]);
    client.send(statement.type, statement.body, (reply) => this.#answered(reply, step));
  }

  #statement(): Statement {
    const { ledger, random, space } = this.#options;
    const id = this.#freeId();
    const before = ledger.latest(id);
    const version = this.#options.versions.next();
    const tuple = this.#tuple(id, version, (before?.[6] ?? 0) + 1);
    const spaceId: Fields[number] = [key.SPACE_ID, space];
    const whole: Fields = [spaceId, [key.TUPLE, tuple]];
    const put: Change = { id, apply: () => tuple };
    const dice = random.fraction();
    if (before === undefined)
      return {
        type: random.pick([requestType.INSERT, requestType.REPLACE]),
        body: whole,
        change: put,
      };
    if (dice < 0.2) {
      const body: Fields = [spaceId, [key.INDEX_ID, 0], [key.KEY, [id]]];
      return { type: requestType.DELETE, body, change: { id, apply: () => undefined } };
    }
    if (dice < 0.5) return { type: requestType.REPLACE, body: whole, change: put };
    if (dice < 0.6) {
      const body: Fields = [...whole, [key.OPS, operationsFor(tuple)]];
      const apply: Change['apply'] = (old) => (old === undefined ? tuple : updated(old, tuple));
      return { type: requestType.UPSERT, body, change: { id, apply } };
    }
    return this.#update(spaceId, before, tuple);
  }

  /** By the primary key, or by the second unique index. */
  #update(
    spaceId: Fields[number],
    { 0: id, 1: writer, 2: version }: Tuple,
    tuple: Tuple,
  ): Statement {
    const isById = this.#options.random.chance(0.5);
    const indexKey = isById ? [id] : [writer, version];
    const body: Fields = [
      ...[spaceId, [key.INDEX_ID, isById ? 0 : 1] as const, [key.KEY, indexKey] as const],
      [key.TUPLE, operationsFor(tuple)],
    ];
    const apply: Change['apply'] = (old) =>
      old !== undefined && (isById || old[2] === version) ? updated(old, tuple) : old;
    return { type: requestType.UPDATE, body, change: { id, apply } };
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
    const outcome = this.#judge(reply);
    if (outcome === 'refused') ledger.refuse(step);
    if (outcome === 'done') {
      ledger.acknowledge(step);
      this.#acknowledgements += 1;
    }
    if (client.outstanding < OUTSTANDING_MAX - BURST) this.#fill();
  }

  #judge({ error, message }: IprotoReply): 'done' | 'open' | 'refused' {
    if (error === 0) return 'done';
    // What follows a refused request may meet a row that it was to change.
    const isExpected = EXPECTED.has(error) || (error === TUPLE_FOUND && this.refusal !== undefined);
    if (!isExpected) this.surprises.push(`error ${error}: ${message}`);
    this.refusal ??= `error ${error}: ${message}`;
    this.stop();
    return OPEN.has(error) ? 'open' : 'refused';
  }
}

function operationsFor(tuple: Tuple): readonly Value[] {
  return [...([2, 3, 4, 5] as const).map((field) => ['=', field, tuple[field]]), ['+', 6, 1]];
}

/** What those operations make of a row. */
function updated(old: Tuple, tuple: Tuple): Tuple {
  const [id, writer, , , , , total, payload] = old;
  const [, , version, label, group, note] = tuple;
  return [id, writer, version, label, group, note, total + 1, payload];
}
