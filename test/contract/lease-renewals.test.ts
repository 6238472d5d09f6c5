import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { StateProviderConfig } from '@tonearm/runtime/contract';
import { createStateProvider } from '../../runtime/src/adapters/create-state-provider.ts';
import { systemClock } from '../../runtime/src/foundation/clock.ts';
import { silentLogger } from '../../runtime/src/foundation/logger.ts';
import { systemRandom } from '../../runtime/src/foundation/random.ts';
import { ThreadRenewals } from '../../runtime/src/renewal-thread/thread-renewals.ts';
import { LoopRenewals } from '../../runtime/src/services/loop-renewals.ts';
import { StateboardServer } from '../../runtime/src/stateboard/server.ts';
import { StateboardStore } from '../../runtime/src/stateboard/store.ts';
import { describeLeaseRenewals } from './lease-renewals.ts';

async function startBoard() {
  const workdir = mkdtempSync(path.join(tmpdir(), 'tonearm-renewals-'));
  const store = await StateboardStore.open({ workdir });
  const open = () => new StateboardServer({ store, password: 'secret', logger: silentLogger });
  let server = open();
  const port = await server.listen('127.0.0.1', 0);
  const uri = `127.0.0.1:${port}`;
  let prefixes = 0;
  return {
    provider: (): StateProviderConfig => ({
      ...{ kind: 'stateboard', uri, prefix: `/${prefixes++}/`, password: 'secret' },
    }),
    away: async () => {
      await server.close();
      return async () => {
        server = open();
        await server.listen('127.0.0.1', port);
      };
    },
    close: async () => {
      await server.close();
      await store.close();
      rmSync(workdir, { recursive: true });
    },
  };
}

const onTheLoop = (config: StateProviderConfig): LoopRenewals =>
  new LoopRenewals({
    ...{ clock: systemClock, random: systemRandom },
    openProvider: () => createStateProvider(config),
  });

describeLeaseRenewals('LoopRenewals', onTheLoop, startBoard);
describeLeaseRenewals('ThreadRenewals', (config) => new ThreadRenewals(config), startBoard);
