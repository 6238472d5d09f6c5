import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  believed,
  firstIncarnation,
  GOSSIP_STATUSES,
  type GossipEntry,
  INCARNATION_MAX,
} from './entry.ts';

const anyEntry: fc.Arbitrary<GossipEntry> = fc.record(
  {
    uri: fc.constant('a:1'),
    status: fc.constantFrom(...GOSSIP_STATUSES),
    incarnation: fc.nat(3),
    payload: fc.dictionary(fc.constantFrom('uuid', 'state'), fc.constantFrom('x', 'y'), {
      noNullPrototype: true,
    }),
  },
  { noNullPrototype: true },
);

function entry(status: GossipEntry['status'], incarnation: number, state = 'x'): GossipEntry {
  return { uri: 'a:1', status, incarnation, payload: { state } };
}

describe('believed', () => {
  const table: readonly (readonly [string, GossipEntry, GossipEntry, GossipEntry])[] = [
    ['a higher incarnation', entry('dead', 1), entry('alive', 2, 'y'), entry('alive', 2, 'y')],
    [
      'what was known rather than a lower one',
      entry('alive', 2),
      entry('left', 1),
      entry('alive', 2),
    ],
    ['a suspicion', entry('alive', 1), entry('suspect', 1), entry('suspect', 1)],
    ['a death', entry('suspect', 1), entry('dead', 1), entry('dead', 1)],
    ['a goodbye after a death', entry('dead', 1), entry('left', 1), entry('left', 1)],
    ['never the better one', entry('left', 1), entry('alive', 1), entry('left', 1)],
  ];
  for (const [what, known, heard, wanted] of table) {
    it(`is ${what} [MEM-03, MEM-07]`, () => {
      assert.deepEqual(believed(known, heard), wanted);
    });
  }

  it('is what was known, itself, when nothing is new', () => {
    const known = entry('suspect', 3);
    assert.equal(believed(known, entry('suspect', 3)), known);
    assert.equal(believed(known, entry('alive', 3)), known);
  });

  it('does not depend on the order and number in which words are heard', () => {
    fc.assert(
      fc.property(anyEntry, anyEntry, anyEntry, (a, b, c) => {
        assert.deepEqual(believed(a, b), believed(b, a));
        assert.deepEqual(believed(believed(a, b), c), believed(a, believed(b, c)));
        assert.deepEqual(believed(believed(a, b), b), believed(a, b));
      }),
    );
  });
});

describe('firstIncarnation', () => {
  it('is above all of the starts before, and can always be raised', () => {
    assert.deepEqual([1, 2].map(firstIncarnation), [16_777_216, 33_554_432]);
    assert.ok(firstIncarnation(Number.MAX_SAFE_INTEGER) < INCARNATION_MAX);
  });
});
