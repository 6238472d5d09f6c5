/**
 * Is there an order of these operations, each somewhere between its call and its answer, in which every answer is
 * right? (Wing and Gong's search, with Lowe's memory of what was tried.)
 *
 * What makes it sound: an operation is next only if no other that is not placed yet was answered before it was called;
 * one of unknown outcome may come anywhere behind its call, or nowhere. What makes it end: of two ways that have
 * placed the same operations and made the same state one is followed, and only so many ways are.
 */
import { isKnown, type Known, type Model, type Operation } from './operation.ts';

export type SearchOutcome = 'found' | 'none' | 'too-many';

/** Operations placed: all known ones before `low`, those in `beyond`, and of the unknown ones those in `taken`. */
interface Way<State> {
  readonly low: number;
  readonly beyond: readonly number[];
  readonly taken: readonly number[];
  readonly state: State;
}

export const WAYS_MAX = 200_000;

export interface SearchOptions<State> {
  readonly waysMax?: number;
  /** Called for every way that has placed all known operations; the search goes on while it answers true. */
  readonly onPlaced?: (state: State) => boolean;
}

/** All of one key. */
export function search<State, Call, Answer>(
  model: Model<State, Call, Answer>,
  operations: readonly Operation<Call, Answer>[],
  { waysMax = WAYS_MAX, onPlaced = () => false }: SearchOptions<State> = {},
): SearchOutcome {
  const ordered = operations.toSorted((a, b) => a.invoked - b.invoked);
  const known = ordered.filter(isKnown);
  const unknown = ordered.filter(
    (operation) => !isKnown(operation) && !model.isUnseen(operation.call, ordered),
  );
  const seen = new Set<string>();
  const ways: Way<State>[] = [{ low: 0, beyond: [], taken: [], state: model.initial }];
  let isFound = false;
  for (let way = ways.pop(); way !== undefined; way = ways.pop()) {
    const name = nameOf(model, way);
    if (seen.has(name)) continue;
    if (seen.size >= waysMax) return isFound ? 'found' : 'too-many';
    seen.add(name);
    if (way.low === known.length) {
      isFound = true;
      if (!onPlaced(way.state)) return 'found';
    }
    ways.push(...nextWays(model, { known, unknown }, way));
  }
  return isFound ? 'found' : 'none';
}

interface Sorted<Call, Answer> {
  readonly known: readonly Known<Call, Answer>[];
  readonly unknown: readonly Operation<Call, Answer>[];
}

/** The one to follow first comes last: what is known, and of this what was answered first. */
function nextWays<State, Call, Answer>(
  model: Model<State, Call, Answer>,
  { known, unknown }: Sorted<Call, Answer>,
  way: Way<State>,
): readonly Way<State>[] {
  const next: Way<State>[] = [];
  const { candidates, before } = firstOf(known, way);
  for (const [index, { invoked, call }] of unknown.entries()) {
    if (invoked > before || way.taken.includes(index)) continue;
    const state = model.step(way.state, call, undefined);
    if (state === undefined) continue;
    next.push({ ...way, state, taken: [...way.taken, index].toSorted((a, b) => a - b) });
  }
  for (const index of candidates) {
    const { call, returned } = known[index]!;
    const state = model.step(way.state, call, returned.answer);
    if (state !== undefined) next.push({ ...placed(way, index), taken: way.taken, state });
  }
  return next;
}

/** Those that may come next, the one answered first at the end; none called behind `before` may. */
function firstOf<Call, Answer>(
  known: readonly Known<Call, Answer>[],
  { low, beyond }: Pick<Way<unknown>, 'low' | 'beyond'>,
): { readonly candidates: readonly number[]; readonly before: number } {
  let before = Number.POSITIVE_INFINITY;
  const candidates: number[] = [];
  for (let index = low; index < known.length; index++) {
    const { invoked, returned } = known[index]!;
    if (invoked > before) break;
    if (beyond.includes(index)) continue;
    before = Math.min(before, returned.at);
    candidates.push(index);
  }
  const may = candidates.filter((index) => known[index]!.invoked < before);
  may.sort((a, b) => known[b]!.returned.at - known[a]!.returned.at);
  return { candidates: may, before };
}

function placed(
  { low, beyond }: Pick<Way<unknown>, 'low' | 'beyond'>,
  index: number,
): Pick<Way<unknown>, 'low' | 'beyond'> {
  if (index !== low) return { low, beyond: [...beyond, index].toSorted((a, b) => a - b) };
  let next = low + 1;
  while (beyond.includes(next)) next++;
  return { low: next, beyond: beyond.filter((other) => other > next) };
}

function nameOf<State>(
  model: Pick<Model<State, never, never>, 'textOf'>,
  { low, beyond, taken, state }: Way<State>,
): string {
  return `${low};${beyond.join(',')};${taken.join(',')};${model.textOf(state)}`;
}
