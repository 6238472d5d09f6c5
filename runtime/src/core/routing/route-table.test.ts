import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { buildRouteTable, findOwner, ownersOf } from './route-table.ts';

const uuids = ['a', 'b', 'c'].map((letter) => `00000000-0000-4000-8000-00000000000${letter}`);

describe('findOwner', () => {
  it('agrees with a search of every range', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(lengths, fc.integer({ min: -1, max: 70 }), (spans, bucketId) => {
        let next = 1;
        const assignment = spans.map((span, index) => {
          const range = {
            replicaset_uuid: uuids[index % uuids.length] ?? '',
            first: next,
            last: next + span - 1,
          };
          // Every third span leaves a gap behind it.
          next += span + (index % 3 === 2 ? 2 : 0);
          return range;
        });
        const group = {
          bucket_count: 100,
          bootstrapped: true,
          assignment: assignment.toReversed(),
        };
        const dumb = assignment.find(
          (range) => bucketId >= range.first && bucketId <= range.last,
        )?.replicaset_uuid;
        assert.equal(findOwner(buildRouteTable({ default: group }), bucketId), dumb);
      }),
    );
  });

  it('knows no owner in a group that does not exist', () => {
    assert.equal(findOwner(buildRouteTable({}), 1), undefined);
    assert.deepEqual(ownersOf(buildRouteTable({})), []);
  });
});
