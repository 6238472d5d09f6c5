import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LABELS } from '../api/names.ts';
import { settledWorld } from '../testing/snapshots.ts';
import { claimOf, isLeaving } from './wanted-sets.ts';

const SET = 'employees-storage-1';
const settled = settledWorld().snapshot();
const storage = settled.replicaSets.find(({ metadata }) => metadata.name === SET);
assert.ok(storage !== undefined);

describe('claimOf', () => {
  it('knows an object by its owner when its labels were overwritten', () => {
    const found = settled.statefulSets.find(({ metadata }) => metadata.name === SET);
    assert.ok(found !== undefined);
    const labels = { ...found.metadata.labels, [LABELS.managedBy]: 'somebody' };
    const relabelled = { ...found, metadata: { ...found.metadata, labels } };
    assert.equal(claimOf(relabelled, 'employees', storage), 'ours');
    const orphaned = { ...relabelled, metadata: { ...relabelled.metadata, ownerReferences: [] } };
    assert.equal(claimOf(orphaned, 'employees', storage), 'foreign');
  });
});

describe('isLeaving', () => {
  function named(name: string): typeof storage & object {
    return { ...storage!, metadata: { ...storage!.metadata, name } };
  }

  it('is true for a set beyond the count of its template', () => {
    assert.equal(isLeaving(settled, named('employees-storage-3')), true);
    assert.equal(isLeaving(settled, named(SET)), false);
  });

  it('is false for a copy that a user has made under another name', () => {
    for (const name of ['mine', 'employees-storage-copy', 'employees-storage-1-b']) {
      assert.equal(isLeaving(settled, named(name)), false, name);
    }
  });
});
