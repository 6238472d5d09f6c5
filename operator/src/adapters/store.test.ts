import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '@tonearm/runtime/foundation';
import type { ConfigMap } from '../api/kube-object.ts';
import { ObjectStore } from './store.ts';

function configMap(name: string, resourceVersion: string, owner = 'x'): ConfigMap {
  const labels = { owner };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: 'data', name, resourceVersion, labels },
  };
}

function newStore() {
  const store = new ObjectStore<ConfigMap>(silentLogger, {
    owner: ({ metadata }) => [metadata.labels?.['owner'] ?? ''],
  });
  const changes: string[] = [];
  store.subscribe(({ kind, object }) => {
    changes.push(`${kind} ${object.metadata.name}@${object.metadata.resourceVersion ?? ''}`);
  });
  return { store, changes };
}

describe('ObjectStore', () => {
  it('finds objects by name, namespace and index, also after they have changed', () => {
    const { store } = newStore();
    store.replace([configMap('a', '1'), configMap('b', '2')], '5');
    store.upsert(configMap('a', '6', 'y'));
    store.remove(configMap('b', '7'));
    const names = (objects: readonly ConfigMap[]) => objects.map(({ metadata }) => metadata.name);
    assert.deepEqual(
      [
        names(store.byIndex('owner', 'x')),
        names(store.byIndex('owner', 'y')),
        names(store.list('data')),
        names(store.list('other')),
      ],
      [[], ['a'], ['a'], []],
    );
    assert.equal(store.get({ namespace: 'data', name: 'a' })?.metadata.resourceVersion, '6');
    assert.throws(() => store.byIndex('colour', 'x'), new Error('there is no index "colour"'));
  });

  it('reads the own write before the watch has brought it, once', () => {
    const { store, changes } = newStore();
    store.replace([configMap('a', '1')], '5');
    store.offer(configMap('a', '6'));
    store.upsert(configMap('a', '6'));
    assert.deepEqual(changes, ['added a@1', 'modified a@6']);
  });

  it('does not bring back what was deleted after the own write', () => {
    const { store, changes } = newStore();
    store.replace([], '5');
    store.upsert(configMap('a', '6'));
    store.remove(configMap('a', '7'));
    store.advance('7');
    store.offer(configMap('a', '6'));
    assert.deepEqual(changes, ['added a@6', 'deleted a@7']);
  });

  it('keeps an own write through a list that is older', () => {
    const { store, changes } = newStore();
    store.replace([configMap('a', '1')], '5');
    store.offer(configMap('b', '9'));
    store.replace([configMap('a', '1')], '8');
    store.replace([configMap('a', '1')], '10');
    assert.deepEqual(changes, ['added a@1', 'added b@9', 'deleted b@9']);
  });

  it('compares versions as numbers', () => {
    const { store } = newStore();
    store.replace([configMap('a', '9')], '9');
    store.upsert(configMap('a', '10'));
    store.upsert(configMap('a', '9'));
    assert.equal(store.list()[0]?.metadata.resourceVersion, '10');
  });

  it('drops managed fields', () => {
    const { store } = newStore();
    const { metadata, ...rest } = configMap('a', '1');
    store.upsert({ ...rest, metadata: { ...metadata, managedFields: [{}] } } as ConfigMap);
    assert.deepEqual(store.list(), [configMap('a', '1')]);
  });

  it('has synced only with a complete list', () => {
    const { store } = newStore();
    store.upsert(configMap('a', '1'));
    assert.equal(store.hasSynced(), false);
    store.replace([], '2');
    assert.equal(store.hasSynced(), true);
  });
});
