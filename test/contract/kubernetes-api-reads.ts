/** Discovery, selection, pages, tables, and the form of refusals. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { at, type ContractContext, WIDGETS } from './kubernetes-api-context.ts';
import { configMap, widget } from './kubernetes-api-widgets.ts';
import type { Json } from './kubernetes-connection.ts';

const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };

export function describeReads(api: ContractContext): void {
  const namesOf = (list: Json): unknown[] =>
    (list['items'] as Json[]).map((item) => at(item, 'metadata', 'name'));

  describe('reading', () => {
    it('tells which resources are served', async () => {
      const list = await api.ok('GET', WIDGETS);
      const resources = list['resources'] as Json[];
      assert.deepEqual(resources.map((resource) => resource['name']).sort(), [
        'widgets',
        'widgets/scale',
        'widgets/status',
      ]);
      const own = resources.find((resource) => resource['name'] === 'widgets');
      assert.deepEqual(
        [own?.['kind'], own?.['namespaced'], own?.['shortNames']],
        ['Widget', true, ['ctw']],
      );
      const core = await api.ok('GET', '/api/v1');
      const coreNames = (core['resources'] as Json[]).map((resource) => resource['name']);
      assert.ok(
        ['pods', 'pods/log', 'pods/eviction', 'configmaps'].every((n) => coreNames.includes(n)),
      );
    });

    it('publishes an OpenAPI document for each group version', async () => {
      const index = await api.ok('GET', '/openapi/v3');
      const url = at(index, 'paths', 'apis/apps/v1', 'serverRelativeURL');
      assert.equal(typeof url, 'string');
      const document = await api.ok('GET', String(url));
      assert.ok(at(document, 'components', 'schemas') !== undefined);
    });

    it('selects by label', async () => {
      const [one, two] = [api.newName(), api.newName()];
      const group = api.newName();
      await api.ok('POST', api.configMaps(), configMap(one, {}, { labels: { group, tier: 'a' } }));
      await api.ok('POST', api.configMaps(), configMap(two, {}, { labels: { group, tier: 'b' } }));
      const select = async (selector: string): Promise<unknown[]> => {
        const query = encodeURIComponent(`group=${group},${selector}`);
        return namesOf(await api.ok('GET', `${api.configMaps()}?labelSelector=${query}`));
      };
      assert.deepEqual(await select('tier=a'), [one]);
      assert.deepEqual(await select('tier!=a'), [two]);
      assert.deepEqual(await select('tier in (a, b)'), [one, two]);
      assert.deepEqual(await select('tier notin (a)'), [two]);
      assert.deepEqual(await select('tier'), [one, two]);
      assert.deepEqual(await select('!tier'), []);
    });

    it('selects by field, and refuses fields that are not declared', async () => {
      const [one, two] = [api.newName(), api.newName()];
      await api.ok('POST', api.widgets(), widget(one, { owner: one }));
      await api.ok('POST', api.widgets(), widget(two, { owner: two }));
      const byOwner = await api.ok('GET', `${api.widgets()}?fieldSelector=spec.owner%3D${one}`);
      assert.deepEqual(namesOf(byOwner), [one]);
      const byName = await api.ok('GET', `${api.widgets()}?fieldSelector=metadata.name%3D${two}`);
      assert.deepEqual(namesOf(byName), [two]);
      const refused = await api.request('GET', `${api.widgets()}?fieldSelector=spec.mode%3DSafe`);
      assert.equal(refused.code, 400);
    });

    it('hands out a long list in pages', async () => {
      const group = api.newName();
      const names = [api.newName(), api.newName(), api.newName()].sort();
      for (const name of names) {
        await api.ok('POST', api.configMaps(), configMap(name, {}, { labels: { group } }));
      }
      const path = `${api.configMaps()}?labelSelector=group%3D${group}&limit=2`;
      const first = await api.ok('GET', path);
      const token = encodeURIComponent(String(at(first, 'metadata', 'continue')));
      const second = await api.ok('GET', `${path}&continue=${token}`);
      assert.deepEqual([...namesOf(first), ...namesOf(second)], names);
      assert.ok(!at(second, 'metadata', 'continue'));
    });

    it('prints tables with the columns of the definition', async () => {
      const name = api.newName();
      await api.ok('POST', api.widgets(), widget(name, { replicas: 3 }));
      const table = await api.ok('GET', api.widgets(name), undefined, TABLE);
      assert.equal(table['kind'], 'Table');
      const columns = table['columnDefinitions'] as Json[];
      assert.deepEqual(
        columns.map((column) => [column['name'], column['priority']]),
        [
          ['Name', 0],
          ['Replicas', 0],
          ['Mode', 1],
        ],
      );
      const [row] = table['rows'] as Json[];
      assert.deepEqual(row?.['cells'], [name, 3, 'Safe']);
      assert.equal(at(row, 'object', 'kind'), 'PartialObjectMetadata');
      assert.equal(at(row, 'object', 'metadata', 'name'), name);
    });

    it('answers a missing object with a status', async () => {
      const name = api.newName();
      const answer = await api.request('GET', api.widgets(name));
      assert.deepEqual(
        [answer.code, answer.body],
        [
          404,
          {
            kind: 'Status',
            apiVersion: 'v1',
            metadata: {},
            status: 'Failure',
            message: `widgets.contract.tonearm.dev "${name}" not found`,
            reason: 'NotFound',
            details: { name, group: 'contract.tonearm.dev', kind: 'widgets' },
            code: 404,
          },
        ],
      );
    });

    it('answers a resource that is not served with a status', async () => {
      const answer = await api.request('GET', `${WIDGETS}/gadgets`);
      assert.equal(answer.code, 404);
    });
  });
}
