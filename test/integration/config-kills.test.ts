import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { runConfigKills } from '../soak/config-kills.ts';
import { findEtcd, type RealEtcd, startEtcd } from '../support/etcd.ts';
import { LocalCluster } from '../support/local-cluster.ts';

const binary = findEtcd();
const absent =
  binary === undefined && 'no etcd: install etcd-server, or set ETCD_BIN to its binary';
const ROUNDS = 40;
const SEED = 1;

describe('a change of the config under kill -9', { skip: absent }, () => {
  const running = new AsyncDisposableStack();
  let etcd: RealEtcd;
  let cluster: LocalCluster;

  before(async () => {
    etcd = running.adopt(await startEtcd(binary!), (started) => started.stop());
    const starting = LocalCluster.start({
      provider: { kind: 'etcd', endpoints: [etcd.endpoint], prefix: '/kills/' },
      storages: [2, 1],
    });
    cluster = running.adopt(await starting, (started) => started.stop());
  });
  after(() => running.disposeAsync());

  it('ends in one config on all instances, with no lock [2PC-01]', async (test) => {
    const { violations, counts } = await runConfigKills(cluster, {
      random: new SeededRandom(SEED),
      goesOn: (rounds) => rounds < ROUNDS,
      tell: (line) => test.diagnostic(line),
    });
    assert.deepEqual(violations, []);
    assert.equal(counts['rounds'], ROUNDS);
    // Kills that never meet a change would prove nothing.
    assert.ok((counts['committed'] ?? 0) > 0 && (counts['cut'] ?? 0) > 0, JSON.stringify(counts));
  });
});
