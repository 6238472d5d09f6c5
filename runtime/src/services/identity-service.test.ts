import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import { openIdentity } from './identity-service.ts';

const FACTS = {
  clusterUuid: '11111111-1111-4111-a111-111111111111',
  newUuid: 'aaaaaaaa-aaaa-4aaa-aaaa-aaaaaaaaaaaa',
  bootId: 'boot',
  logMode: 'fsync',
} as const;
const OTHER = '22222222-2222-4222-a222-222222222222';

function newDisk(): SimulatedDisk {
  const clock = new SimulatedClock();
  return new SimulatedDisk({ clock, random: new SeededRandom(1), latencyMs: 0 });
}

function stored(disk: SimulatedDisk): unknown {
  return JSON.parse(new TextDecoder().decode(disk.peek('instance.json')));
}

describe('openIdentity', () => {
  it('makes one that is stored before anyone hears of it', async () => {
    const disk = newDisk();
    const opened = await openIdentity(disk.mount(), FACTS);
    const identity = {
      v: 1,
      uuid: FACTS.newUuid,
      clusterUuid: FACTS.clusterUuid,
      incarnation: 1,
      logIncarnation: 1,
      bootId: 'boot',
    };
    assert.deepEqual(opened, { kind: 'opened', identity, isNew: true });
    assert.deepEqual(stored(disk), identity);
  });

  it('keeps it, and counts the start, durably', async () => {
    const disk = newDisk();
    await openIdentity(disk.mount(), FACTS);
    const again = await openIdentity(disk.mount(), { ...FACTS, newUuid: OTHER });
    disk.crash();
    assert.ok(again.kind === 'opened');
    assert.deepEqual(
      [again.isNew, again.identity.uuid, again.identity.incarnation],
      [false, FACTS.newUuid, 2],
    );
    assert.deepEqual(stored(disk), again.identity);
  });

  it('refuses the data of another cluster, and leaves it as it is', async () => {
    const disk = newDisk();
    await openIdentity(disk.mount(), FACTS);
    const before = stored(disk);
    const opened = await openIdentity(disk.mount(), { ...FACTS, clusterUuid: OTHER });
    assert.equal(opened.kind, 'failed');
    assert.deepEqual(stored(disk), before);
  });

  for (const [name, text] of [
    ['what is no JSON', '{'],
    ['an empty file', ''],
    ['JSON of another form', '{"v":2}'],
  ]) {
    it(`refuses ${name}, and never takes it for a new instance`, async () => {
      const disk = newDisk();
      disk.plant('instance.json', new TextEncoder().encode(text));
      assert.deepEqual(await openIdentity(disk.mount(), FACTS), {
        kind: 'failed',
        reason:
          'instance.json is damaged: restore it, or move the data directory away to join anew',
      });
    });
  }
});
