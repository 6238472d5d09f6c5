import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type BenchOptions, parseArguments } from './arguments.ts';

const defaults: BenchOptions = {
  suite: 'storage',
  rounds: 5,
  seconds: 1,
  rows: 1_000_000,
  sizes: [100_000, 1_000_000, 10_000_000],
  competitors: ['tonearm', 'tarantool', 'redis'],
  only: [],
  output: 'table',
  json: undefined,
  compare: undefined,
  folder: undefined,
  install: false,
  cold: false,
};

function refusal(...argv: readonly string[]): string | undefined {
  const parsed = parseArguments(argv);
  return parsed.kind === 'refused' ? parsed.message : undefined;
}

describe('the arguments of the benchmark', () => {
  it('are the storage with a million rows when none are given', () => {
    assert.deepEqual(parseArguments([]), { kind: 'run', options: defaults });
  });

  it('name a suite, which has defaults of its own', () => {
    assert.deepEqual(parseArguments(['replication']), {
      kind: 'run',
      options: { ...defaults, suite: 'replication', rows: 100_000 },
    });
    assert.deepEqual(parseArguments(['start', '--cold']), {
      kind: 'run',
      options: { ...defaults, suite: 'start', rounds: 3, cold: true },
    });
  });

  it('are all taken', () => {
    const given =
      'growth --rounds=7 --seconds=0.5 --rows=10 --sizes=5,6 --targets=tarantool --only=get,mix ' +
      '--output=json --json=a.json --compare=b.json --folder=/data --install';
    assert.deepEqual(parseArguments(given.split(' ')), {
      kind: 'run',
      options: {
        suite: 'growth',
        rounds: 7,
        seconds: 0.5,
        rows: 10,
        sizes: [5, 6],
        competitors: ['tarantool'],
        only: ['get', 'mix'],
        output: 'json',
        json: 'a.json',
        compare: 'b.json',
        folder: '/data',
        install: true,
        cold: false,
      },
    });
  });

  it('ask for help before anything else', () => {
    assert.deepEqual(parseArguments(['--help', '--rounds=x']), { kind: 'help' });
  });

  it('are refused with the name of what is wrong', () => {
    assert.equal(refusal('--rounds=0'), '--rounds must be a number above 0, not "0"');
    assert.equal(refusal('--rows=1.5'), '--rows must be a whole number above 0, not "1.5"');
    assert.equal(refusal('--seconds='), '--seconds must be a number above 0, not ""');
    assert.equal(
      refusal('--targets=tarantool,mysql'),
      '--targets is one of tonearm, tarantool, redis, not "mysql"',
    );
    assert.equal(
      refusal('speed'),
      'the suite is one of storage, growth, replication, join, pauses, start, failover, not "speed"',
    );
    assert.equal(refusal('storage', 'growth'), 'one suite at a time, not storage growth');
    assert.match(refusal('--turbo') ?? '', /Unknown option '--turbo'/);
  });
});
