/** Server-side apply: who owns a field, who may change it, and what happens when it is given up. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { at, type ContractContext, MERGE } from './kubernetes-api-context.ts';
import { configMap, widget } from './kubernetes-api-widgets.ts';
import type { Json } from './kubernetes-connection.ts';

const ownersOf = (object: Json): [unknown, unknown, unknown][] =>
  (at(object, 'metadata', 'managedFields') as Json[])
    .map((entry): [unknown, unknown, unknown] => [
      entry['manager'],
      entry['operation'],
      entry['fieldsV1'],
    ])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));

export function describeApply(api: ContractContext): void {
  describe('server-side apply', () => {
    it('makes the object, and records what the manager owns', async () => {
      const name = api.newName();
      const answer = await api.apply(
        api.widgets(name),
        widget(name, { parts: [{ name: 'a', size: 1 }] }, { labels: { x: 'y' } }),
        'alpha',
      );
      assert.equal(answer.code, 201);
      assert.deepEqual(ownersOf(answer.body), [
        [
          'alpha',
          'Apply',
          {
            'f:metadata': { 'f:labels': { 'f:x': {} } },
            'f:spec': {
              'f:image': {},
              'f:parts': { 'k:{"name":"a"}': { '.': {}, 'f:name': {}, 'f:size': {} } },
            },
          },
        ],
      ]);
    });

    it('does not write when the same thing is applied again', async () => {
      const name = api.newName();
      const object = widget(name, { parts: [{ name: 'a' }] });
      const first = await api.apply(api.widgets(name), object, 'alpha');
      const second = await api.apply(api.widgets(name), object, 'alpha');
      assert.deepEqual([second.code, second.body], [200, first.body]);
    });

    it('removes what its manager no longer applies', async () => {
      const name = api.newName();
      await api.apply(api.configMaps(name), configMap(name, { a: '1', b: '2' }), 'alpha');
      const { body } = await api.apply(api.configMaps(name), configMap(name, { a: '1' }), 'alpha');
      assert.deepEqual(body['data'], { a: '1' });
    });

    it('keeps what another manager applies as well', async () => {
      const name = api.newName();
      await api.apply(api.configMaps(name), configMap(name, { a: '1', b: '2' }), 'alpha');
      await api.apply(api.configMaps(name), configMap(name, { b: '2' }), 'beta');
      const { body } = await api.apply(api.configMaps(name), configMap(name, { a: '1' }), 'alpha');
      assert.deepEqual(body['data'], { a: '1', b: '2' });
    });

    it('lets several managers own entries of one keyed list', async () => {
      const name = api.newName();
      await api.apply(
        api.widgets(name),
        widget(name, { parts: [{ name: 'a', size: 1 }] }),
        'alpha',
      );
      const beta = widget(name, { parts: [{ name: 'b', size: 2 }] });
      await api.apply(api.widgets(name), beta, 'beta');
      const { body } = await api.apply(api.widgets(name), widget(name), 'alpha');
      assert.deepEqual(at(body, 'spec', 'parts'), [{ name: 'b', size: 2 }]);
    });

    it('refuses to change what another manager owns, unless forced', async () => {
      const name = api.newName();
      await api.apply(api.widgets(name), widget(name, { mode: 'Fast' }), 'alpha');
      const other = widget(name, { mode: 'Safe' });
      const refused = await api.apply(api.widgets(name), other, 'beta');
      assert.deepEqual(
        [refused.code, refused.body['reason'], at(refused.body, 'details', 'causes')],
        [
          409,
          'Conflict',
          [
            {
              reason: 'FieldManagerConflict',
              message: 'conflict with "alpha"',
              field: '.spec.mode',
            },
          ],
        ],
      );
      const forced = await api.apply(api.widgets(name), other, 'beta', '&force=true');
      assert.equal(at(forced.body, 'spec', 'mode'), 'Safe');
      assert.deepEqual(ownersOf(forced.body), [
        ['alpha', 'Apply', { 'f:spec': { 'f:image': {} } }],
        ['beta', 'Apply', { 'f:spec': { 'f:image': {}, 'f:mode': {} } }],
      ]);
    });

    it('gives a field to whoever updates it', async () => {
      const name = api.newName();
      await api.apply(api.widgets(name), widget(name, { mode: 'Fast' }), 'alpha');
      const path = `${api.widgets(name)}?fieldManager=hand`;
      await api.ok('PATCH', path, { spec: { mode: 'Safe' } }, MERGE);
      const refused = await api.apply(api.widgets(name), widget(name, { mode: 'Fast' }), 'alpha');
      assert.deepEqual(
        [refused.code, refused.body['message']],
        [
          409,
          'Apply failed with 1 conflict: conflict with "hand" using contract.tonearm.dev/v1: .spec.mode',
        ],
      );
    });

    it('leaves replicas to whoever scales, when they are not applied', async () => {
      const name = api.newName();
      await api.apply(api.widgets(name), widget(name), 'alpha');
      await api.ok('PATCH', `${api.widgets(name)}/scale`, { spec: { replicas: 4 } }, MERGE);
      const { body } = await api.apply(api.widgets(name), widget(name, { mode: 'Fast' }), 'alpha');
      assert.deepEqual([at(body, 'spec', 'replicas'), at(body, 'spec', 'mode')], [4, 'Fast']);
    });

    it('applies the status on its own, under its own name', async () => {
      const name = api.newName();
      await api.apply(api.widgets(name), widget(name), 'alpha');
      const status = { ...widget(name), status: { phase: 'Up' } };
      const path = `${api.widgets(name)}/status`;
      const { code, body } = await api.apply(path, status, 'alpha-status');
      assert.deepEqual([code, body['status']], [200, { phase: 'Up' }]);
      assert.deepEqual(ownersOf(body), [
        ['alpha', 'Apply', { 'f:spec': { 'f:image': {} } }],
        ['alpha-status', 'Apply', { 'f:status': { 'f:phase': {} } }],
      ]);
      const again = await api.apply(api.widgets(name), widget(name), 'alpha');
      assert.deepEqual(again.body['status'], { phase: 'Up' });
    });

    it('refuses an apply from an older version', async () => {
      const name = api.newName();
      const first = await api.apply(api.configMaps(name), configMap(name, { a: '1' }), 'alpha');
      await api.apply(api.configMaps(name), configMap(name, { a: '2' }), 'alpha');
      const resourceVersion = at(first.body, 'metadata', 'resourceVersion');
      const stale = configMap(name, { a: '3' }, { resourceVersion });
      assert.equal((await api.apply(api.configMaps(name), stale, 'alpha')).code, 409);
    });

    it('needs a field manager', async () => {
      const name = api.newName();
      const answer = await api.request('PATCH', api.configMaps(name), configMap(name), {
        'content-type': 'application/apply-patch+yaml',
      });
      assert.ok([400, 422].includes(answer.code), String(answer.code));
    });
  });
}
