import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClusterConfig } from '../contract/cluster-config.ts';
import { buildConfig, versionOf } from '../core/config/apply-patch.ts';
import type { Lock } from '../core/config/participant-state.ts';
import { ClusterError } from '../core/errors.ts';
import type { Disk } from '../ports/disk.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import { ConfigStore } from './config-store.ts';

const CLUSTER = '11111111-1111-4111-a111-111111111111';

function buildLock(base: ClusterConfig | undefined, value: number): Lock {
  const change = {
    changeId: String(value).padStart(64, '0'),
    clusterUuid: CLUSTER,
    base: versionOf(base),
    authority: 'provider',
    participants: [{ uuid: CLUSTER, httpUri: 'a:1' }],
    author: 'admin',
    message: 'why',
    time: '2026-01-01T00:00:00.000Z',
  } as const;
  const next = buildConfig({ value: { value }, text: 'line\r\n' }, change);
  return { change: { ...change, participants: [...change.participants] }, next };
}

function newDisk(): SimulatedDisk {
  const clock = new SimulatedClock();
  return new SimulatedDisk({ clock, random: new SeededRandom(1), latencyMs: 0 });
}

async function installed(disk: SimulatedDisk, values: readonly number[]): Promise<ClusterConfig> {
  const store = new ConfigStore(disk.mount());
  let config: ClusterConfig | undefined;
  for (const value of values) {
    const lock = buildLock(config, value);
    await store.storeLock(lock);
    await store.installLock(lock.next);
    config = lock.next;
  }
  assert.ok(config !== undefined);
  return config;
}

/** Runs `action` on a disk that dies after its n-th operation; false when it came to its end. */
async function crashAfter(
  disk: SimulatedDisk,
  operations: number,
  action: (store: ConfigStore) => Promise<void>,
): Promise<boolean> {
  let left = operations;
  const real = disk.mount();
  const step = <T>(effect: () => Promise<T>): Promise<T> => {
    left -= 1;
    return left < 0 ? Promise.reject(new Error('crash')) : effect();
  };
  const view: Disk = {
    read: (file) => step(() => real.read(file)),
    writeAtomic: (file, bytes) => step(() => real.writeAtomic(file, bytes)),
    readPart: (file, offset, length) => step(() => real.readPart(file, offset, length)),
    size: (file) => step(() => real.size(file)),
    openAppend: (file) => step(() => real.openAppend(file)),
    truncate: (file, size) => step(() => real.truncate(file, size)),
    rename: (from, to) => step(() => real.rename(from, to)),
    remove: (target) => step(() => real.remove(target)),
    list: (folder) => step(() => real.list(folder)),
  };
  try {
    await action(new ConfigStore(view));
    return false;
  } catch {
    // The planted crash.
    return true;
  }
}

async function load(disk: SimulatedDisk): Promise<Awaited<ReturnType<ConfigStore['load']>>> {
  return new ConfigStore(disk.mount()).load();
}

describe('ConfigStore', () => {
  it('begins empty', async () => {
    assert.deepEqual(await load(newDisk()), { active: undefined, lock: undefined, decisions: [] });
  });

  it('finds lock, decisions and active config again', async () => {
    const disk = newDisk();
    const active = await installed(disk, [1]);
    const lock = buildLock(active, 2);
    const store = new ConfigStore(disk.mount());
    await store.storeLock(lock);
    const aborted = { changeId: 'x', decision: 'abort', reason: 'r', version: 1 } as const;
    await store.storeDecisions([aborted]);
    const committed = { changeId: active.meta.changeId, decision: 'commit', version: 1 } as const;
    assert.deepEqual(await load(disk), {
      active,
      lock,
      decisions: [aborted, { ...committed, reason: 'it is installed' }],
    });
  });

  it('has the old or the new config after a crash at any operation of an installation [CONF-14]', async () => {
    const seen = new Set<number>();
    for (let operations = 0; ; operations++) {
      const disk = newDisk();
      const old = await installed(disk, [1, 2]);
      const lock = buildLock(old, 3);
      await new ConfigStore(disk.mount()).storeLock(lock);
      const crashed = await crashAfter(disk, operations, (store) => store.installLock(lock.next));
      const found = await load(disk);
      const isNew = found.active?.meta.version === 3;
      assert.deepEqual(found.active, isNew ? lock.next : old);
      assert.deepEqual(found.lock, isNew ? undefined : lock);
      seen.add(found.active.meta.version);
      if (!crashed) break;
    }
    assert.deepEqual([...seen], [2, 3]);
  });

  it('has the whole lock or none after a crash at any operation of storing and releasing it', async () => {
    for (let operations = 0; ; operations++) {
      const disk = newDisk();
      const active = await installed(disk, [1]);
      const lock = buildLock(active, 2);
      const crashed = await crashAfter(disk, operations, async (store) => {
        await store.storeLock(lock);
        await store.releaseLock();
      });
      const found = await load(disk);
      assert.deepEqual(found.active, active);
      if (found.lock !== undefined) assert.deepEqual(found.lock, lock);
      if (!crashed) {
        assert.equal(found.lock, undefined);
        break;
      }
    }
  });

  it('finishes or forgets a fetched config after a crash at any operation', async () => {
    for (let operations = 0; ; operations++) {
      const disk = newDisk();
      const old = await installed(disk, [1]);
      const { next } = buildLock(old, 2);
      const crashed = await crashAfter(disk, operations, (store) => store.installFetched(next));
      const { active } = await load(disk);
      assert.deepEqual(active, active?.meta.version === 2 ? next : old);
      if (!crashed) break;
    }
  });

  it('drops a lock whose abort was remembered before the crash', async () => {
    const disk = newDisk();
    const active = await installed(disk, [1]);
    const lock = buildLock(active, 2);
    const store = new ConfigStore(disk.mount());
    await store.storeLock(lock);
    const { changeId } = lock.change;
    await store.storeDecisions([{ changeId, decision: 'abort', reason: '', version: 1 }]);
    assert.equal((await load(disk)).lock, undefined);
  });

  it('keeps the last 20 configs, newest first', async () => {
    const disk = newDisk();
    await installed(
      disk,
      Array.from({ length: 23 }, (_, index) => index),
    );
    const history = await new ConfigStore(disk.mount()).history();
    assert.deepEqual(
      history.map((config) => config.meta.version),
      Array.from({ length: 20 }, (_, index) => 23 - index),
    );
  });

  const damages: readonly (readonly [string, string, string])[] = [
    ['config/value.yml', 'value: [', 'sections.value'],
    ['config/value.yml', 'value: 9', 'sections.meta'],
    ['config.decisions.json', '{', 'sections.config.decisions.json'],
  ];
  for (const [file, content, field] of damages) {
    it(`refuses a damaged ${file} (${content}), naming it [CONF-15]`, async () => {
      const disk = newDisk();
      await installed(disk, [1]);
      disk.plant(file, new TextEncoder().encode(content));
      await assert.rejects(load(disk), (error: unknown) => {
        assert.ok(error instanceof ClusterError);
        assert.deepEqual([error.code, error.field], ['CONFIG_INVALID', field]);
        assert.ok(error.message.includes(file.startsWith('config/') ? 'config/' : file));
        return true;
      });
    });
  }
});
