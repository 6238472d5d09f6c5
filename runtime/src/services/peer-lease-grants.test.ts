import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { ClusterError } from '../core/errors.ts';
import type { GrantVerdict } from '../core/failover/peer-lease.ts';
import { silentLogger } from '../foundation/logger.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import { PeerLeaseGrants } from './peer-lease-grants.ts';

const TTL = 1000;
const HOLDER = '00000000-0000-4000-8000-000000000001';
const request = { term: 3, holder: HOLDER, round: 1, ttlMs: TTL };
const granted = (): GrantVerdict => ({ kind: 'granted' });
const alive = async () => false;
const dead = async () => true;

describe('granted peer leases', () => {
  let clock: SimulatedClock;
  let disk: SimulatedDisk;
  let grants: PeerLeaseGrants;

  const start = async (): Promise<PeerLeaseGrants> => {
    const started = new PeerLeaseGrants({ disk: disk.mount(), clock, logger: silentLogger });
    await settled(started.open());
    return started;
  };
  /** Lets virtual time pass until it is done. */
  const settled = async <T>(work: Promise<T>): Promise<T> => {
    const progress = { isDone: false };
    const end = (): void => {
      progress.isDone = true;
    };
    work.then(end, end);
    while (!progress.isDone) await clock.advance(1);
    return work;
  };
  const promise = (isOver: () => Promise<boolean> = alive): Promise<string> =>
    settled(grants.promise(isOver, async () => 'promised'));
  const assertRefused = async (work: Promise<unknown>, atMostMs: number): Promise<void> => {
    const error = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof ClusterError);
    assert.equal(error.code, 'PEER_LEASE_HELD');
    const remainingMs = Number(error.details?.['remainingMs']);
    assert.ok(remainingMs > 0 && remainingMs <= atMostMs, String(remainingMs));
  };

  beforeEach(async () => {
    clock = new SimulatedClock();
    disk = new SimulatedDisk({ clock, random: new SeededRandom(1) });
    grants = await start();
  });

  it('forbid promises, and say for how long', async () => {
    assert.equal(await promise(), 'promised');
    assert.deepEqual(await settled(grants.grant(request, granted)), { kind: 'granted' });
    await assertRefused(promise(), 1100);
    await clock.advance(1090);
    await assertRefused(promise(), 11);
    await clock.advance(15);
    assert.equal(await promise(), 'promised');
  });

  it('forbid promises after a restart, even if they had almost ended', async () => {
    await settled(grants.grant(request, granted));
    await clock.advance(1000);
    grants = await start();
    await clock.advance(1000);
    await assertRefused(promise(), 101);
    await clock.advance(110);
    assert.equal(await promise(), 'promised');
  });

  it('are on the disk before they are given, once in an outage', async () => {
    await settled(grants.grant(request, granted));
    const bytes = disk.peek('peer-lease.json');
    assert.deepEqual(JSON.parse(new TextDecoder().decode(bytes)), { v: 1, ...request });
    await settled(grants.grant(request, granted));
    assert.equal(disk.peek('peer-lease.json'), bytes);
  });

  it('are not given when they are refused at the last moment', async () => {
    const verdicts: GrantVerdict[] = [{ kind: 'granted' }, { kind: 'refused', reason: 'late' }];
    const verdict = await settled(grants.grant(request, () => verdicts.shift() ?? granted()));
    assert.deepEqual(verdict, { kind: 'refused', reason: 'late' });
  });

  it('wait for a promise that is being stored, and the other way round', async () => {
    const steps: string[] = [];
    const storing = grants.promise(alive, async () => {
      steps.push('promising');
      await clock.sleep(50);
      steps.push('promised');
    });
    const judged = grants.grant(request, () => {
      steps.push('judged');
      return { kind: 'refused', reason: 'promised' };
    });
    await settled(Promise.all([storing, judged]));
    assert.deepEqual(steps, ['promising', 'promised', 'judged']);
    const granting = grants.grant(request, granted);
    await assertRefused(promise(), 1100);
    assert.deepEqual(await granting, { kind: 'granted' });
  });

  it('end by the word of the holder, for this round and not for a later one', async () => {
    await settled(grants.grant({ ...request, round: 2 }, granted));
    await settled(grants.end({ term: 3, holder: HOLDER, round: 1 }));
    await assertRefused(promise(), 1100);
    await settled(grants.end({ term: 3, holder: HOLDER, round: 2 }));
    assert.equal(await promise(), 'promised');
  });

  it('end when the holder is known to be dead', async () => {
    await settled(grants.grant(request, granted));
    assert.equal(await promise(dead), 'promised');
  });

  it('are taken from the disk when they have ended', async () => {
    const stop = new AbortController();
    const running = grants.run(stop.signal);
    await settled(grants.grant(request, granted));
    await clock.advance(1050);
    assert.notEqual(disk.peek('peer-lease.json'), undefined);
    await clock.advance(200);
    assert.equal(disk.peek('peer-lease.json'), undefined);
    stop.abort();
    await settled(running);
  });

  it('refuse to start from a damaged file', async () => {
    await settled(disk.mount().writeAtomic('peer-lease.json', new TextEncoder().encode('{')));
    const damaged = new PeerLeaseGrants({ disk: disk.mount(), clock, logger: silentLogger });
    await assert.rejects(settled(damaged.open()), /peer-lease.json cannot be read/);
  });
});
