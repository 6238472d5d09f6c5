/** Watching: nothing is missed, nothing comes twice, and a watch from too long ago is refused. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { at, type ContractContext, MERGE } from './kubernetes-api-context.ts';
import { configMap, widget } from './kubernetes-api-widgets.ts';
import type { Json } from './kubernetes-connection.ts';

/** Long enough for a slow server to deliver; a test that has seen enough leaves earlier. */
const WATCH_SECONDS = 30;

export function describeWatch(api: ContractContext): void {
  const watchPath = (collection: string, query: Readonly<Record<string, string>>): string => {
    const params = { watch: 'true', timeoutSeconds: String(WATCH_SECONDS), ...query };
    return `${collection}?${new URLSearchParams(params).toString()}`;
  };
  const take = async (path: string, count: number): Promise<Json[]> => {
    const events: Json[] = [];
    for await (const event of api.watch(path)) {
      events.push(event);
      if (events.length === count) break;
    }
    return events;
  };
  const briefly = (event: Json): unknown[] => [
    event['type'],
    at(event, 'object', 'metadata', 'name'),
    at(event, 'object', 'data', 'step'),
  ];
  const versionNow = async (): Promise<string> => {
    const list = await api.ok('GET', api.configMaps());
    return String(at(list, 'metadata', 'resourceVersion'));
  };

  describe('watching', () => {
    it('tells every change after a version, in order', async () => {
      const name = api.newName();
      const resourceVersion = await versionNow();
      await api.ok('POST', api.configMaps(), configMap(name, { step: '1' }));
      await api.ok('PATCH', api.configMaps(name), { data: { step: '2' } }, MERGE);
      await api.ok('DELETE', api.configMaps(name));
      const fieldSelector = `metadata.name=${name}`;
      const events = await take(watchPath(api.configMaps(), { resourceVersion, fieldSelector }), 3);
      assert.deepEqual(events.map(briefly), [
        ['ADDED', name, '1'],
        ['MODIFIED', name, '2'],
        ['DELETED', name, '2'],
      ]);
      const versions = events.map((event) =>
        Number(at(event, 'object', 'metadata', 'resourceVersion')),
      );
      assert.deepEqual(
        versions,
        [...versions].sort((a, b) => a - b),
      );
      assert.equal(new Set(versions).size, 3);
    });

    it('begins with what is there when no version is named', async () => {
      const name = api.newName();
      await api.ok('POST', api.configMaps(), configMap(name, { step: '1' }));
      const path = watchPath(api.configMaps(), { fieldSelector: `metadata.name=${name}` });
      const events: Json[] = [];
      for await (const event of api.watch(path)) {
        events.push(event);
        if (events.length === 1) {
          await api.ok('PATCH', api.configMaps(name), { data: { step: '2' } }, MERGE);
        } else break;
      }
      assert.deepEqual(events.map(briefly), [
        ['ADDED', name, '1'],
        ['MODIFIED', name, '2'],
      ]);
    });

    it('goes on where an earlier watch ended', async () => {
      const name = api.newName();
      const fieldSelector = `metadata.name=${name}`;
      const resourceVersion = await versionNow();
      await api.ok('POST', api.configMaps(), configMap(name, { step: '1' }));
      await api.ok('PATCH', api.configMaps(name), { data: { step: '2' } }, MERGE);
      const [first] = await take(
        watchPath(api.configMaps(), { resourceVersion, fieldSelector }),
        1,
      );
      const seen = String(at(first, 'object', 'metadata', 'resourceVersion'));
      const rest = await take(
        watchPath(api.configMaps(), { resourceVersion: seen, fieldSelector }),
        1,
      );
      assert.deepEqual(rest.map(briefly), [['MODIFIED', name, '2']]);
    });

    it('shows an object that leaves the selection as deleted', async () => {
      const name = api.newName();
      const resourceVersion = await versionNow();
      const labels = { picked: name };
      await api.ok('POST', api.configMaps(), configMap(name, { step: '1' }, { labels }));
      const leave = { metadata: { labels: { picked: null } }, data: { step: '2' } };
      await api.ok('PATCH', api.configMaps(name), leave, MERGE);
      const enter = { metadata: { labels }, data: { step: '3' } };
      await api.ok('PATCH', api.configMaps(name), enter, MERGE);
      const labelSelector = `picked=${name}`;
      const events = await take(watchPath(api.configMaps(), { resourceVersion, labelSelector }), 3);
      assert.deepEqual(
        events.map((event) => event['type']),
        ['ADDED', 'DELETED', 'ADDED'],
      );
    });

    it('does not tell of a write that changed nothing', async () => {
      const name = api.newName();
      const resourceVersion = await versionNow();
      await api.ok('POST', api.configMaps(), configMap(name, { step: '1' }));
      await api.ok('PATCH', api.configMaps(name), { data: { step: '1' } }, MERGE);
      await api.ok('DELETE', api.configMaps(name));
      const fieldSelector = `metadata.name=${name}`;
      const events = await take(watchPath(api.configMaps(), { resourceVersion, fieldSelector }), 2);
      assert.deepEqual(
        events.map((event) => event['type']),
        ['ADDED', 'DELETED'],
      );
    });

    it('ends when its time is over', async () => {
      const path = watchPath(api.configMaps(), {
        timeoutSeconds: '1',
        resourceVersion: await versionNow(),
        fieldSelector: 'metadata.name=nothing-has-this-name',
      });
      assert.deepEqual(await take(path, 1), []);
    });

    it('marks the end of the initial objects with a bookmark', async () => {
      const name = api.newName();
      await api.ok('POST', api.widgets(), widget(name));
      const path = watchPath(api.widgets(), {
        sendInitialEvents: 'true',
        resourceVersionMatch: 'NotOlderThan',
        allowWatchBookmarks: 'true',
        fieldSelector: `metadata.name=${name}`,
      });
      const [object, bookmark] = await take(path, 2);
      assert.deepEqual([object?.['type'], bookmark?.['type']], ['ADDED', 'BOOKMARK']);
      assert.deepEqual(at(bookmark, 'object', 'metadata', 'annotations'), {
        'k8s.io/initial-events-end': 'true',
      });
      assert.match(String(at(bookmark, 'object', 'metadata', 'resourceVersion')), /^\d+$/);
    });

    it('sends no bookmark that was not asked for', async () => {
      const path = watchPath(api.widgets(), {
        fieldSelector: 'metadata.name=nothing-has-this-name',
        timeoutSeconds: '2',
      });
      assert.deepEqual(await take(path, 1), []);
    });

    it('refuses to go on from a version that is no longer kept', async () => {
      const path = watchPath(api.widgets(), { resourceVersion: '1' });
      const [event] = await take(path, 1);
      // A server may refuse in the answer itself or in the first event.
      const status = event?.['type'] === 'ERROR' ? event['object'] : event;
      assert.deepEqual([at(status, 'kind'), at(status, 'code')], ['Status', 410]);
    });
  });
}
