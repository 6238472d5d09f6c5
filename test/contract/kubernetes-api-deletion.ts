/** Deletion: preconditions, finalizers, owners and what becomes of their dependents. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  at,
  type ContractContext,
  eventually,
  JSON_PATCH,
  MERGE,
} from './kubernetes-api-context.ts';
import { configMap, widget } from './kubernetes-api-widgets.ts';
import type { Json } from './kubernetes-connection.ts';

export function describeDeletion(api: ContractContext): void {
  const codeOf = async (path: string): Promise<number> => (await api.request('GET', path)).code;
  const isGone = (path: string): Promise<void> =>
    eventually(`${path} is gone`, async () => (await codeOf(path)) === 404);
  const ownerReference = (owner: Json, extra: Json = {}): Json => ({
    apiVersion: owner['apiVersion'],
    kind: owner['kind'],
    name: at(owner, 'metadata', 'name'),
    uid: at(owner, 'metadata', 'uid'),
    ...extra,
  });
  const family = async (extra: Json = {}): Promise<{ owner: string; child: string }> => {
    const [name, childName] = [api.newName(), api.newName()];
    const owner = await api.ok('POST', api.widgets(), widget(name));
    const ownerReferences = [ownerReference(owner, extra)];
    await api.ok('POST', api.configMaps(), configMap(childName, {}, { ownerReferences }));
    return { owner: api.widgets(name), child: api.configMaps(childName) };
  };

  describe('deleting', () => {
    it('removes an object at once when nothing holds it', async () => {
      const name = api.newName();
      await api.ok('POST', api.configMaps(), configMap(name));
      const status = await api.ok('DELETE', api.configMaps(name));
      assert.deepEqual([status['kind'], status['status']], ['Status', 'Success']);
      assert.equal(await codeOf(api.configMaps(name)), 404);
      assert.equal((await api.request('DELETE', api.configMaps(name))).code, 404);
    });

    it('heeds preconditions on uid and version', async () => {
      const name = api.newName();
      const made = await api.ok('POST', api.configMaps(), configMap(name));
      const options = (preconditions: Json): Json => ({
        kind: 'DeleteOptions',
        apiVersion: 'v1',
        preconditions,
      });
      const remove = async (preconditions: Json): Promise<number> =>
        (await api.request('DELETE', api.configMaps(name), options(preconditions))).code;
      assert.equal(await remove({ uid: '00000000-0000-4000-8000-000000000000' }), 409);
      assert.equal(await remove({ resourceVersion: '1' }), 409);
      assert.equal(await remove({ uid: at(made, 'metadata', 'uid') }), 200);
    });

    it('waits for finalizers, and lets no new ones in', async () => {
      const name = api.newName();
      const finalizers = ['contract.tonearm.dev/hold'];
      await api.ok('POST', api.widgets(), widget(name, {}, { finalizers }));
      const marked = await api.ok('DELETE', api.widgets(name));
      assert.match(String(at(marked, 'metadata', 'deletionTimestamp')), /^\d{4}-/);
      const more = { metadata: { finalizers: [...finalizers, 'contract.tonearm.dev/more'] } };
      const refused = await api.request('PATCH', api.widgets(name), more, MERGE);
      assert.deepEqual([refused.code, refused.body['reason']], [422, 'Invalid']);
      const release = [{ op: 'remove', path: '/metadata/finalizers' }];
      await api.ok('PATCH', api.widgets(name), release, JSON_PATCH);
      await isGone(api.widgets(name));
    });

    it('collects dependents after their owner', async () => {
      const { owner, child } = await family();
      await api.ok('DELETE', owner, { propagationPolicy: 'Background' });
      await isGone(owner);
      await isGone(child);
    });

    it('removes an owner after its dependents when asked to', async () => {
      const { owner, child } = await family({ blockOwnerDeletion: true, controller: true });
      const marked = await api.ok('DELETE', owner, { propagationPolicy: 'Foreground' });
      assert.ok(at(marked, 'metadata', 'deletionTimestamp') !== undefined);
      await isGone(owner);
      assert.equal(await codeOf(child), 404);
    });

    it('holds an owner until a dependent that is held has gone', async () => {
      const { owner, child } = await family({ blockOwnerDeletion: true });
      const hold = { metadata: { finalizers: ['contract.tonearm.dev/hold'] } };
      await api.ok('PATCH', child, hold, MERGE);
      await api.ok('DELETE', owner, { propagationPolicy: 'Foreground' });
      await eventually('the dependent is marked', async () => {
        const found = await api.ok('GET', child);
        return at(found, 'metadata', 'deletionTimestamp') !== undefined;
      });
      assert.equal(await codeOf(owner), 200);
      await api.ok('PATCH', child, { metadata: { finalizers: null } }, MERGE);
      await isGone(owner);
    });

    it('leaves dependents without an owner when asked to', async () => {
      const { owner, child } = await family();
      await api.ok('DELETE', owner, { propagationPolicy: 'Orphan' });
      await isGone(owner);
      const found = await api.ok('GET', child);
      assert.equal(at(found, 'metadata', 'ownerReferences'), undefined);
    });

    it('keeps a dependent that has another owner', async () => {
      const { owner, child } = await family();
      const other = await api.ok('POST', api.widgets(), widget(api.newName()));
      const found = await api.ok('GET', child);
      const ownerReferences = [
        ...(at(found, 'metadata', 'ownerReferences') as Json[]),
        ownerReference(other),
      ];
      await api.ok('PATCH', child, { metadata: { ownerReferences } }, MERGE);
      await api.ok('DELETE', owner, { propagationPolicy: 'Background' });
      await eventually('only the other owner is left', async () => {
        const left = at(await api.ok('GET', child), 'metadata', 'ownerReferences') as Json[];
        return left.length === 1 && left[0]?.['uid'] === at(other, 'metadata', 'uid');
      });
    });

    it('deletes what a selector picks of a collection', async () => {
      const [one, two] = [api.newName(), api.newName()];
      await api.ok('POST', api.configMaps(), configMap(one, {}, { labels: { gone: one } }));
      await api.ok('POST', api.configMaps(), configMap(two));
      await api.ok('DELETE', `${api.configMaps()}?labelSelector=gone%3D${one}`);
      await isGone(api.configMaps(one));
      assert.equal(await codeOf(api.configMaps(two)), 200);
    });

    it('evicts a pod only under its own uid', async () => {
      const name = api.newName();
      const pods = `/api/v1/namespaces/${api.namespace}/pods`;
      const made = await api.ok('POST', pods, {
        metadata: { name },
        // No machine runs it: the name of the scheduler is nobody's.
        spec: { schedulerName: 'nobody', containers: [{ name: 'c', image: 'x' }] },
      });
      const evict = async (uid: unknown): Promise<number> => {
        const eviction = {
          apiVersion: 'policy/v1',
          kind: 'Eviction',
          metadata: { name },
          deleteOptions: { preconditions: { uid } },
        };
        return (await api.request('POST', `${pods}/${name}/eviction`, eviction)).code;
      };
      assert.equal(await evict('00000000-0000-4000-8000-000000000000'), 409);
      assert.equal(await evict(at(made, 'metadata', 'uid')), 201);
      await isGone(`${pods}/${name}`);
    });

    it('takes the content of a namespace along', async () => {
      const name = `${api.namespace}-gone`;
      await api.ok('POST', '/api/v1/namespaces', { metadata: { name } });
      await api.ok('POST', `/api/v1/namespaces/${name}/configmaps`, configMap('x'));
      await api.ok('DELETE', `/api/v1/namespaces/${name}`);
      await isGone(`/api/v1/namespaces/${name}`);
      assert.equal(await codeOf(`/api/v1/namespaces/${name}/configmaps/x`), 404);
    });
  });
}
