/** The thread that renews one lease: it is started for it, and ended from outside. */
import { workerData } from 'node:worker_threads';
import { createStateProvider } from '../adapters/create-state-provider.ts';
import { type Clock, systemClock } from '../foundation/clock.ts';
import { systemRandom } from '../foundation/random.ts';
import { runRenewals } from '../services/renewal-loop.ts';
import { type ThreadData, ThreadMemory } from './thread-data.ts';

const { task, provider, memory, news, clockStartMs } = workerData as ThreadData;
const shared = new ThreadMemory(memory);
const clock: Clock = {
  monotonicMs: () => clockStartMs + Number(process.hrtime.bigint()) / 1e6,
  wallTime: () => new Date(),
  sleep: (delayMs, signal) => systemClock.sleep(delayMs, signal),
};

await runRenewals(
  {
    ...{ provider: createStateProvider(provider), clock, random: systemRandom, task },
    permittedUntilMs: () => shared.permittedUntilMs,
    publish: (published) => {
      news.postMessage(published);
      shared.countNews();
    },
  },
  new AbortController().signal,
);
