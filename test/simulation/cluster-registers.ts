/**
 * Clients that read, write and swap registers and append to lists, and a check that what they were told is
 * linearizable: as if each request had happened at one moment between its sending and its answer.
 *
 * A client stays with the instance that answered it, as one that keeps its connection does, until that refuses.
 */
import type { Reader, Transaction } from '../../runtime/src/core/storage/engine.ts';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { checkLinearizable } from '../linearizability/check-linearizable.ts';
import { History, type Outcome } from '../linearizability/history.ts';
import {
  type ListAnswer,
  type ListCall,
  listModel,
  type RegisterAnswer,
  type RegisterCall,
  registerModel,
} from '../linearizability/models.ts';
import type { Machine } from './cluster-machine.ts';
import {
  type ClusterChecker,
  outcomeOf,
  pickTarget,
  type SimulatedSet,
  type Workload,
  WRITE_TIMEOUT_MS,
} from './cluster-set.ts';
import { verdict } from './cluster-verdict.ts';

const REGISTERS = 3;
const LISTS = 2;

interface Histories {
  readonly registers: History<RegisterCall, RegisterAnswer>;
  readonly lists: History<ListCall, ListAnswer>;
}

export function registerWorkload(set: SimulatedSet): Workload {
  const clients = new RegisterClients(set);
  return { checker: clients, client: (name, random) => clients.run(name, random) };
}

class RegisterClients implements ClusterChecker {
  readonly #set: SimulatedSet;
  #histories: Histories;
  /** Part of every key: begins anew when acknowledged rows may be lost. */
  #age = 0;
  #values = 0;
  #answers = 0;

  constructor(set: SimulatedSet) {
    this.#set = set;
    this.#histories = this.#begin();
  }

  async run(name: string, random: SeededRandom): Promise<never> {
    const { clock } = this.#set;
    let machine: Machine | undefined;
    for (;;) {
      await clock.sleep(random.fraction() * 150);
      machine ??= pickTarget(this.#set, random);
      const isAnswered = random.chance(0.6)
        ? await this.#register(name, machine, random)
        : await this.#list(name, machine, random);
      // Not always at once: one that refuses writes may still answer reads, and must not.
      if (!isAnswered && random.chance(0.5)) machine = undefined;
    }
  }

  allSeatsLost(): void {
    this.end();
    this.#age += 1;
    this.#histories = this.#begin();
  }

  progress(): number {
    return this.#answers;
  }

  end(): void {
    const { violate, count } = this.#set;
    const { registers, lists } = this.#histories;
    for (const report of [
      checkLinearizable(registerModel, registers.operations),
      checkLinearizable(listModel, lists.operations),
    ]) {
      count('histories', report.keys);
      count('undecided histories', report.undecided.length);
      for (const violation of report.violations) violate(violation);
    }
  }

  #begin(): Histories {
    const nowMs = (): number => this.#set.clock.monotonicMs();
    return { registers: new History(nowMs), lists: new History(nowMs) };
  }

  /** Was it answered? */
  async #register(name: string, machine: Machine, random: SeededRandom): Promise<boolean> {
    const key = `r${random.integer(REGISTERS)}/${this.#age}`;
    const dice = random.fraction();
    const to = ++this.#values;
    // The one that was written last, or one of a little before, so that some of both kinds happen.
    const from = to - 1 - random.integer(4);
    const call: RegisterCall =
      dice < 0.4
        ? { kind: 'read' }
        : dice < 0.8
          ? { kind: 'write', value: to }
          : { kind: 'swap', from: from > 0 ? from : null, to };
    const ended = this.#histories.registers.invoke(name, key, call);
    const isSync = this.#set.script.spaces === 'sync';
    return this.#ask(machine, call.kind === 'read', ended, (rows) => {
      if (call.kind === 'read') return valueOf(rows, key);
      const transaction = rows as Transaction;
      makeSpaces(transaction, isSync);
      if (call.kind === 'swap' && valueOf(rows, key) !== call.from) return false;
      transaction.replace('registers', [key, call.kind === 'write' ? call.value : call.to]);
      return call.kind === 'write' ? null : true;
    });
  }

  async #list(name: string, machine: Machine, random: SeededRandom): Promise<boolean> {
    const key = `l${random.integer(LISTS)}/${this.#age}`;
    const call: ListCall = random.chance(0.4)
      ? { kind: 'list' }
      : { kind: 'append', value: ++this.#values };
    const ended = this.#histories.lists.invoke(name, key, call);
    const isSync = this.#set.script.spaces === 'sync';
    return this.#ask(machine, call.kind === 'list', ended, (rows) => {
      if (call.kind === 'list') return valuesOf(rows, key);
      const transaction = rows as Transaction;
      makeSpaces(transaction, isSync);
      transaction.replace('lists', [key, [...valuesOf(rows, key), call.value]]);
      return null;
    });
  }

  async #ask<Answer>(
    machine: Machine,
    isRead: boolean,
    ended: (outcome: Outcome<Answer>) => void,
    work: (rows: Reader | Transaction) => Answer,
  ): Promise<boolean> {
    const { process } = machine;
    if (process === undefined) {
      ended({ kind: 'refused' });
      return false;
    }
    const { served } = process;
    let answer: Answer | undefined;
    const asked = process.gate.pass().then(async () => {
      const options = { timeoutMs: WRITE_TIMEOUT_MS };
      answer = isRead
        ? await served.read(work, { ...options, consistency: 'acknowledged' })
        : await served.write(work, options);
    });
    const outcome = await outcomeOf(
      this.#set.clock,
      asked.then(() => 'done', verdict),
    );
    if (outcome === 'done') {
      this.#answers += 1;
      ended({ kind: 'answered', answer: answer as Answer });
    } else if (outcome === 'refused') ended({ kind: 'refused' });
    else if (outcome === 'unknown') ended({ kind: 'unknown' });
    else this.#set.violate(`a register: ${outcome}`);
    return outcome === 'done';
  }
}

function makeSpaces(transaction: Transaction, isSync: boolean): void {
  const key = { name: 'key', type: 'string' } as const;
  const formats = [
    ['registers', [key, { name: 'value', type: 'unsigned' }]],
    ['lists', [key, { name: 'values', type: 'array' }]],
  ] as const;
  for (const [name, format] of formats) {
    transaction.createSpace(name, { format, isSync, ifNotExists: true });
    transaction.createIndex(name, { name: 'primary', parts: ['key'], ifNotExists: true });
  }
}

function valueOf(rows: Reader, key: string): number | null {
  const row = rows.space('registers') && rows.get('registers', [key]);
  return row === undefined ? null : Number(row[1]);
}

function valuesOf(rows: Reader, key: string): readonly number[] {
  const row = rows.space('lists') && rows.get('lists', [key]);
  return row === undefined ? [] : (row[1] as readonly unknown[]).map(Number);
}
