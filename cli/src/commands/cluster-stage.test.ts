import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { allRunSince, obstacleOf, stageOf } from './cluster-stage.ts';

type Conditions = Readonly<Record<string, readonly [status: string, message?: string]>>;

function cluster(conditions: Conditions): object {
  const list = Object.entries(conditions).map(([type, [status, message = '']]) => ({
    type,
    status,
    message,
  }));
  return { status: { conditions: list } };
}

describe('stageOf', () => {
  it('goes from the manifest over the processes and the config to ready', () => {
    const open = cluster({ Ready: ['False', 'x'], Bootstrapped: ['False'], SpecValid: ['True'] });
    const joined = cluster({ Ready: ['False'], Bootstrapped: ['True'] });
    const ready = cluster({ Ready: ['True'], Bootstrapped: ['True'] });
    const stages = [
      stageOf({ cluster: {}, hasPods: false, isStale: false }),
      stageOf({ cluster: open, hasPods: true, isStale: false }),
      stageOf({ cluster: joined, hasPods: true, isStale: false }),
      stageOf({ cluster: ready, hasPods: true, isStale: false }),
    ];
    assert.deepEqual(
      stages.map(({ kind }) => kind),
      ['planned', 'starting', 'joined', 'ready'],
    );
    assert.equal(obstacleOf(open), 'x');
  });

  it('gives the reason of a refusal, even of a cluster that has been running', () => {
    const refused = { SpecValid: ['False', 'The bucket count is fixed.'] } as const;
    assert.deepEqual(
      stageOf({
        cluster: cluster({ ...refused, Bootstrapped: ['True'] }),
        hasPods: true,
        isStale: false,
      }),
      { kind: 'refused', text: 'The bucket count is fixed.' },
    );
    const serving = cluster({ ...refused, Ready: ['True'] });
    assert.equal(stageOf({ cluster: serving, hasPods: true, isStale: false }).kind, 'ready');
  });

  it('does not believe what an earlier run has left', () => {
    const ready = cluster({ Ready: ['True'], Bootstrapped: ['True'] });
    assert.equal(stageOf({ cluster: ready, hasPods: true, isStale: true }).kind, 'starting');
  });
});

describe('allRunSince', () => {
  const began = '2026-01-01T10:00:00Z';
  function pod(ready: boolean, startedAt: string): object {
    return { status: { containerStatuses: [{ ready, state: { running: { startedAt } } }] } };
  }

  it('counts a pod that is ready in a process of this run only', () => {
    const fresh = pod(true, began);
    assert.deepEqual(
      [
        [],
        [fresh],
        [fresh, pod(true, '2026-01-01T09:59:59Z')],
        [fresh, pod(false, began)],
        [fresh, {}],
      ].map((pods) => allRunSince(pods, began)),
      [true, true, false, false, false],
    );
  });
});
