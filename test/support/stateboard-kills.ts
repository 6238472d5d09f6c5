/**
 * Rounds of a real stateboard that is killed with -9 while clients write: whatever was answered is there afterwards, in
 * the order of its revisions, and what was not answered is there as a whole or not at all.
 */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { StateboardStateProvider } from '../../runtime/src/adapters/stateboard-state-provider.ts';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { startStateboardIn } from './stateboard.ts';

export async function runStateboardKills(
  workdir: string,
  { rounds, random }: { readonly rounds: number; readonly random: SeededRandom },
): Promise<number> {
  const options = { timeoutMs: 3000 };
  const answered = new Map<string, number>();
  let count = 0;
  for (let round = 0; round < rounds; round++) {
    const board = await startStateboardIn(workdir);
    const provider = new StateboardStateProvider({ uri: board.uri, prefix: '/k/', password: '' });
    const found = new Map(
      (await provider.list('', options)).entries.map(({ key, value }) => [key, Number(value)]),
    );
    for (const [key, value] of answered) {
      assert.ok(
        (found.get(key) ?? 0) >= value,
        `${key}: ${value} was answered, ${found.get(key)} found`,
      );
    }
    for (let pair = 0; pair < 4; pair++) assert.equal(found.get(`a${pair}`), found.get(`b${pair}`));
    const writers = Array.from({ length: 4 }, async (_, pair) => {
      for (let value = (found.get(`a${pair}`) ?? 0) + 1; ; value++) {
        const writes = [`a${pair}`, `b${pair}`].map(
          (key) => ({ kind: 'put', key, value: String(value) }) as const,
        );
        const outcome = await provider
          .transact({ compare: [], writes }, options)
          .catch(() => undefined);
        if (outcome?.kind !== 'applied') return;
        answered.set(`a${pair}`, value);
        count += 1;
      }
    });
    await delay(20 + random.integer(200));
    await board.kill();
    await Promise.all(writers);
    await provider.close();
  }
  return count;
}
