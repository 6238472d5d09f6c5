import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EtcdStateProvider } from '../../runtime/src/adapters/etcd-state-provider.ts';
import { ProviderError } from '../../runtime/src/ports/state-provider.ts';
import { describeStateProvider } from '../contract/state-provider.ts';
import { findEtcd, startEtcd } from '../support/etcd.ts';

const binary = findEtcd();
const absent =
  binary === undefined && 'no etcd: install etcd-server, or set ETCD_BIN to its binary';

if (binary !== undefined) {
  describeStateProvider('EtcdStateProvider', async () => {
    const etcd = await startEtcd(binary);
    return {
      client: async (prefix) => new EtcdStateProvider({ endpoints: [etcd.endpoint], prefix }),
      compact: () => etcd.compact(),
      wipe: () => etcd.wipe(),
      close: () => etcd.stop(),
    };
  });
}

describe('EtcdStateProvider with a failing server', { skip: absent }, () => {
  it('ends calls by their deadline and a watch by its watchdog, and recovers', async () => {
    const etcd = await startEtcd(binary!);
    const provider = new EtcdStateProvider({
      endpoints: [etcd.endpoint],
      prefix: '/frozen/',
      watchIdleMs: 300,
    });
    try {
      const { revision } = await provider.list('', { timeoutMs: 5_000 });
      const watch = provider.watch('', revision + 1, () => undefined, new AbortController().signal);
      const lost = assert.rejects(watch, ProviderError);
      etcd.pause();
      await assert.rejects(
        provider.get('a', { timeoutMs: 200 }),
        (error) => error instanceof ProviderError && error.kind === 'refused',
      );
      await assert.rejects(
        provider.transact({ compare: [], writes: [] }, { timeoutMs: 200 }),
        (error) => error instanceof ProviderError && error.kind === 'unknown',
      );
      await lost;
      etcd.resume();
      assert.equal(await provider.get('a', { timeoutMs: 10_000 }), undefined);
    } finally {
      etcd.resume();
      await provider.close();
      await etcd.stop();
    }
  });
});
