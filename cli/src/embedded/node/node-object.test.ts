import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { objectAt } from '../api/json.ts';
import { ObjectStore } from '../api/object-store.ts';
import { registerNode } from './node-object.ts';
import { StoreNodeApi } from './store-node-api.ts';

describe('registerNode', () => {
  it('makes one ready node, which stays the same over starts', () => {
    const store = new ObjectStore({});
    const nodes = store.resource({ group: '', version: 'v1', plural: 'nodes' });
    registerNode(new StoreNodeApi(store), { now: '2026-01-01T00:00:00Z', version: 'v1' });
    const [first] = store.list(nodes).items;
    registerNode(new StoreNodeApi(store), { now: '2026-01-02T00:00:00Z', version: 'v2' });
    const { items } = store.list(nodes);
    assert.deepEqual(
      items.map(({ metadata }) => [metadata.name, metadata.uid]),
      [['laptop', first?.metadata.uid]],
    );
    const info = objectAt(items[0], 'status', 'nodeInfo');
    assert.equal(info['kubeletVersion'], 'v2');
    const cells = nodes.columns.slice(0, 3).map(({ cellOf }) => cellOf(items[0] ?? never(), 0));
    assert.deepEqual(cells, ['laptop', 'Ready', '<none>']);
  });
});

function never(): never {
  throw new Error('there is no node');
}
