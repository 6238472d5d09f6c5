/** The command line of `npm run bench`: which suite, with which options. Pure. */
import { parseArgs } from 'node:util';

export const suiteNames = [
  ...(['storage', 'growth', 'replication', 'join', 'pauses', 'start', 'failover'] as const),
] as const;
export type SuiteName = (typeof suiteNames)[number];

export const competitors = ['tonearm', 'tarantool', 'redis'] as const;
export type Competitor = (typeof competitors)[number];

export interface BenchOptions {
  readonly suite: SuiteName;
  readonly rounds: number;
  readonly seconds: number;
  readonly rows: number;
  /** Of the suite `growth`. */
  readonly sizes: readonly number[];
  readonly competitors: readonly Competitor[];
  /** Parts of the names of what is measured; empty: all. */
  readonly only: readonly string[];
  readonly output: 'table' | 'json';
  readonly json: string | undefined;
  readonly compare: string | undefined;
  readonly folder: string | undefined;
  readonly install: boolean;
  /** Of the suite `start`. */
  readonly cold: boolean;
}

export type ParsedArguments =
  | { readonly kind: 'run'; readonly options: BenchOptions }
  | { readonly kind: 'help' }
  | { readonly kind: 'refused'; readonly message: string };

export const help = `npm run bench -- [SUITE] [OPTIONS]

Suites
  storage       one instance beside Tarantool and Redis: writes, reads, memory, recovery (default)
  growth        inserts and gets at growing numbers of rows, beside Tarantool
  replication   what followers cost a writer, beside Tarantool with an asynchronous replica
  join          how long a new follower takes until it has all rows, beside a replica of Tarantool
  pauses        how long the main loop stands still at most while an instance does what takes long
  failover      gaps, failed and lost writes after faults; what an idle cluster costs
  start         how long \`npm start\` takes until the first write

Options
  --rounds=N       measure everything N times and show medians (5; start: 3)
  --seconds=N      of each measurement, after a warm-up (1)
  --rows=N         in the space before it is measured (1000000; replication: 100000)
  --sizes=N,N      growth: numbers of rows (100000,1000000,10000000)
  --targets=A,B    who is measured (tonearm,tarantool,redis; who is not installed is left out)
  --only=TEXT,…    storage, pauses, failover: only what has one of the texts in its name
  --output=FORMAT  table or json (table)
  --json=FILE      write the results there as well
  --compare=FILE   show how the ratios have changed since an earlier --json
  --folder=DIR     where servers keep their data (a temporary folder)
  --install        install Debian's redis-server when it is missing (needs root)
  --cold           start: with an empty cache of compiled code each time
`;

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;
const definitions = {
  rounds: text,
  seconds: text,
  rows: text,
  sizes: text,
  targets: text,
  only: text,
  output: text,
  json: text,
  compare: text,
  folder: text,
  install: flag,
  cold: flag,
  help: { ...flag, short: 'h' },
} as const;

const ROWS = { usual: 1_000_000, replication: 100_000 };
const ROUNDS = { usual: 5, start: 3 };

class Refusal extends Error {}

export function parseArguments(argv: readonly string[]): ParsedArguments {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: definitions,
      allowPositionals: true,
    });
    return values.help ? { kind: 'help' } : { kind: 'run', options: build(values, positionals) };
  } catch (error) {
    const isWrongOption =
      error instanceof Refusal || (error instanceof TypeError && 'code' in error);
    if (!isWrongOption) throw error;
    return { kind: 'refused', message: error.message };
  }
}

function build(
  values: Readonly<Record<string, string | boolean | undefined>>,
  positionals: readonly string[],
): BenchOptions {
  const given = (name: keyof typeof definitions): string | undefined =>
    values[name] === undefined ? undefined : String(values[name]);
  const suite = word('the suite', positionals[0] ?? 'storage', suiteNames);
  if (positionals.length > 1)
    throw new Refusal(`one suite at a time, not ${positionals.join(' ')}`);
  const rounds = suite === 'start' ? ROUNDS.start : ROUNDS.usual;
  const rows = suite === 'replication' ? ROWS.replication : ROWS.usual;
  return {
    suite,
    rounds: whole('--rounds', given('rounds') ?? String(rounds)),
    seconds: positive('--seconds', given('seconds') ?? '1'),
    rows: whole('--rows', given('rows') ?? String(rows)),
    sizes: list(given('sizes') ?? '100000,1000000,10000000').map((size) => whole('--sizes', size)),
    competitors: list(given('targets') ?? competitors.join(',')).map((name) =>
      word('--targets', name, competitors),
    ),
    only: list(given('only') ?? ''),
    output: word('--output', given('output') ?? 'table', ['table', 'json'] as const),
    json: given('json'),
    compare: given('compare'),
    folder: given('folder'),
    install: values['install'] === true,
    cold: values['cold'] === true,
  };
}

function list(given: string): readonly string[] {
  return given.split(',').filter((item) => item !== '');
}

function word<T extends string>(what: string, given: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === given);
  if (found === undefined)
    throw new Refusal(`${what} is one of ${allowed.join(', ')}, not "${given}"`);
  return found;
}

function positive(option: string, given: string): number {
  const number = Number(given);
  if (given.trim() === '' || !Number.isFinite(number) || number <= 0)
    throw new Refusal(`${option} must be a number above 0, not "${given}"`);
  return number;
}

function whole(option: string, given: string): number {
  const number = positive(option, given);
  if (!Number.isSafeInteger(number))
    throw new Refusal(`${option} must be a whole number above 0, not "${given}"`);
  return number;
}
