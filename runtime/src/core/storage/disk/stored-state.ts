/** What the database says about itself: how far the log is in it, and where the rows of which index are. */
import type { Position } from '../../../contract/instance-status.ts';
import { decode } from '../../msgpack/decode.ts';
import { MsgpackWriter } from '../../msgpack/encode.ts';
import type { IndexDefinition } from '../../schema/space-definition.ts';
import type { Value } from '../../schema/values.ts';
import { IndexKeys } from './index-keys.ts';
import type { OrderedStore } from './ordered-store.ts';

const VERSION = 1;
/** Entries of an index begin with its number; no index has this one. */
const STATE_KEY = new Uint8Array(4);

export interface StoredIndex {
  readonly definition: IndexDefinition;
  readonly keys: IndexKeys;
  /** All its keys begin with it. */
  readonly prefix: Uint8Array;
  readonly number: number;
  /** It was built before the row that creates it was acknowledged. */
  isEarly: boolean;
}

export interface StoredSpace {
  readonly id: number;
  rows: number;
  indexes: StoredIndex[];
}

export interface StoredState {
  position: Position;
  /** A snapshot is being read: what is there is no state that ever was. */
  isFilling: boolean;
  /** The end of the snapshot that was read. */
  filledTo: Position | undefined;
  /** The next number for an index: none is used twice. */
  nextNumber: number;
  readonly spaces: Map<number, StoredSpace>;
  /** Numbers of indexes that are gone, whose entries are not all removed. */
  garbage: number[];
}

interface EncodedState {
  readonly version: number;
  readonly term: number;
  readonly sequence: number;
  readonly isFilling: boolean;
  readonly filledTo?: Position;
  readonly nextNumber: number;
  readonly garbage: readonly number[];
  readonly spaces: readonly {
    readonly id: number;
    readonly rows: number;
    readonly indexes: readonly { readonly number: number; readonly definition: IndexDefinition }[];
  }[];
}

export function prefixOf(number: number): Uint8Array {
  return Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number);
}

export function storedIndex(
  definition: IndexDefinition,
  number: number,
  isEarly: boolean,
): StoredIndex {
  const keys = new IndexKeys(definition);
  return { definition, keys, prefix: prefixOf(number), number, isEarly };
}

export function loadState(store: OrderedStore): StoredState {
  const bytes = store.get(STATE_KEY);
  if (bytes === undefined) {
    const position = { term: 0, sequence: 0 };
    return {
      ...{ position, isFilling: false, filledTo: undefined },
      ...{ nextNumber: 1, spaces: new Map(), garbage: [] },
    };
  }
  const state = decode(bytes) as unknown as EncodedState;
  if (state.version !== VERSION) {
    throw new Error(`the rows of disk spaces are of version ${state.version}, not ${VERSION}`);
  }
  const { term, sequence, isFilling, filledTo, garbage } = state;
  const unknown = unknownNumbers(store, state.nextNumber);
  const spaces = state.spaces.map(({ id, rows, indexes }): [number, StoredSpace] => {
    const stored = indexes.map(({ number, definition }) => storedIndex(definition, number, false));
    return [id, { id, rows, indexes: stored }];
  });
  return {
    position: { term, sequence },
    isFilling,
    filledTo,
    nextNumber: Math.max(state.nextNumber, ...unknown.map((number) => number + 1)),
    spaces: new Map(spaces),
    garbage: [...garbage, ...unknown],
  };
}

/** Only within a change. An early index counts as garbage until its row is applied: the log may be cut before it. */
export function saveState(store: OrderedStore, state: StoredState): void {
  const spaces = [...state.spaces.values()];
  const early = spaces.flatMap(({ indexes }) => indexes.filter(({ isEarly }) => isEarly));
  const encoded: EncodedState = {
    version: VERSION,
    ...state.position,
    isFilling: state.isFilling,
    ...(state.filledTo === undefined ? {} : { filledTo: state.filledTo }),
    nextNumber: state.nextNumber,
    garbage: [...state.garbage, ...early.map(({ number }) => number)],
    spaces: spaces.map(({ id, rows, indexes }) => ({
      ...{ id, rows },
      indexes: indexes
        .filter(({ isEarly }) => !isEarly)
        .map(({ number, definition }) => ({ number, definition })),
    })),
  };
  const writer = new MsgpackWriter();
  writer.value(encoded as unknown as Value);
  store.put(STATE_KEY, writer.take());
}

/** Early indexes that a process has built, which did not come to saving their numbers. */
function unknownNumbers(store: OrderedStore, first: number): readonly number[] {
  const found: number[] = [];
  let from = prefixOf(first);
  const to = prefixOf(0xffff_ffff);
  for (;;) {
    let key: Uint8Array | undefined;
    store.walk({ from, to }, (each) => {
      key = each;
      return false;
    });
    if (key === undefined) return found;
    const [a = 0, b = 0, c = 0, d = 0] = key;
    const number = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
    found.push(number);
    from = prefixOf(number + 1);
  }
}
