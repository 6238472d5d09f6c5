import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ChaosHistory } from './chaos-history.ts';
import type { Asked, Told } from './chaos-paths.ts';

const UNKNOWN: Told = { kind: 'unknown' };

function asked(kind: Asked['kind'], key: string, value = 0): Asked {
  return { kind, key, value, space: 'first' };
}

function answered(value: number, items = ''): Told {
  return { kind: 'answered', row: { value, items } };
}

const DONE: Told = { kind: 'answered', row: null };

function violations(steps: readonly (readonly [Asked, Told])[]): number {
  const history = new ChaosHistory(() => 0);
  for (const [ask, told] of steps) history.invoke('a', ask)(told);
  return history.judge().verdict.violations.length;
}

describe('the history of a round of chaos', () => {
  it('finds a register that has lost a write, and explains one whose outcome nobody knows', () => {
    const write = asked('write', 'register-a', 1);
    const read = asked('read', 'register-a');
    assert.equal(
      violations([
        [write, DONE],
        [read, answered(1)],
      ]),
      0,
    );
    assert.equal(
      violations([
        [write, DONE],
        [read, DONE],
      ]),
      1,
    );
    assert.equal(
      violations([
        [write, UNKNOWN],
        [read, DONE],
        [read, answered(1)],
      ]),
      0,
    );
    assert.equal(
      violations([
        [write, UNKNOWN],
        [read, answered(1)],
        [read, DONE],
      ]),
      1,
    );
  });

  it('finds a write that was refused and happened all the same', () => {
    const write = asked('write', 'register-a', 1);
    assert.equal(
      violations([
        [write, { kind: 'refused' }],
        [asked('read', 'register-a'), answered(1)],
      ]),
      1,
    );
  });

  it('finds a list that has lost an item, or has it twice', () => {
    const appends = [
      [asked('append', 'list-a', 1), DONE],
      [asked('append', 'list-a', 2), DONE],
    ] as const;
    const read = asked('read', 'list-a');
    assert.equal(violations([...appends, [read, answered(0, '1,2,')]]), 0);
    assert.equal(violations([...appends, [read, answered(0, '2,')]]), 1);
    assert.equal(violations([...appends, [read, answered(0, '1,2,2,')]]), 1);
  });

  it('leaves out reads that were not answered, and counts what is open', () => {
    const history = new ChaosHistory(() => 1500);
    history.invoke('a', asked('read', 'list-a'))(UNKNOWN);
    history.invoke('a', asked('append', 'list-a', 1))(UNKNOWN);
    history.invoke('a', asked('append', 'list-a', 2))(DONE);
    const { verdict, record } = history.judge();
    assert.deepEqual(verdict, { violations: [], undecided: 0, keys: 1, operations: 2, open: 1 });
    assert.deepEqual(record.perSecond, [0, 1]);
  });
});
