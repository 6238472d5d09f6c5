/**
 * What the suite `storage` measures, and what is asked of it: the goals of this project beside the floor from which the
 * work began. Pure data.
 *
 * Gets come first and inserts last, so that all gets see the same rows.
 */
import type { TargetId } from './build-target.ts';
import type { Goal, Unit } from './comparison.ts';
import type { Sample, Shape } from './subject.ts';

export interface Measurement {
  readonly name: string;
  readonly shapes: Readonly<Partial<Record<TargetId, Shape>>>;
}

export interface Wanted {
  readonly measurement: string;
  readonly against: TargetId;
  readonly figure: keyof Sample;
  readonly unit: Unit;
  /** When it is not just the measurement's name. */
  readonly title?: string;
  readonly goal: Goal | null;
}

/** Servers of one kind of log run together; those of the other are ended before. */
export interface Group {
  readonly logMode: 'write' | 'fsync';
  readonly measurements: readonly Measurement[];
}

const TREE = ['ours', 'tarantool-tree'] as const;

export const groups: readonly Group[] = [
  {
    logMode: 'write',
    measurements: [
      same('get 1x64', 'get', [1, 64], TREE),
      {
        name: 'get 64x1',
        shapes: { ...shapes('get', [64, 1], TREE), ...shapes('redis-get', [64, 1], ['redis']) },
      },
      {
        name: 'get 16x16',
        shapes: {
          ...shapes('get', [16, 16], [...TREE, 'tarantool-hash']),
          // Sixteen requests in each of 64 connections is what redis-benchmark -c 64 -P 16 does.
          ...shapes('redis-get', [64, 16], ['redis']),
        },
      },
      same('select 16x16', 'select', [16, 16], TREE),
      same('mixed 90/10 16x16', 'mix', [16, 16], TREE),
      same('insert 1x64', 'insert', [1, 64], TREE),
      {
        name: 'insert 64x1',
        shapes: { ...shapes('insert', [64, 1], TREE), ...shapes('redis-set', [64, 1], ['redis']) },
      },
      same('insert 16x16', 'insert', [16, 16], TREE),
    ],
  },
  { logMode: 'fsync', measurements: [same('insert fsync 16x16', 'insert', [16, 16], TREE)] },
];

export const wanted: readonly Wanted[] = [
  throughput('insert 16x16', 'tarantool-tree', 1.4),
  throughput('insert 1x64', 'tarantool-tree', 1.1),
  throughput('insert 64x1', 'tarantool-tree'),
  throughput('insert fsync 16x16', 'tarantool-tree', 1),
  {
    ...throughput('insert 16x16', 'tarantool-tree'),
    ...{ figure: 'p99Ms', unit: 'ms', title: 'p99 of insert 16x16', goal: atMost(1) },
  },
  throughput('get 1x64', 'tarantool-tree', 1.2),
  throughput('get 64x1', 'tarantool-tree', 0.95),
  throughput('get 16x16', 'tarantool-tree', 0.85),
  throughput('get 16x16', 'tarantool-hash', 0.6),
  {
    ...throughput('get 16x16', 'tarantool-tree'),
    ...{ figure: 'cpuSecondsPerMillion', unit: 'cpu-seconds' },
    ...{ title: 'CPU of a million gets', goal: atMost(1) },
  },
  throughput('select 16x16', 'tarantool-tree'),
  throughput('mixed 90/10 16x16', 'tarantool-tree', 0.85),
  throughput('get 64x1', 'redis', 0.65),
  throughput('insert 64x1', 'redis', 0.5),
  throughput('get 16x16', 'redis', 0.4),
];

function throughput(measurement: string, against: TargetId, ratio?: number): Wanted {
  const goal: Goal | null =
    ratio === undefined ? null : { bound: 'at-least', value: ratio, of: 'ratio' };
  return { measurement, against, figure: 'opsPerSecond', unit: 'per-second', goal };
}

export function atMost(value: number, of: Goal['of'] = 'ratio'): Goal {
  return { bound: 'at-most', value, of };
}

function same(
  name: string,
  operation: Shape['operation'],
  size: readonly [number, number],
  targets: readonly TargetId[],
): Measurement {
  return { name, shapes: shapes(operation, size, targets) };
}

function shapes(
  operation: Shape['operation'],
  [connections, depth]: readonly [number, number],
  targets: readonly TargetId[],
): Measurement['shapes'] {
  return Object.fromEntries(targets.map((target) => [target, { operation, connections, depth }]));
}
