import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type FailoverConfig, failoverSchema } from '../../contract/cluster-config.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';
import type { Candidate } from './candidate.ts';
import type { Health } from './instance-health.ts';
import { type LedSet, type Moves, type MovesSnapshot, planMoves } from './voluntary-moves.ts';

const NOW = 1_000_000;
const IMMUNITY = 15_000;

const healthy: Health = { kind: 'healthy', configVersion: 1 };
const unhealthy: Health = { kind: 'unhealthy', configVersion: 1, why: 'OperationError: no' };
const unknown: Health = { kind: 'unknown' };

const member = (uuid: string, change: Partial<Candidate> = {}): Candidate => ({
  ...{ uuid, electable: true, disabled: false },
  ...change,
});

function set(
  change: Partial<LedSet> & { inSync?: readonly string[]; leader?: string } = {},
): LedSet {
  const { inSync = ['a', 'b', 'c'], leader = 'a', ...rest } = change;
  const seats = inSync.map((uuid) => ({ uuid, incarnation: 1 }));
  return {
    uuid: 'rs',
    members: [member('a'), member('b'), member('c')],
    appointment: { v: 1, term: 3, leader, inSync: seats, reason: '' },
    sinceMs: NOW - IMMUNITY,
    isAutomatic: false,
    failedMs: undefined,
    ...rest,
  };
}

function plan(
  sets: readonly LedSet[],
  health: Readonly<Record<string, Health>> = {},
  failover: Partial<FailoverConfig> = {},
): Moves {
  const snapshot: MovesSnapshot = {
    failover: { ...failoverSchema.parse({}), ...failover },
    sets,
    healthOf: (uuid) => health[uuid] ?? healthy,
  };
  return planMoves(snapshot, NOW);
}

function brief({ moves, kept }: Moves): string {
  const moved = moves.map(
    ({ replicaSetUuid, to, reason }) => `${replicaSetUuid} to ${to}: ${reason}`,
  );
  return [...moved, ...[...kept].map(([uuid, reason]) => `${uuid} kept: ${reason}`)].join(', ');
}

type Row = readonly [string, ReturnType<typeof plan>, string];

const zones = [member('a', { zone: 'x' }), member('b', { zone: 'y' }), member('c', { zone: 'x' })];
const returning = { leader_autoreturn: true, autoreturn_delay: 60 };

const table: readonly Row[] = [
  ['leaves a healthy leader alone', plan([set()]), ''],
  [
    'leaves an unhealthy leader [FO-42]',
    plan([set()], { a: unhealthy }),
    'rs to b: leader-unhealthy',
  ],
  ['does not leave one that only does not answer', plan([set()], { a: unknown }), ''],
  [
    'goes only to one that is known to be healthy',
    plan([set()], { a: unhealthy, b: unknown }),
    'rs to c: leader-unhealthy',
  ],
  [
    'goes only to one that is in sync',
    plan([set({ inSync: ['a', 'c'] })], { a: unhealthy }),
    'rs to c: leader-unhealthy',
  ],
  [
    'goes only to one that may lead',
    plan(
      [
        set({
          members: [
            member('a'),
            member('b', { electable: false }),
            member('c', { disabled: true }),
          ],
        }),
      ],
      { a: unhealthy },
    ),
    'rs kept: no-healthy-candidates',
  ],
  [
    'goes to none whose config is older, which may be why it is well',
    plan([set()], { a: { ...unhealthy, configVersion: 2 }, c: { ...healthy, configVersion: 2 } }),
    'rs to c: leader-unhealthy',
  ],
  [
    'waits while the leader is immune',
    plan([set({ sinceMs: NOW - IMMUNITY + 1 })], { a: unhealthy }),
    'rs kept: immunity-not-expired',
  ],
  [
    'waits as long after a handover that failed',
    plan([set({ failedMs: NOW - IMMUNITY + 1 })], { a: unhealthy }),
    'rs kept: immunity-not-expired',
  ],
  [
    'returns leadership to the first in priority [FO-85]',
    plan([set({ leader: 'b', sinceMs: NOW - 60_000 })], {}, returning),
    'rs to a: autoreturn',
  ],
  [
    'does not return it before its time',
    plan([set({ leader: 'b', sinceMs: NOW - 59_999 })], {}, returning),
    '',
  ],
  [
    'begins a new period after a try that failed',
    plan([set({ leader: 'b', sinceMs: NOW - 90_000, failedMs: NOW - 59_999 })], {}, returning),
    '',
  ],
  [
    'does not return it to an unhealthy one',
    plan([set({ leader: 'b', sinceMs: NOW - 60_000 })], { a: unhealthy }, returning),
    '',
  ],
  [
    'does not return it to one that is not in sync, nor to the next instead',
    plan([set({ leader: 'c', inSync: ['b', 'c'], sinceMs: NOW - 60_000 })], {}, returning),
    '',
  ],
  [
    'returns it to the first in priority of the preferred zone [CMP-13]',
    plan(
      [set({ members: zones, sinceMs: NOW - 60_000 })],
      {},
      { ...returning, preferred_zone: 'y' },
    ),
    'rs to b: autoreturn',
  ],
  [
    'does not return it where one instance alone is enabled',
    plan(
      [set({ leader: 'b', members: [member('a'), member('b', { disabled: true })], sinceMs: 0 })],
      {},
      returning,
    ),
    '',
  ],
  [
    'brings what a failover took elsewhere into the preferred zone',
    plan([set({ members: zones, isAutomatic: true })], {}, { preferred_zone: 'y' }),
    'rs to b: preferred-zone',
  ],
  [
    'leaves where it is what somebody has promoted',
    plan([set({ members: zones })], {}, { preferred_zone: 'y' }),
    '',
  ],
];

