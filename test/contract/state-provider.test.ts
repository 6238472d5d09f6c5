import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { StateboardStateProvider } from '../../runtime/src/adapters/stateboard-state-provider.ts';
import { systemClock } from '../../runtime/src/foundation/clock.ts';
import { silentLogger } from '../../runtime/src/foundation/logger.ts';
import { StateboardServer } from '../../runtime/src/stateboard/server.ts';
import { StateboardStore } from '../../runtime/src/stateboard/store.ts';
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

describeStateProvider('StateboardStateProvider', async () => {
  const workdir = mkdtempSync(path.join(tmpdir(), 'tonearm-stateboard-'));
  const store = await StateboardStore.open({ workdir, wallTimeMs: 1_700_000_000_000 });
  const server = new StateboardServer({ store, password: 'secret', logger: silentLogger });
  const uri = `127.0.0.1:${await server.listen('127.0.0.1', 0)}`;
  return {
    client: async (prefix) => new StateboardStateProvider({ uri, prefix, password: 'secret' }),
    compact: () => store.compact(),
    close: async () => {
      await server.close();
      await store.close();
      rmSync(workdir, { recursive: true });
    },
  };
});
