import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StateProvider } from '../ports/state-provider.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedStateProvider } from '../testing/simulated-state-provider.ts';
import { SimulatedStore } from '../testing/simulated-store.ts';
import { ProviderCheck } from './provider-check.ts';

describe('ProviderCheck', () => {
  /** Of each look what is found, and what was told after it. */
  async function told(looks: readonly (readonly string[])[], isMine = true): Promise<unknown[]> {
    const clock = new SimulatedClock();
    const store = new SimulatedStore();
    const client = new SimulatedStateProvider({ store, clock, random: new SeededRandom(1) });
    const result: unknown[] = [];
    const end = new AbortController();
    let look = 0;
    const provider: StateProvider = Object.assign(client, {
      check: async () => {
        if (look > 0) result.push(check.issues().map(({ message }) => message));
        if (look === looks.length) end.abort();
        return looks[look++] ?? [];
      },
    });
    const check = new ProviderCheck({ provider, clock, isMine: () => isMine });
    const run = check.run(end.signal);
    for (let step = 0; step < 20 && (await clock.next()); step++);
    end.abort();
    await run;
    return result;
  }

  it('tells what two looks in a row have found, however its counts differ [CMP-11]', async () => {
    const lag = (count: number): string => `etcd member a is ${count} requests behind the others`;
    assert.deepEqual(await told([[], [lag(7000)], [lag(9000)], ['b is away'], []]), [
      [],
      [],
      [lag(9000)],
      [],
      [],
    ]);
  });

  it('does not look from an instance that is not the active coordinator', async () => {
    assert.deepEqual(await told([['b is away'], ['b is away']], false), []);
  });
});
