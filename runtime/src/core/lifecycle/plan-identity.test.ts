import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { InstanceIdentity } from '../../contract/identity.ts';
import { planIdentity, type StartFacts } from './plan-identity.ts';

const CLUSTER = '00000000-0000-4000-8000-000000000001';
const UUID = '00000000-0000-4000-8000-000000000002';

const found: InstanceIdentity = {
  v: 1,
  uuid: UUID,
  clusterUuid: CLUSTER,
  incarnation: 4,
  logIncarnation: 2,
  bootId: 'boot-a',
};
const facts: StartFacts = {
  clusterUuid: CLUSTER,
  bootId: 'boot-a',
  logMode: 'write',
  newUuid: UUID,
  isReseeding: false,
};

describe('planIdentity', () => {
  const cases: { name: string; over: Partial<StartFacts>; logIncarnation: number }[] = [
    { name: 'keeps the log on the same boot', over: {}, logIncarnation: 2 },
    { name: 'counts another boot', over: { bootId: 'boot-b' }, logIncarnation: 3 },
    {
      name: 'counts every start where the boot is unknown',
      over: { bootId: '' },
      logIncarnation: 3,
    },
    {
      name: 'keeps the log over a boot when every write was synced',
      over: { bootId: 'boot-b', logMode: 'fsync' },
      logIncarnation: 2,
    },
    {
      name: 'counts a start without the rows there were',
      over: { logMode: 'fsync', isReseeding: true },
      logIncarnation: 3,
    },
  ];
  for (const { name, over, logIncarnation } of cases) {
    it(name, () => {
      const given = { ...facts, ...over };
      const identity = { ...found, incarnation: 5, logIncarnation, bootId: given.bootId };
      assert.deepEqual(planIdentity(found, given), { kind: 'identity', identity, isNew: false });
    });
  }

  it('is born with an empty directory', () => {
    const identity = { ...found, incarnation: 1, logIncarnation: 1 };
    assert.deepEqual(planIdentity(undefined, facts), { kind: 'identity', identity, isNew: true });
  });

  it('refuses the directory of another cluster', () => {
    const plan = planIdentity({ ...found, clusterUuid: UUID }, facts);
    assert.ok(
      plan.kind === 'foreign' && plan.reason.includes(UUID) && plan.reason.includes(CLUSTER),
    );
  });
});
