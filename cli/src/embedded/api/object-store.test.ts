import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApiError } from './api-error.ts';
import { type JsonObject, objectAt, textAt, valueAt } from './json.ts';
import { ObjectStore, type ObjectStoreOptions } from './object-store.ts';
import type { ServedResource } from './served-resource.ts';

const NOW_MS = Date.parse('2030-01-01T00:00:00Z');

const DEFINITION = {
  metadata: { name: 'things.try.dev' },
  spec: {
    group: 'try.dev',
    scope: 'Namespaced',
    names: { plural: 'things', kind: 'Thing' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } },
          },
        },
      },
    ],
  },
};

function open(options: ObjectStoreOptions = {}): {
  store: ObjectStore;
  resource: (plural: string, group?: string) => ServedResource;
} {
  const store = new ObjectStore({ nowMs: () => NOW_MS, ...options });
  return {
    store,
    resource: (plural, group = '') => store.resource({ group, version: 'v1', plural }),
  };
}

const inDefault = (name: string): { namespace: string; name: string } => ({
  namespace: 'default',
  name,
});

function pod(name: string, spec: JsonObject = {}): JsonObject {
  return { metadata: { name }, spec: { containers: [{ name: 'c', image: 'x' }], ...spec } };
}

function refusal(run: () => unknown): [number, string] {
  try {
    run();
  } catch (error) {
    if (error instanceof ApiError) return [error.code, error.message];
    throw error;
  }
  assert.fail('it was not refused');
}

describe('ObjectStore', () => {
  it('hands out objects that a reader cannot change', () => {
    const { store, resource } = open();
    store.create(resource('configmaps'), 'default', { metadata: { name: 'a' }, data: { x: '1' } });
    const found = store.get(resource('configmaps'), inDefault('a'));
    assert.throws(() => {
      objectAt(found, 'data')['x'] = '2';
    }, TypeError);
  });

  it('marks a pod that runs and removes it when the time it was given ends', () => {
    const { store, resource } = open();
    store.create(resource('pods'), 'default', pod('p', { nodeName: 'n' }));
    const marked = store.delete(resource('pods'), inDefault('p'));
    assert.deepEqual(
      [
        marked.isRemoved,
        marked.object.metadata.deletionTimestamp,
        marked.object.metadata.deletionGracePeriodSeconds,
      ],
      [false, '2030-01-01T00:00:30Z', 30],
    );
    const ended = store.delete(resource('pods'), inDefault('p'), { gracePeriodSeconds: 0 });
    assert.equal(ended.isRemoved, true);
    assert.equal(store.find(resource('pods'), inDefault('p')), undefined);
  });

  it('removes a pod that no machine runs at once', () => {
    const { store, resource } = open();
    store.create(resource('pods'), 'default', pod('p'));
    assert.equal(store.delete(resource('pods'), inDefault('p')).isRemoved, true);
  });

  it('deletes an object that was made for owners that are gone', () => {
    const { store, resource } = open();
    const ownerReferences = [{ apiVersion: 'v1', kind: 'Pod', name: 'gone', uid: 'gone' }];
    store.create(resource('configmaps'), 'default', { metadata: { name: 'a', ownerReferences } });
    assert.equal(store.find(resource('configmaps'), inDefault('a')), undefined);
  });

  it('keeps a namespace until its last object is gone', () => {
    const { store, resource } = open();
    store.create(resource('namespaces'), '', { metadata: { name: 'n' } });
    store.create(resource('pods'), 'n', pod('p', { nodeName: 'm' }));
    const home = { namespace: '', name: 'n' };
    store.delete(resource('namespaces'), home);
    assert.equal(textAt(store.get(resource('namespaces'), home), 'status', 'phase'), 'Terminating');
    assert.deepEqual(
      refusal(() => store.create(resource('configmaps'), 'n', { metadata: { name: 'a' } }))[0],
      403,
    );
    store.delete(resource('pods'), { namespace: 'n', name: 'p' }, { gracePeriodSeconds: 0 });
    assert.equal(store.find(resource('namespaces'), home), undefined);
  });

  it('shows one event in both of its forms', () => {
    const { store, resource } = open();
    store.create(resource('events', 'events.k8s.io'), 'default', {
      metadata: { name: 'e' },
      regarding: { kind: 'Pod', name: 'p' },
      note: 'It happened.',
    });
    const core = store.get(resource('events'), inDefault('e'));
    assert.deepEqual(
      [core.apiVersion, core['message'], core['involvedObject'], core['note']],
      ['v1', 'It happened.', { kind: 'Pod', name: 'p' }, undefined],
    );
    const list = store.list(resource('events'), { fieldSelector: 'involvedObject.name=p' });
    assert.equal(list.items.length, 1);
  });

  it('refuses a custom resource with the verdict that it is given', () => {
    const { store, resource } = open({
      validate: (group, kind, object, old) =>
        old !== undefined && valueAt(old, 'spec', 'size') !== valueAt(object, 'spec', 'size')
          ? [{ field: 'spec.size', message: `${group}/${kind} keeps its size` }]
          : [],
    });
    store.create(resource('customresourcedefinitions', 'apiextensions.k8s.io'), '', DEFINITION);
    const things = resource('things', 'try.dev');
    store.create(things, 'default', { metadata: { name: 't' }, spec: { size: 1 } });
    const change = { format: 'merge', body: { spec: { size: 2 } } } as const;
    assert.deepEqual(
      refusal(() => store.patch(things, inDefault('t'), change)),
      [
        422,
        'Thing.try.dev "t" is invalid: spec.size: Invalid value: 2: try.dev/Thing keeps its size',
      ],
    );
  });

  it('takes the objects of a definition along, and serves them no longer', () => {
    const { store, resource } = open();
    const definitions = resource('customresourcedefinitions', 'apiextensions.k8s.io');
    store.create(definitions, '', DEFINITION);
    store.create(resource('things', 'try.dev'), 'default', { metadata: { name: 't' } });
    store.delete(definitions, { namespace: '', name: 'things.try.dev' });
    assert.equal(refusal(() => resource('things', 'try.dev'))[0], 404);
    store.create(definitions, '', DEFINITION);
    assert.deepEqual(store.list(resource('things', 'try.dev')).items, []);
  });

  it('refuses to watch from before what it keeps', () => {
    const { store, resource } = open({ watchHistory: 4 });
    const maps = resource('configmaps');
    const from = store.resourceVersion;
    for (let count = 0; count < 10; count++) {
      store.create(maps, 'default', { metadata: { name: `m${count}` } });
    }
    assert.equal(refusal(() => store.watch(maps, from, () => undefined))[0], 410);
    const seen: string[] = [];
    const recent = store.resourceVersion - 2;
    store.watch(maps, recent, (change) => seen.push(change.object.metadata.name)).close();
    assert.deepEqual(seen, ['m8', 'm9']);
  });

  it('lets only the mutable fields of a stateful set change', () => {
    const { store, resource } = open();
    const sets = resource('statefulsets', 'apps');
    const template = {
      metadata: { labels: { a: 'b' } },
      spec: { containers: [{ name: 'c', image: 'x' }] },
    };
    const selector = { matchLabels: { a: 'b' } };
    store.create(sets, 'default', {
      metadata: { name: 's' },
      spec: { selector, template, serviceName: 's' },
    });
    const patch = (spec: JsonObject): unknown =>
      store.patch(sets, inDefault('s'), { format: 'merge', body: { spec } });
    patch({ replicas: 3 });
    assert.equal(refusal(() => patch({ serviceName: 'other' }))[0], 422);
    assert.equal(store.get(sets, inDefault('s')).metadata.generation, 2);
  });
});
