import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Topology, topologySchema } from '../contract/cluster-config.ts';
import { silentLogger } from '../foundation/logger.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedNetwork } from '../testing/simulated-peers.ts';
import { AutomaticChanges } from './automatic-changes.ts';
import { PAUSE_METHOD, pauseFailover, pauseHandler } from './failover-pause.ts';

const SET = '00000000-0000-4000-8000-0000000000aa';
const UUIDS = ['a', 'b', 'c'].map((end) => `00000000-0000-4000-8000-00000000000${end}`);
const [A = '', B = '', C = ''] = UUIDS;

/** Three instances, the last one disabled. */
function topologyOf(mode: Topology['failover']['mode']): Topology {
  return topologySchema.parse({
    servers: Object.fromEntries(
      UUIDS.map((uuid) => [
        uuid,
        {
          ...{ uri: `${uuid}:1`, http_uri: `${uuid}:2`, alias: uuid.slice(-1) },
          ...{ replicaset_uuid: SET, disabled: uuid === C },
        },
      ]),
    ) as unknown,
    replicasets: { [SET]: { alias: 'set', roles: [], failover_priority: UUIDS } },
    failover: { mode },
  });
}

function givenInstances(...listening: readonly string[]) {
  const clock = new SimulatedClock();
  const network = new SimulatedNetwork({ clock, random: new SeededRandom(1) });
  const changes = new Map(
    listening.map((uuid) => [uuid, new AutomaticChanges({ clock, logger: silentLogger })]),
  );
  for (const [uuid, one] of changes) {
    network.listen(`${uuid}:2`, new Map([[PAUSE_METHOD, pauseHandler(one)]]));
  }
  const pause = async (isPaused: boolean, mode: Topology['failover']['mode'] = 'eventual') => {
    const answer = pauseFailover(network.peersFor(A), topologyOf(mode), isPaused);
    answer.catch(() => undefined);
    await clock.advance(5000);
    return answer;
  };
  const paused = () => [...changes].filter(([, one]) => one.isPaused).map(([uuid]) => uuid);
  return { pause, paused };
}

describe('pauseFailover', () => {
  it('reaches every enabled instance, and takes it back [FO-60]', async () => {
    const { pause, paused } = givenInstances(A, B, C);
    assert.deepEqual(await pause(true), { isPaused: true, instances: [A, B] });
    assert.deepEqual(paused(), [A, B]);
    assert.deepEqual(await pause(false), { isPaused: false, instances: [A, B] });
    assert.deepEqual(paused(), []);
  });

  it('pauses those that answer, and names the others [FO-60]', async () => {
    const { pause, paused } = givenInstances(A);
    await assert.rejects(pause(true), {
      code: 'PARTLY_DONE',
      message: /^Failover is paused on 1 instances, but not on b \(.+\)\. Repeat/,
    });
    assert.deepEqual(paused(), [A]);
  });

  it('refuses mode raft, in which nobody could obey, and resumes in any mode', async () => {
    const { pause, paused } = givenInstances(A, B);
    await assert.rejects(pause(true, 'raft'), { code: 'STATE_FORBIDS', message: /elect/ });
    assert.deepEqual(paused(), []);
    await pause(true);
    await pause(false, 'raft');
    assert.deepEqual(paused(), []);
  });
});
