import { systemClock } from '../../runtime/src/foundation/clock.ts';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { SimulatedStateProvider } from '../../runtime/src/testing/simulated-state-provider.ts';
import { SimulatedStore } from '../../runtime/src/testing/simulated-store.ts';
import { describeStateProvider } from './state-provider.ts';

describeStateProvider('SimulatedStateProvider', async () => {
  const store = new SimulatedStore();
  const random = new SeededRandom(1);
  return {
    client: async (prefix) =>
      new SimulatedStateProvider({ store, prefix, clock: systemClock, random }),
    compact: async () => store.compact(),
    close: async () => undefined,
  };
});
