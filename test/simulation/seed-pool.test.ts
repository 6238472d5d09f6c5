import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { SeedPool } from './seed-pool.ts';

describe('processes that play seeds', () => {
  const program = new URL('fixtures/fragile-worker.ts', import.meta.url);
  const pool = new SeedPool({ jobs: 1, program, limitMs: 1000 });
  after(() => pool.close());
  const play = (seed: number): ReturnType<SeedPool['play']> => pool.play({ subject: '', seed });

  it('go on with another one when one has ended or does not answer', async () => {
    const outcomes = await Promise.all([1, 2, 3, 4, 5].map(play));
    assert.deepEqual(
      outcomes.map(({ violations }) => violations),
      [
        [],
        ['its process ended with 7'],
        ['its process ended with SIGKILL, after 1000 ms without an end'],
        [],
        [],
      ],
    );
    const [first, , , fourth, fifth] = outcomes.map(({ counts }) => counts['pid']);
    assert.notEqual(fourth, first);
    assert.equal(fifth, fourth);
  });
});
