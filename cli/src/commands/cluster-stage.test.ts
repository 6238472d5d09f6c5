import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { obstacleOf, stageOf } from './cluster-stage.ts';

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
      stageOf({ cluster: {}, hasPods: false }),
      stageOf({ cluster: open, hasPods: true }),
      stageOf({ cluster: joined, hasPods: true }),
      stageOf({ cluster: ready, hasPods: true }),
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
      stageOf({ cluster: cluster({ ...refused, Bootstrapped: ['True'] }), hasPods: true }),
      { kind: 'refused', text: 'The bucket count is fixed.' },
    );
    const serving = cluster({ ...refused, Ready: ['True'] });
    assert.equal(stageOf({ cluster: serving, hasPods: true }).kind, 'ready');
  });
});
