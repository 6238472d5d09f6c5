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
    wipe: async () => store.forget(),
    close: async () => undefined,
  };
});

describeStateProvider('StateboardStateProvider', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'tonearm-stateboard-'));
  const start = async (workdir: string, port: number) => {
    const store = await StateboardStore.open({ workdir });
    const server = new StateboardServer({ store, password: 'secret', logger: silentLogger });
    return { store, server, port: await server.listen('127.0.0.1', port) };
  };
  const stop = async ({ server, store }: typeof board): Promise<void> => {
    await server.close();
    await store.close();
  };
  let board = await start(mkdtempSync(path.join(folder, 'workdir-')), 0);
  const uri = `127.0.0.1:${board.port}`;
  return {
    client: async (prefix) => new StateboardStateProvider({ uri, prefix, password: 'secret' }),
    compact: () => board.store.compact(),
    wipe: async () => {
      await stop(board);
      board = await start(mkdtempSync(path.join(folder, 'workdir-')), board.port);
    },
    close: async () => {
      await stop(board);
      rmSync(folder, { recursive: true });
    },
  };
});
