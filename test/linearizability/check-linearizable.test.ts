import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { checkLinearizable } from './check-linearizable.ts';
import { History } from './history.ts';
import { type ListCall, listModel, type RegisterCall, registerModel } from './models.ts';
import type { Model, Operation } from './operation.ts';

type Line = readonly [client: string, from: number, to: number | undefined, what: string];

/** `write 1`, `read 1`, `swap null 1 true`; without an end the outcome is unknown. */
function register(
  lines: readonly Line[],
): readonly Operation<RegisterCall, number | boolean | null>[] {
  return lines.map(([client, invoked, at, what]) => {
    const [kind, first = '', second = '', third] = what.split(' ');
    const value = first === 'null' ? null : Number(first);
    const call: RegisterCall =
      kind === 'read'
        ? { kind }
        : kind === 'write'
          ? { kind, value: Number(first) }
          : { kind: 'swap', from: value, to: Number(second) };
    const told = kind === 'read' ? value : kind === 'write' ? null : third === 'true';
    const operation = { client, key: 'a', call, invoked };
    return at === undefined ? operation : { ...operation, returned: { at, answer: told } };
  });
}

/** `append 1`, `list 1 2`. */
function list(lines: readonly Line[]): readonly Operation<ListCall, readonly number[] | null>[] {
  return lines.map(([client, invoked, at, what]) => {
    const [kind, ...values] = what.split(' ');
    const numbers = values.map(Number);
    const call: ListCall = kind === 'append' ? { kind, value: numbers[0] ?? 0 } : { kind: 'list' };
    const answer = kind === 'append' ? null : numbers;
    const operation = { client, key: 'a', call, invoked };
    return at === undefined ? operation : { ...operation, returned: { at, answer } };
  });
}

const registers: readonly { name: string; isRight: boolean; lines: readonly Line[] }[] = [
  {
    name: 'reads what was written',
    isRight: true,
    lines: [
      ['x', 1, 2, 'write 1'],
      ['y', 3, 4, 'read 1'],
    ],
  },
  {
    name: 'reads either while a write is under way',
    isRight: true,
    lines: [
      ['x', 1, 6, 'write 1'],
      ['y', 2, 3, 'read null'],
      ['y', 4, 5, 'read 1'],
    ],
  },
  {
    name: 'shows a stale read',
    isRight: false,
    lines: [
      ['x', 1, 2, 'write 1'],
      ['x', 3, 4, 'write 2'],
      ['y', 5, 6, 'read 1'],
    ],
  },
  {
    name: 'lost a write',
    isRight: false,
    lines: [
      ['x', 1, 2, 'write 1'],
      ['y', 3, 4, 'read null'],
    ],
  },
  {
    name: 'showed a write, and then not',
    isRight: false,
    lines: [
      ['x', 1, 9, 'write 1'],
      ['y', 2, 3, 'read 1'],
      ['z', 4, 5, 'read null'],
    ],
  },
  {
    name: 'has a write of unknown outcome that never happens',
    isRight: true,
    lines: [
      ['x', 1, undefined, 'write 1'],
      ['y', 3, 4, 'read null'],
      ['y', 5, 6, 'read null'],
    ],
  },
  {
    name: 'has a write of unknown outcome that happens late',
    isRight: true,
    lines: [
      ['x', 1, undefined, 'write 1'],
      ['x', 2, 3, 'write 2'],
      ['y', 4, 5, 'read 2'],
      ['y', 6, 7, 'read 1'],
    ],
  },
  {
    name: 'has a write of unknown outcome that happens twice',
    isRight: false,
    lines: [
      ['x', 1, undefined, 'write 1'],
      ['y', 2, 3, 'read 1'],
      ['x', 4, 5, 'write 2'],
      ['y', 6, 7, 'read 1'],
    ],
  },
  {
    name: 'has a write that is seen before it is called',
    isRight: false,
    lines: [
      ['y', 1, 2, 'read 1'],
      ['x', 3, undefined, 'write 1'],
    ],
  },
  {
    name: 'swaps one after the other',
    isRight: true,
    lines: [
      ['x', 1, 5, 'swap null 1 true'],
      ['y', 2, 6, 'swap 1 2 true'],
      ['z', 7, 8, 'read 2'],
    ],
  },
  {
    name: 'swaps the same value twice',
    isRight: false,
    lines: [
      ['x', 1, 5, 'swap null 1 true'],
      ['y', 2, 6, 'swap null 2 true'],
    ],
  },
  {
    name: 'swaps in vain where the value was',
    isRight: false,
    lines: [
      ['x', 1, 2, 'write 1'],
      ['y', 3, 4, 'swap 1 2 false'],
    ],
  },
  {
    name: 'swaps in vain because of an unknown write',
    isRight: true,
    lines: [
      ['x', 1, 2, 'write 1'],
      ['z', 3, undefined, 'write 3'],
      ['y', 4, 5, 'swap 1 2 false'],
      ['x', 6, 7, 'write 4'],
    ],
  },
];

