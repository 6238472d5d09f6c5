/** Creation, optimistic concurrency, generation, patches, writes that change nothing. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { at, type ContractContext, JSON_PATCH, MERGE } from './kubernetes-api-context.ts';
import { configMap, widget } from './kubernetes-api-widgets.ts';
import type { Json } from './kubernetes-connection.ts';

const STRATEGIC = { 'content-type': 'application/strategic-merge-patch+json' };

const versionOf = (object: Json): unknown => at(object, 'metadata', 'resourceVersion');
const generationOf = (object: Json): unknown => at(object, 'metadata', 'generation');

export function describeWrites(api: ContractContext): void {
  describe('writing', () => {
    it('gives a new object its bookkeeping', async () => {
      const name = api.newName();
      const made = await api.ok('POST', api.widgets(), {
        ...widget(name),
        metadata: { name, uid: 'mine', generation: 7, creationTimestamp: '2001-01-01T00:00:00Z' },
      });
      const metadata = made['metadata'] as Json;
      assert.equal(metadata['namespace'], api.namespace);
      assert.equal(metadata['generation'], 1);
      assert.match(String(metadata['uid']), /^[0-9a-f-]{36}$/);
      assert.match(String(metadata['resourceVersion']), /^\d+$/);
      assert.doesNotMatch(String(metadata['creationTimestamp']), /^2001/);
    });

    it('refuses a name that is taken', async () => {
      const name = api.newName();
      await api.ok('POST', api.configMaps(), configMap(name));
      const again = await api.request('POST', api.configMaps(), configMap(name));
      assert.deepEqual(
        [again.code, again.body['reason'], again.body['message']],
        [409, 'AlreadyExists', `configmaps "${name}" already exists`],
      );
    });

    it('completes a generated name', async () => {
      const made = await api.ok('POST', api.configMaps(), { metadata: { generateName: 'gen-' } });
      assert.match(String(at(made, 'metadata', 'name')), /^gen-[a-z0-9]+$/);
    });

    it('refuses objects in a namespace that does not exist', async () => {
      const path = '/api/v1/namespaces/contract-absent/configmaps';
      const answer = await api.request('POST', path, configMap('x'));
      assert.deepEqual([answer.code, at(answer.body, 'details', 'kind')], [404, 'namespaces']);
    });

    it('refuses a write that was made from an older version', async () => {
      const name = api.newName();
      const first = await api.ok('POST', api.configMaps(), configMap(name, { a: '1' }));
      await api.ok('PUT', api.configMaps(name), { ...first, data: { a: '2' } });
      const stale = await api.request('PUT', api.configMaps(name), { ...first, data: { a: '3' } });
      assert.deepEqual([stale.code, stale.body['reason']], [409, 'Conflict']);
      const patch = { metadata: { resourceVersion: versionOf(first) }, data: { a: '4' } };
      const stalePatch = await api.request('PATCH', api.configMaps(name), patch, MERGE);
      assert.equal(stalePatch.code, 409);
      const found = await api.ok('GET', api.configMaps(name));
      assert.deepEqual(found['data'], { a: '2' });
    });

    it('wants to know which version of a custom resource is replaced', async () => {
      const name = api.newName();
      await api.ok('POST', api.widgets(), widget(name));
      const { code, body } = await api.request('PUT', api.widgets(name), widget(name));
      assert.deepEqual(
        [code, at(body, 'details', 'causes', 0, 'field')],
        [422, 'metadata.resourceVersion'],
      );
      await api.ok('POST', api.configMaps(), configMap(name));
      await api.ok('PUT', api.configMaps(name), configMap(name, { a: '1' }));
    });

    it('refuses a body under another name than that of its path', async () => {
      const name = api.newName();
      await api.ok('POST', api.configMaps(), configMap(name));
      const put = await api.request('PUT', api.configMaps(name), configMap('other'));
      const applied = await api.apply(api.configMaps(name), configMap('other'), 'alpha');
      assert.deepEqual([put.code, applied.code], [400, 400]);
    });

    it('refuses a write to another object of the same name', async () => {
      const name = api.newName();
      const first = await api.ok('POST', api.configMaps(), configMap(name));
      const uid = '00000000-0000-4000-8000-000000000000';
      const other = { ...first, metadata: { name, uid }, data: { a: '1' } };
      const answer = await api.request('PUT', api.configMaps(name), other);
      assert.deepEqual([answer.code, answer.body['reason']], [409, 'Conflict']);
    });

    it('raises the generation for the spec and not for status or labels', async () => {
      const name = api.newName();
      await api.ok('POST', api.widgets(), widget(name));
      const labelled = { metadata: { labels: { a: 'b' } } };
      const first = await api.ok('PATCH', api.widgets(name), labelled, MERGE);
      const status = { status: { phase: 'Up' }, spec: { replicas: 5 } };
      const second = await api.ok('PATCH', `${api.widgets(name)}/status`, status, MERGE);
      const spec = { spec: { replicas: 4 }, status: { phase: 'Down' } };
      const third = await api.ok('PATCH', api.widgets(name), spec, MERGE);
      assert.deepEqual([first, second, third].map(generationOf), [1, 1, 2]);
      assert.deepEqual(
        [at(second, 'spec', 'replicas'), at(third, 'spec', 'replicas'), third['status']],
        [1, 4, { phase: 'Up' }],
      );
    });

    it('drops a status given at creation', async () => {
      const made = await api.ok('POST', api.widgets(), {
        ...widget(api.newName()),
        status: { phase: 'Up' },
      });
      assert.equal(made['status'], undefined);
    });

    it('does not write what changes nothing', async () => {
      const name = api.newName();
      const made = await api.ok('POST', api.configMaps(), configMap(name, { a: '1' }));
      const put = await api.ok('PUT', api.configMaps(name), made);
      const patched = await api.ok('PATCH', api.configMaps(name), { data: { a: '1' } }, MERGE);
      assert.deepEqual([versionOf(put), versionOf(patched)], [versionOf(made), versionOf(made)]);
    });

    it('removes a field by a merge patch with null', async () => {
      const name = api.newName();
      await api.ok('POST', api.configMaps(), configMap(name, { a: '1', b: '2' }));
      const patched = await api.ok('PATCH', api.configMaps(name), { data: { a: null } }, MERGE);
      assert.deepEqual(patched['data'], { b: '2' });
    });

    it('carries out a JSON patch as a whole or not at all', async () => {
      const name = api.newName();
      await api.ok('POST', api.configMaps(), configMap(name, { a: '1' }));
      const refused = await api.request(
        'PATCH',
        api.configMaps(name),
        [
          { op: 'add', path: '/data/b', value: '2' },
          { op: 'test', path: '/data/a', value: 'other' },
        ],
        JSON_PATCH,
      );
      assert.equal(refused.code, 422);
      const patched = await api.ok(
        'PATCH',
        api.configMaps(name),
        [
          { op: 'test', path: '/data/a', value: '1' },
          { op: 'replace', path: '/data/a', value: '3' },
        ],
        JSON_PATCH,
      );
      assert.deepEqual(patched['data'], { a: '3' });
    });

    it('merges keyed lists of built-in kinds by a strategic patch, and of no others', async () => {
      const name = api.newName();
      const services = `/api/v1/namespaces/${api.namespace}/services`;
      const port = { name: 'a', port: 80, protocol: 'TCP', targetPort: 80 };
      await api.ok('POST', services, {
        metadata: { name },
        spec: { clusterIP: 'None', ports: [port], selector: { app: name } },
      });
      const patch = { spec: { ports: [{ name: 'b', port: 81 }] } };
      const patched = await api.ok('PATCH', `${services}/${name}`, patch, STRATEGIC);
      const ports = at(patched, 'spec', 'ports') as Json[];
      assert.deepEqual(ports.map((item) => item['name']).sort(), ['a', 'b']);
      await api.ok('POST', api.widgets(), widget(name));
      const refused = await api.request('PATCH', api.widgets(name), { spec: {} }, STRATEGIC);
      assert.deepEqual([refused.code, refused.body['reason']], [415, 'UnsupportedMediaType']);
    });

    it('leaves everything as it is in a dry run', async () => {
      const name = api.newName();
      const path = `${api.configMaps()}?dryRun=All`;
      const { code } = await api.request('POST', path, configMap(name));
      assert.equal(code, 201);
      assert.equal((await api.request('GET', api.configMaps(name))).code, 404);
    });

    it('scales through the scale subresource', async () => {
      const name = api.newName();
      await api.ok('POST', api.widgets(), widget(name));
      const status = { status: { replicas: 1, selector: 'app=x' } };
      await api.ok('PATCH', `${api.widgets(name)}/status`, status, MERGE);
      const scale = await api.ok('GET', `${api.widgets(name)}/scale`);
      assert.deepEqual(
        [scale['kind'], scale['spec'], scale['status']],
        ['Scale', { replicas: 1 }, { replicas: 1, selector: 'app=x' }],
      );
      await api.ok('PUT', `${api.widgets(name)}/scale`, { ...scale, spec: { replicas: 2 } });
      await api.ok('PATCH', `${api.widgets(name)}/scale`, { spec: { replicas: 3 } }, MERGE);
      const stale = await api.request('PUT', `${api.widgets(name)}/scale`, {
        ...scale,
        spec: { replicas: 4 },
      });
      assert.equal(stale.code, 409);
      const found = await api.ok('GET', api.widgets(name));
      assert.deepEqual([at(found, 'spec', 'replicas'), generationOf(found)], [3, 3]);
    });
  });
}
