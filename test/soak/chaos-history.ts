/** What clients of a chaos round did with registers and lists, and whether any order of it explains what they were told. */
import {
  checkLinearizable,
  type LinearizabilityReport,
} from '../linearizability/check-linearizable.ts';
import { History, type Outcome } from '../linearizability/history.ts';
import {
  type ListAnswer,
  type ListCall,
  listModel,
  type RegisterAnswer,
  type RegisterCall,
  registerModel,
} from '../linearizability/models.ts';
import type { Operation } from '../linearizability/operation.ts';
import type { Asked, Row, Told } from './chaos-paths.ts';

export interface ChaosVerdict {
  readonly violations: readonly string[];
  readonly undecided: number;
  readonly keys: number;
  readonly operations: number;
  /** Whose outcome nobody was told. */
  readonly open: number;
}

/** What a round of chaos leaves, beside what is counted. */
export interface ChaosRecord {
  readonly registers: readonly Operation<RegisterCall, RegisterAnswer>[];
  readonly lists: readonly Operation<ListCall, ListAnswer>[];
  /** How many were answered in each second. */
  readonly perSecond: readonly number[];
}

export class ChaosHistory {
  readonly #registers: History<RegisterCall, RegisterAnswer>;
  readonly #lists: History<ListCall, ListAnswer>;
  readonly #spaces = new Map<string, Asked['space']>();
  #values = 0;

  constructor(nowMs: () => number) {
    this.#registers = new History(nowMs);
    this.#lists = new History(nowMs);
  }

  /** Each key that anybody asked for, and its space. */
  keys(): readonly { readonly key: string; readonly space: Asked['space'] }[] {
    return [...this.#spaces].map(([key, space]) => ({ key, space }));
  }

  /** No two writes are of the same value. */
  nextValue(): number {
    return ++this.#values;
  }

  /** To be called before it is sent; gives what to call with what was told, whenever it was. */
  invoke(client: string, asked: Asked): (told: Told) => void {
    const { key, kind, value, space } = asked;
    this.#spaces.set(key, space);
    if (isList(key)) {
      const call: ListCall = kind === 'read' ? { kind: 'list' } : { kind: 'append', value };
      const finish = this.#lists.invoke(client, key, call);
      return (told) => finish(outcomeOf(told, kind, listOf));
    }
    const call: RegisterCall = kind === 'read' ? { kind: 'read' } : { kind: 'write', value };
    const finish = this.#registers.invoke(client, key, call);
    return (told) => finish(outcomeOf(told, kind, (row) => row?.value ?? null));
  }

  /** What is told later counts no more. */
  judge(): { readonly verdict: ChaosVerdict; readonly record: ChaosRecord } {
    const [registers, lists] = [this.#registers.takeAll(), this.#lists.takeAll()];
    const reports: readonly LinearizabilityReport[] = [
      checkLinearizable(registerModel, registers),
      checkLinearizable(listModel, lists),
    ];
    const sum = (of: (report: LinearizabilityReport) => number): number =>
      reports.reduce((total, report) => total + of(report), 0);
    const all = [...registers, ...lists];
    const verdict = {
      violations: reports.flatMap(({ violations }) => violations),
      undecided: sum(({ undecided }) => undecided.length),
      keys: sum(({ keys }) => keys),
      operations: all.length,
      open: all.filter(({ returned }) => returned === undefined).length,
    };
    return { verdict, record: { registers, lists, perSecond: perSecond(all) } };
  }
}

function perSecond(operations: readonly { readonly returnedMs?: number }[]): readonly number[] {
  const counts: number[] = [];
  for (const { returnedMs } of operations) {
    if (returnedMs === undefined) continue;
    const second = Math.floor(returnedMs / 1000);
    while (counts.length <= second) counts.push(0);
    counts[second] = (counts[second] ?? 0) + 1;
  }
  return counts;
}

export function isList(key: string): boolean {
  return key.startsWith('list');
}

function outcomeOf<Answer>(
  told: Told,
  kind: Asked['kind'],
  answerOf: (row: Row | null) => Answer,
): Outcome<Answer | null> {
  if (told.kind === 'answered')
    return { kind: 'answered', answer: kind === 'read' ? answerOf(told.row) : null };
  // A read without an answer has done nothing.
  return kind === 'read' ? { kind: 'refused' } : told;
}

function listOf(row: Row | null): readonly number[] {
  return (row?.items ?? '').split(',').filter(Boolean).map(Number);
}
