/**
 * What a client asked for and what it was told, as a check of linearizability sees it. `invoked` and `returned` are
 * places in one order of events: two at the same millisecond still have an order.
 */
export interface Operation<Call, Answer> {
  readonly client: string;
  /** What it is about: operations on different keys never touch each other. */
  readonly key: string;
  readonly call: Call;
  readonly invoked: number;
  /** Left out while nothing is known of it: it may take effect at any later time, or never. */
  readonly returned?: { readonly at: number; readonly answer: Answer };
  /** For people to read. */
  readonly invokedMs?: number;
  readonly returnedMs?: number;
}

export type Known<Call, Answer> = Operation<Call, Answer> &
  Required<Pick<Operation<Call, Answer>, 'returned'>>;

export function isKnown<Call, Answer>(
  operation: Operation<Call, Answer>,
): operation is Known<Call, Answer> {
  return operation.returned !== undefined;
}

/** What a key holds, and what each call makes of it. Pure. */
export interface Model<State, Call, Answer> {
  readonly name: string;
  readonly initial: State;
  /** The state behind the call, or undefined if it cannot have got this answer there; any answer if it is unknown. */
  step(state: State, call: Call, answer: Answer | undefined): State | undefined;
  /** The same for equal states, and for these alone. */
  textOf(state: State): string;
  describe(call: Call, answer: Answer | undefined): string;
  /** May a call of unknown outcome be left out, because nothing in the history could have seen it? */
  isUnseen(call: Call, history: readonly Operation<Call, Answer>[]): boolean;
}