const lists: readonly { name: string; isRight: boolean; lines: readonly Line[] }[] = [
  {
    name: 'grows',
    isRight: true,
    lines: [
      ['x', 1, 2, 'append 1'],
      ['y', 3, 8, 'append 2'],
      ['z', 4, 5, 'list 1'],
      ['z', 6, 7, 'list 1 2'],
    ],
  },
  {
    name: 'has one append twice',
    isRight: false,
    lines: [
      ['x', 1, 2, 'append 1'],
      ['z', 4, 5, 'list 1 1'],
    ],
  },
  {
    name: 'lost an append',
    isRight: false,
    lines: [
      ['x', 1, 2, 'append 1'],
      ['x', 3, 4, 'append 2'],
      ['z', 5, 6, 'list 2'],
    ],
  },
  {
    name: 'has them in the wrong order',
    isRight: false,
    lines: [
      ['x', 1, 2, 'append 1'],
      ['x', 3, 4, 'append 2'],
      ['z', 5, 6, 'list 2 1'],
    ],
  },
  {
    name: 'has an unknown one late',
    isRight: true,
    lines: [
      ['x', 1, undefined, 'append 1'],
      ['y', 2, 3, 'append 2'],
      ['z', 4, 5, 'list 2'],
      ['z', 6, 7, 'list 2 1'],
    ],
  },
  {
    name: 'was there, and then shorter',
    isRight: false,
    lines: [
      ['x', 1, undefined, 'append 1'],
      ['z', 2, 3, 'list 1'],
      ['z', 4, 5, 'list'],
    ],
  },
];

describe('checkLinearizable', () => {
  for (const { name, isRight, lines } of registers) {
    it(`finds a register ${isRight ? 'right' : 'wrong'} that ${name}`, () => {
      const { violations, undecided } = checkLinearizable(registerModel, register(lines));
      assert.deepEqual([violations.length, undecided], [isRight ? 0 : 1, []]);
    });
  }

  for (const { name, isRight, lines } of lists) {
    it(`finds a list ${isRight ? 'right' : 'wrong'} that ${name}`, () => {
      const { violations, undecided } = checkLinearizable(listModel, list(lines));
      assert.deepEqual([violations.length, undecided], [isRight ? 0 : 1, []]);
    });
  }

  it('explains by the first answer that nothing explains', () => {
    const history = register([
      ['x', 1, 2, 'write 1'],
      ['y', 3, 10, 'write 2'],
      ['z', 4, 5, 'read 2'],
      ['z', 6, 7, 'read 1'],
      ['x', 11, 12, 'write 3'],
      ['y', 13, 14, 'read 9'],
    ]);
    assert.deepEqual(checkLinearizable(registerModel, history).violations, [
      [
        'register a: nothing explains "z: read 1", before it could hold "2"',
        '    x: write 1',
        '    y: write 2 ?',
        '    z: read 2',
      ].join('\n'),
    ]);
  });

  it('judges each key alone', () => {
    const wrong = register([
      ['x', 1, 2, 'write 1'],
      ['y', 3, 4, 'read null'],
    ]);
    const other = wrong.map((operation) => ({
      ...operation,
      key: 'b',
      call: { kind: 'write', value: 1 } as const,
    }));
    const { violations, keys, operations } = checkLinearizable(registerModel, [...wrong, ...other]);
    assert.deepEqual([violations.length, keys, operations], [1, 2, 4]);
  });

  it('says so when there are too many ways to try', () => {
    const unknown = Array.from(
      { length: 12 },
      (_, index): Line => ['x', index + 1, undefined, `append ${index}`],
    );
    const history = list([...unknown, ['y', 20, 21, 'list 11 10 9 8 7 6 5 4 3 2 1 0 99']]);
    assert.deepEqual(checkLinearizable(listModel, history, 50).undecided, ['a']);
  });

  it('agrees with trying every order, in short histories', () => {
    const calls: readonly RegisterCall[] = [
      { kind: 'read' },
      { kind: 'write', value: 1 },
      { kind: 'write', value: 2 },
      { kind: 'swap', from: 1, to: 2 },
      { kind: 'swap', from: null, to: 1 },
    ];
    const answers = [null, 1, 2, true, false];
    const verdicts = { right: 0, wrong: 0 };
    fc.assert(
      fc.property(historyOf(calls, answers), (history) => {
        const isRight = checkLinearizable(registerModel, history).violations.length === 0;
        verdicts[isRight ? 'right' : 'wrong'] += 1;
        assert.equal(isRight, tryEveryOrder(registerModel, history));
      }),
      { numRuns: 1500 },
    );
    assert.ok(verdicts.right > 100 && verdicts.wrong > 100, JSON.stringify(verdicts));
  });

  it('agrees with trying every order, in short histories of lists', () => {
    const calls: readonly ListCall[] = [
      { kind: 'list' },
      { kind: 'append', value: 1 },
      { kind: 'append', value: 2 },
    ];
    const answers = [null, [], [1], [2], [1, 2], [2, 1]];
    fc.assert(
      fc.property(historyOf(calls, answers), (history) => {
        const isRight = checkLinearizable(listModel, history).violations.length === 0;
        assert.equal(isRight, tryEveryOrder(listModel, history));
      }),
      { numRuns: 1000 },
    );
  });

  it('finds a store that answers before it has stored, and one that reads an old copy', () => {
    assert.deepEqual(violationsOf({ isEarly: false, isStale: false }), 0);
    assert.notEqual(violationsOf({ isEarly: true, isStale: false }), 0);
    assert.notEqual(violationsOf({ isEarly: false, isStale: true }), 0);
  });
});

