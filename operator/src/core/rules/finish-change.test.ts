import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { editStatus, settledWorld, tell } from '../../testing/snapshots.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { finishChange } from './finish-change.ts';

const settled = settledWorld().snapshot();
const COMMITTED = settled.config?.meta.changeId ?? '';

function locked(locks: Readonly<Record<string, string>>): ClusterSnapshot {
  return Object.entries(locks).reduce(
    (snapshot, [podName, changeId]) =>
      editStatus(snapshot, podName, (status) => ({ ...status, preparedChangeId: changeId })),
    settled,
  );
}

describe('finishChange', () => {
  it('has nothing to do while nobody holds a lock', () => {
    assert.deepEqual(finishChange(settled), []);
  });

  it('tells exactly those that still hold the lock of the committed change', () => {
    const snapshot = locked({
      'employees-storage-1-0': COMMITTED,
      'employees-storage-2-1': COMMITTED,
      'employees-router-1-0': 'another',
    });
    assert.deepEqual(finishChange(snapshot), [
      {
        kind: 'act',
        actions: [
          {
            kind: 'finish-change',
            changeId: COMMITTED,
            addresses: ['employees-storage-1-0:8081', 'employees-storage-2-1:8081'],
          },
        ],
        reason: 'FinishingChange',
        message: `employees-storage-1-0, employees-storage-2-1 is told that config version ${settled.config?.meta.version} is committed.`,
      },
    ]);
  });

  it('leaves the lock of a change alone that nobody has committed', () => {
    const want = [
      'wait ConfigLocked: Instance employees-storage-1-0 holds the lock of a change that is not decided.',
    ];
    const snapshot = locked({ 'employees-storage-1-0': 'another' });
    assert.deepEqual(tell(finishChange(snapshot)), want);
    assert.deepEqual(tell(finishChange({ ...snapshot, config: undefined })), want);
  });
});
