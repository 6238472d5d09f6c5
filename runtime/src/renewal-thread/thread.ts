/** The thread that renews one lease: it is started for it, and ended from outside. */
import { workerData } from 'node:worker_threads';
import { createStateProvider } from '../adapters/create-state-provider.ts';
import { type Clock, systemClock } from '../foundation/clock.ts';
import { systemRandom } from '../foundation/random.ts';
import type { RenewalTask } from '../ports/lease-renewals.ts';
import { runRenewals } from '../services/renewal-loop.ts';
import { type ThreadData, ThreadMemory } from './thread-data.ts';

const { target, provider, memory, port, clockStartMs } = workerData as ThreadData;
const shared = new ThreadMemory(memory);
const clock: Clock = {
  monotonicMs: () => clockStartMs + Number(process.hrtime.bigint()) / 1e6,
  wallTime: () => new Date(),
  sleep: (delayMs, signal) => systemClock.sleep(delayMs, signal),
};

await runRenewals(
  {
    ...{ provider: createStateProvider(provider), clock, random: systemRandom, target },
    given: new Promise<RenewalTask>((resolve) => port.once('message', resolve)),
    permittedUntilMs: () => shared.permittedUntilMs,
    publish: (news) => {
      port.postMessage(news);
      shared.countNews();
    },
  },
  new AbortController().signal,
);
