/**
 * Checks a history key by key, and explains what is wrong by the shortest beginning of it that is wrong already: its
 * last answer is the one that nothing explains.
 */
import { isKnown, type Known, type Model, type Operation } from './operation.ts';
import { search, WAYS_MAX } from './search.ts';

export interface LinearizabilityReport {
  /** One for each key that no order explains. */
  readonly violations: readonly string[];
  /** Keys with too many ways to try. */
  readonly undecided: readonly string[];
  readonly keys: number;
  readonly operations: number;
}

const TOLD = 12;
const STATES_TOLD = 4;

export function checkLinearizable<State, Call, Answer>(
  model: Model<State, Call, Answer>,
  operations: readonly Operation<Call, Answer>[],
  waysMax = WAYS_MAX,
): LinearizabilityReport {
  const violations: string[] = [];
  const undecided: string[] = [];
  const byKey = new Map<string, Operation<Call, Answer>[]>();
  for (const operation of operations) {
    const ofKey = byKey.get(operation.key);
    if (ofKey === undefined) byKey.set(operation.key, [operation]);
    else ofKey.push(operation);
  }
  for (const [key, ofKey] of byKey) {
    const outcome = search(model, ofKey, { waysMax });
    if (outcome === 'too-many') undecided.push(key);
    if (outcome === 'none') violations.push(explain(model, ofKey));
  }
  return { violations, undecided, keys: byKey.size, operations: operations.length };
}

function explain<State, Call, Answer>(
  model: Model<State, Call, Answer>,
  operations: readonly Operation<Call, Answer>[],
): string {
  const known = operations.filter(isKnown).toSorted((a, b) => a.returned.at - b.returned.at);
  const wrong = known[firstWrong(model, operations, known)];
  if (wrong === undefined) throw new Error('a history without answers is right');
  const before = untilEvent(operations, wrong.returned.at).filter(
    ({ invoked }) => invoked !== wrong.invoked,
  );
  const states = new Set<string>();
  search(model, before, {
    onPlaced: (state) => states.add(model.textOf(state)).size <= STATES_TOLD,
  });
  const could = [...states].slice(0, STATES_TOLD).map((state) => `"${state}"`);
  const more = states.size > STATES_TOLD ? ', …' : '';
  const story = before.toSorted((a, b) => a.invoked - b.invoked).slice(-TOLD);
  return [
    `${model.name} ${wrong.key}: nothing explains "${tell(model, wrong)}", before it could hold ${could.join(', ')}${more}`,
    ...story.map((operation) => `    ${tell(model, operation)}`),
  ].join('\n');
}

/** The first answer with which the history is wrong: one that is, stays so whatever follows. */
function firstWrong<State, Call, Answer>(
  model: Model<State, Call, Answer>,
  operations: readonly Operation<Call, Answer>[],
  known: readonly Known<Call, Answer>[],
): number {
  let [right, wrong] = [-1, known.length - 1];
  while (wrong - right > 1) {
    const middle = Math.floor((right + wrong) / 2);
    const isRight = search(model, untilEvent(operations, known[middle]!.returned.at)) !== 'none';
    if (isRight) right = middle;
    else wrong = middle;
  }
  return wrong;
}

/** The history as it was known at that event. */
function untilEvent<Call, Answer>(
  operations: readonly Operation<Call, Answer>[],
  at: number,
): readonly Operation<Call, Answer>[] {
  return operations
    .filter(({ invoked }) => invoked <= at)
    .map((operation) => {
      if (operation.returned === undefined || operation.returned.at <= at) return operation;
      const { returned, returnedMs, ...open } = operation;
      return open;
    });
}

function tell<State, Call, Answer>(
  model: Model<State, Call, Answer>,
  { client, call, returned, invokedMs, returnedMs }: Operation<Call, Answer>,
): string {
  const from = invokedMs === undefined ? '' : ` [${invokedMs.toFixed(0)}`;
  const to = returnedMs === undefined ? ' …' : `–${returnedMs.toFixed(0)}`;
  const when = from === '' ? '' : `${from}${to} ms]`;
  return `${client}: ${model.describe(call, returned?.answer)}${when}`;
}
