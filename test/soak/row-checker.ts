/** What must hold of an instance after each crash: its rows, seen through each index, and its log on the disk. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { key, requestType } from '../../runtime/src/core/iproto/protocol.ts';
import type { Value } from '../../runtime/src/core/schema/values.ts';
import {
  type Expected,
  lastSequence,
  readHeader,
  readSegment,
} from '../../runtime/src/core/storage/log-format.ts';
import type { IprotoClient } from '../support/iproto-client.ts';
import type { Tuple } from './write-ledger.ts';

const ALL = 2;
const LIMIT = 1_000_000;
const VIEW_OF_SPACES = 281;
const INDEX_OF_NAMES = 2;
const BY_KEY = 40;

interface IndexShape {
  readonly name: string;
  readonly id: number;
  /** What its order compares before the primary key; undefined where there is no order. */
  readonly fields: readonly number[] | undefined;
  readonly has: (tuple: Tuple) => boolean;
}

const indexes: readonly IndexShape[] = [
  { name: 'version', id: 1, fields: [1, 2], has: () => true },
  { name: 'label', id: 2, fields: undefined, has: () => true },
  { name: 'group', id: 3, fields: [4, 0], has: () => true },
  { name: 'note', id: 4, fields: [5, 0], has: (tuple) => tuple[5] !== null },
];

export async function spaceIdOf(client: IprotoClient, name = 'row'): Promise<number> {
  const [found] = await client.request(requestType.SELECT, [
    ...[[key.SPACE_ID, VIEW_OF_SPACES] as const, [key.INDEX_ID, INDEX_OF_NAMES] as const],
    [key.LIMIT, 1],
    [key.ITERATOR, 0],
    [key.KEY, [name]],
  ]);
  const id = (found as readonly Value[] | undefined)?.[0];
  if (typeof id !== 'number') throw new Error(`there is no space "${name}"`);
  return id;
}

export interface RowsFound {
  readonly rows: ReadonlyMap<string, Tuple>;
  readonly violations: readonly string[];
}

/** All rows by the primary index; every other index must have the same, in its own order. */
export async function readRows(client: IprotoClient, space: number): Promise<RowsFound> {
  const violations: string[] = [];
  const tuples = await selectAll(client, space, 0);
  violations.push(...disorder('primary', tuples, [0]));
  const rows = new Map(tuples.map((tuple) => [tuple[0], tuple]));
  for (const { name, id, fields, has } of indexes) {
    const there = await selectAll(client, space, id);
    const wanted = tuples.filter(has);
    if (there.length !== wanted.length)
      violations.push(`index ${name} has ${there.length} rows, primary ${wanted.length}`);
    const strange = there.find((tuple) => !isDeepStrictEqual(rows.get(tuple[0]), tuple));
    if (strange !== undefined) violations.push(`index ${name} has ${brief(strange)} alone`);
    if (fields !== undefined) violations.push(...disorder(name, there, fields));
  }
  violations.push(...(await lookUps(client, space, tuples)));
  return { rows, violations };
}

/** Some rows one by one, by each unique index: a lookup goes other ways than a walk. */
async function lookUps(
  client: IprotoClient,
  space: number,
  tuples: readonly Tuple[],
): Promise<readonly string[]> {
  const violations: string[] = [];
  const step = Math.max(1, Math.floor(tuples.length / BY_KEY));
  const some = tuples.filter((_, index) => index % step === 0);
  const keys = [
    (tuple: Tuple): readonly Value[] => [tuple[0]],
    (tuple: Tuple): readonly Value[] => [tuple[1], tuple[2]],
    (tuple: Tuple): readonly Value[] => [tuple[3]],
  ];
  for (const tuple of some) {
    for (const [index, keyOf] of keys.entries()) {
      const found = await client.request(requestType.SELECT, [
        ...[[key.SPACE_ID, space] as const, [key.INDEX_ID, index] as const],
        [key.LIMIT, 2],
        [key.ITERATOR, 0],
        [key.KEY, keyOf(tuple)],
      ]);
      if (!isDeepStrictEqual(found, [tuple]))
        violations.push(`index ${index} does not find ${brief(tuple)}`);
    }
  }
  return violations;
}

async function selectAll(
  client: IprotoClient,
  space: number,
  index: number,
): Promise<readonly Tuple[]> {
  const found = await client.request(requestType.SELECT, [
    ...[[key.SPACE_ID, space] as const, [key.INDEX_ID, index] as const],
    [key.LIMIT, LIMIT],
    [key.ITERATOR, ALL],
    [key.KEY, []],
  ]);
  return found as unknown as readonly Tuple[];
}

function disorder(
  name: string,
  tuples: readonly Tuple[],
  fields: readonly number[],
): readonly string[] {
  const at = tuples.findIndex((tuple, index) => {
    const before = tuples[index - 1];
    return before !== undefined && !isBefore(before, tuple, fields);
  });
  return at === -1 ? [] : [`index ${name} has ${brief(tuples[at])} out of order`];
}

/** Texts here are ASCII. */
function isBefore(a: Tuple, b: Tuple, fields: readonly number[]): boolean {
  for (const field of fields) {
    const [left, right] = [a[field] as string | number, b[field] as string | number];
    if (left !== right) return left < right;
  }
  return false;
}

function brief(tuple: Tuple | undefined): string {
  return JSON.stringify(tuple?.slice(0, 7));
}

export interface LogFound {
  /** Of the last whole batch. */
  readonly end: number;
  readonly violations: readonly string[];
}

/** Row numbers follow each other over all segments; only the end of the last may be torn. */
export function readLog(workdir: string): LogFound {
  const folder = path.join(workdir, 'data', 'log');
  const names = readdirSync(folder).filter((name) => name.endsWith('.xlog'));
  names.sort((a, b) => a.localeCompare(b));
  const violations: string[] = [];
  let next: Expected | undefined;
  for (const [index, name] of names.entries()) {
    const bytes = readFileSync(path.join(folder, name));
    const begin = next ?? readHeader(bytes);
    const isLast = index === names.length - 1;
    if (begin === undefined) {
      if (!isLast) violations.push(`${name} has no whole header`);
      continue;
    }
    const { batches, fault } = readSegment(bytes, begin);
    const last = batches.at(-1);
    next =
      last === undefined ? begin : { sequence: lastSequence(last) + 1, checksum: last.checksum };
    if (fault !== undefined && (!isLast || fault.validBehind > 0))
      violations.push(`${name} at byte ${fault.offset}: ${fault.reason}`);
  }
  return { end: (next?.sequence ?? 1) - 1, violations };
}