/** As many sets, each with a member in every place; all led in the first. */
function crowded(count: number, places: readonly string[]): LedSet[] {
  return Array.from({ length: count }, (_, index) => {
    const members = places.map((zone) => member(`${index}${zone}`, { zone }));
    const inSync = members.map(({ uuid }) => uuid);
    return set({ uuid: `${index}`, members, inSync, leader: `${index}${places[0]}` });
  });
}

function apply(sets: readonly LedSet[], moves: Moves): LedSet[] {
  return sets.map((led) => {
    const to = moves.moves.find(({ replicaSetUuid }) => replicaSetUuid === led.uuid)?.to;
    return to === undefined ? led : { ...led, appointment: { ...led.appointment, leader: to } };
  });
}

function countsOf(sets: readonly LedSet[], places: readonly string[]): number[] {
  return places.map(
    (zone) => sets.filter(({ appointment }) => appointment.leader.endsWith(zone)).length,
  );
}

describe('planMoves', () => {
  for (const [name, moves, expected] of table) {
    it(name, () => assert.equal(brief(moves), expected));
  }

  it('moves one leader at a time until they are evenly spread', () => {
    const places = ['x', 'y', 'z'];
    let sets = crowded(7, places);
    for (let round = 0; round < 20; round++) {
      const moves = plan(sets, {}, { spread_leaders: 'zone' });
      assert.ok(moves.moves.length <= 1);
      sets = apply(sets, moves);
    }
    assert.deepEqual(countsOf(sets, places).toSorted(), [2, 2, 3]);
    assert.deepEqual(countsOf(apply(sets, plan(sets)), places), countsOf(sets, places));
  });

  it('spreads over nodes by their label, and leaves immune leaders where they are', () => {
    const sets = crowded(2, ['x', 'y']).map((led) => ({
      ...led,
      members: led.members.map(({ zone, ...rest }) => ({ ...rest, ...(zone && { node: zone }) })),
    }));
    const moves = plan(sets, {}, { spread_leaders: 'node' });
    assert.equal(brief(moves), '0 to 0y: spread-leaders');
    const immune = sets.map((led) => ({ ...led, sinceMs: NOW - 1 }));
    assert.equal(brief(plan(immune, {}, { spread_leaders: 'node' })), '');
  });

  it('reaches an even spread from anywhere, over chains of sets, and then rests', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = new SeededRandom(seed);
      const places = ['v', 'w', 'x', 'y', 'z'].slice(0, 2 + random.integer(4));
      // A ring of pairs: every place can be reached from every other.
      let sets = places.map((zone, index) => {
        const next = places[(index + 1) % places.length] ?? zone;
        const members = [zone, next].map((place) => member(`${index}${place}`, { zone: place }));
        const inSync = members.map(({ uuid }) => uuid);
        return set({ uuid: `${index}`, members, inSync, leader: random.pick(inSync) });
      });
      for (let round = 0; round < 40; round++) {
        sets = apply(sets, plan(sets, {}, { spread_leaders: 'zone' }));
      }
      const counts = countsOf(sets, places);
      assert.ok(
        Math.max(...counts) - Math.min(...counts) <= 1,
        `seed ${seed}: ${counts.join(' ')}`,
      );
      assert.equal(brief(plan(sets, {}, { spread_leaders: 'zone' })), '');
    }
  });

  it('does not return leaders where that would undo the spreading', () => {
    const places = ['x', 'y'];
    const [first, second] = crowded(2, places);
    assert.ok(first && second);
    const moved = { ...second, appointment: { ...second.appointment, leader: '1y' } };
    const sets = [first, moved].map((led) => ({ ...led, sinceMs: 0 }));
    assert.equal(brief(plan(sets, {}, { ...returning, spread_leaders: 'zone' })), '');
    assert.equal(brief(plan(sets, {}, returning)), '1 to 1x: autoreturn');
  });
});
