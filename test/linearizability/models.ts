/** What the keys of histories hold: a register that is read, written and compared, and a list that grows. */
import { isKnown, type Model } from './operation.ts';

export type RegisterCall =
  | { readonly kind: 'read' }
  | { readonly kind: 'write'; readonly value: number }
  /** Writes `to` if the register holds `from`, and says whether it did. */
  | { readonly kind: 'swap'; readonly from: number | null; readonly to: number };
/** Of a read what it saw, of a swap whether it happened, of a write null. */
export type RegisterAnswer = number | boolean | null;

export const registerModel: Model<number | null, RegisterCall, RegisterAnswer> = {
  name: 'register',
  initial: null,
  step(value, call, answer) {
    if (call.kind === 'write') return call.value;
    if (call.kind === 'read') return answer === undefined || answer === value ? value : undefined;
    const happens = value === call.from;
    if (answer !== undefined && answer !== happens) return undefined;
    return happens ? call.to : value;
  },
  textOf: (value) => String(value),
  describe(call, answer) {
    if (call.kind === 'read') return `read ${answer === undefined ? '?' : String(answer)}`;
    if (call.kind === 'write') return `write ${call.value}${answer === undefined ? ' ?' : ''}`;
    return `swap ${call.from} for ${call.to}: ${answer === undefined ? '?' : String(answer)}`;
  },
  isUnseen(call, history) {
    if (call.kind === 'read') return true;
    const value = call.kind === 'write' ? call.value : call.to;
    return !history.some((other) => {
      // What a swap that failed has seen is not known: it may have been this.
      if (other.call.kind === 'swap') {
        return other.call.from === value || other.returned?.answer === false;
      }
      return other.call.kind === 'read' && other.returned?.answer === value;
    });
  },
};

export type ListCall =
  | { readonly kind: 'append'; readonly value: number }
  | { readonly kind: 'list' };
/** Of a reading what it saw, of an append null. */
export type ListAnswer = readonly number[] | null;

export const listModel: Model<readonly number[], ListCall, ListAnswer> = {
  name: 'list',
  initial: [],
  step(values, call, answer) {
    if (call.kind === 'append') return [...values, call.value];
    if (answer === undefined) return values;
    return isSame(values, answer ?? []) ? values : undefined;
  },
  textOf: (values) => values.join(' '),
  describe(call, answer) {
    if (call.kind === 'append') return `append ${call.value}${answer === undefined ? ' ?' : ''}`;
    return answer === undefined ? 'list ?' : `list [${(answer ?? []).join(' ')}]`;
  },
  isUnseen(call, history) {
    if (call.kind === 'list') return true;
    const { value } = call;
    return !history.some(
      (other) =>
        isKnown(other) &&
        other.call.kind === 'list' &&
        other.returned.answer?.includes(value) === true,
    );
  },
};

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}
