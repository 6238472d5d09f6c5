import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { editSet, settledWorld } from '../testing/snapshots.ts';
import { replicaSetUuidOf } from './identity.ts';

const SET = 'employees-storage-1';
const STRANGER = '0e000000-0000-4000-8000-00000000000e';

describe('replicaSetUuidOf', () => {
  it('believes the config over what was recorded from the claims of an earlier replica set', () => {
    const settled = settledWorld().snapshot();
    const found = settled.replicaSets.find(({ metadata }) => metadata.name === SET);
    assert.ok(found?.status?.uuid !== undefined);
    const misled = editSet(settled, SET, (set) => ({
      ...set,
      status: { ...set.status, uuid: STRANGER },
    }));
    const [present] = misled.replicaSets.filter(({ metadata }) => metadata.name === SET);
    assert.ok(present !== undefined);
    assert.equal(replicaSetUuidOf(misled, present), found.status.uuid);
    assert.equal(replicaSetUuidOf({ ...misled, config: undefined }, present), STRANGER);
  });
});