describe('History', () => {
  it('keeps what was answered and what is unknown, and drops what was refused', () => {
    const history = new History<RegisterCall, number | null>(() => 5);
    const write = history.invoke('x', 'a', { kind: 'write', value: 1 });
    const refused = history.invoke('y', 'a', { kind: 'write', value: 2 });
    const unknown = history.invoke('z', 'a', { kind: 'write', value: 3 });
    refused({ kind: 'refused' });
    write({ kind: 'answered', answer: null });
    unknown({ kind: 'unknown' });
    const shared = { key: 'a', invokedMs: 5 };
    const returned = { at: 4, answer: null };
    assert.deepEqual(history.takeAll(), [
      {
        ...shared,
        client: 'x',
        call: { kind: 'write', value: 1 },
        invoked: 1,
        returned,
        returnedMs: 5,
      },
      { ...shared, client: 'z', call: { kind: 'write', value: 3 }, invoked: 3 },
    ]);
    assert.deepEqual(history.operations, []);
  });

  it('leaves out what was asked before it began anew, also when that is answered later', () => {
    const history = new History<RegisterCall, number | null>(() => 5);
    const before = history.invoke('x', 'a', { kind: 'read' });
    assert.equal(history.takeAll().length, 1);
    before({ kind: 'answered', answer: 1 });
    assert.deepEqual(history.operations, []);
  });
});

/** Up to six operations with calls and answers in any order, some without an answer. */
function historyOf<Call, Answer>(
  calls: readonly Call[],
  answers: readonly Answer[],
): fc.Arbitrary<readonly Operation<Call, Answer>[]> {
  const operation = fc.record({
    ...{ from: fc.integer({ min: 0, max: 30 }), length: fc.integer({ min: 1, max: 12 }) },
    ...{ call: fc.constantFrom(...calls), answer: fc.constantFrom(...answers) },
    isUnknown: fc.integer({ min: 0, max: 4 }).map((dice) => dice === 0),
  });
  return fc.array(operation, { minLength: 1, maxLength: 6 }).map((drawn) =>
    drawn.map(({ from, length, call, answer, isUnknown }, index) => {
      // Every event has a place of its own.
      const invoked = from * 100 + index;
      const base = { client: `c${index}`, key: 'a', call, invoked };
      if (isUnknown) return base;
      return { ...base, returned: { at: (from + length) * 100 + 50 + index, answer } };
    }),
  );
}

function tryEveryOrder<State, Call, Answer>(
  model: Model<State, Call, Answer>,
  left: readonly Operation<Call, Answer>[],
  state: State = model.initial,
): boolean {
  if (left.every(({ returned }) => returned === undefined)) return true;
  return left.some((one) => {
    const others = left.filter((other) => other !== one);
    if (others.some(({ returned }) => returned !== undefined && returned.at < one.invoked))
      return false;
    const next = model.step(state, one.call, one.returned?.answer);
    return next !== undefined && tryEveryOrder(model, others, next);
  });
}

/** Two clients at a store with one write on its way at most, which is there only when the next one comes. */
function violationsOf(bugs: { readonly isEarly: boolean; readonly isStale: boolean }): number {
  const history = new History<RegisterCall, number | null>(() => 0);
  let [stored, copy] = [null as number | null, null as number | null];
  for (let value = 1; value <= 20; value++) {
    const write = history.invoke('x', 'a', { kind: 'write', value });
    copy = stored;
    if (!bugs.isEarly) stored = value;
    write({ kind: 'answered', answer: null });
    const read = history.invoke('y', 'a', { kind: 'read' });
    read({ kind: 'answered', answer: bugs.isStale ? copy : stored });
    if (bugs.isEarly) stored = value;
  }
  return checkLinearizable(registerModel, history.operations).violations.length;
}
