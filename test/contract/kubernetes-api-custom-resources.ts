/** What a definition's schema does to objects: defaults, pruning, validation. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { at, type ContractContext, MERGE } from './kubernetes-api-context.ts';
import { widget } from './kubernetes-api-widgets.ts';
import type { Json } from './kubernetes-connection.ts';

interface RefusedCase {
  readonly name: string;
  readonly spec: Json;
  readonly field: string;
  readonly message: RegExp;
}

const REFUSED: readonly RefusedCase[] = [
  {
    name: 'a missing field',
    spec: { image: undefined },
    field: 'spec.image',
    message: /spec\.image: Required value/,
  },
  {
    name: 'a wrong type',
    spec: { replicas: 'three' },
    field: 'spec.replicas',
    message:
      /spec\.replicas: Invalid value: "string": spec\.replicas in body must be of type integer: "string"/,
  },
  {
    name: 'a value outside an enumeration',
    spec: { mode: 'Wild' },
    field: 'spec.mode',
    message: /spec\.mode: Unsupported value: "Wild": supported values: "Fast", "Safe"/,
  },
  {
    name: 'a text that does not match',
    spec: { name: 'A1' },
    field: 'spec.name',
    message: /spec\.name: Invalid value: "A1": spec\.name in body should match '\^\[a-z\]\+\$'/,
  },
  {
    name: 'a number below the minimum',
    spec: { replicas: -1 },
    field: 'spec.replicas',
    message:
      /spec\.replicas: Invalid value: -1: spec\.replicas in body should be greater than or equal to 0/,
  },
  {
    name: 'a number above the maximum',
    spec: { replicas: 10 },
    field: 'spec.replicas',
    message:
      /spec\.replicas: Invalid value: 10: spec\.replicas in body should be less than or equal to 9/,
  },
  {
    name: 'a text that is too short',
    spec: { image: '' },
    field: 'spec.image',
    message: /spec\.image: Invalid value: "": spec\.image in body should be at least 1 chars long/,
  },
  {
    name: 'two entries with one key',
    spec: { parts: [{ name: 'a' }, { name: 'a' }] },
    field: 'spec.parts[1]',
    message: /spec\.parts\[1\]: Duplicate value: /,
  },
];

export function describeCustomResources(api: ContractContext): void {
  describe('custom resources', () => {
    it('fills in defaults, also within lists', async () => {
      const made = await api.ok(
        'POST',
        api.widgets(),
        widget(api.newName(), { parts: [{ name: 'a' }] }),
      );
      assert.deepEqual(made['spec'], {
        image: 'x',
        mode: 'Safe',
        parts: [{ name: 'a', size: 5 }],
        replicas: 1,
      });
    });

    it('brings a default back when the field is removed', async () => {
      const name = api.newName();
      await api.ok('POST', api.widgets(), widget(name, { replicas: 4 }));
      const patched = await api.ok('PATCH', api.widgets(name), { spec: { replicas: null } }, MERGE);
      assert.equal(at(patched, 'spec', 'replicas'), 1);
    });

    it('prunes fields that the schema does not know, and keeps them where it says so', async () => {
      const spec = { unknown: 1, free: { anything: { goes: true } } };
      const made = await api.ok('POST', api.widgets(), widget(api.newName(), spec));
      assert.deepEqual(made['spec'], {
        free: { anything: { goes: true } },
        image: 'x',
        mode: 'Safe',
        replicas: 1,
      });
    });

    it('refuses unknown fields under strict validation, and warns of them otherwise', async () => {
      const object = widget(api.newName(), { unknown: 1 });
      const strict = await api.request('POST', `${api.widgets()}?fieldValidation=Strict`, object);
      assert.deepEqual([strict.code, strict.body['reason']], [400, 'BadRequest']);
      assert.match(String(strict.body['message']), /unknown field "spec\.unknown"/);
      const path = `${api.widgets()}?fieldValidation=Warn`;
      const warned = await api.request('POST', path, object);
      assert.equal(warned.code, 201);
      assert.match(String(warned.headers['warning']), /unknown field \\"spec\.unknown\\"/);
    });

    for (const { name, spec, field, message } of REFUSED) {
      it(`refuses ${name}`, async () => {
        const object = widget(api.newName(), spec);
        const { code, body } = await api.request('POST', api.widgets(), object);
        assert.deepEqual([code, body['reason']], [422, 'Invalid']);
        assert.match(String(body['message']), message);
        const causes = at(body, 'details', 'causes') as Json[];
        assert.deepEqual(
          causes.map((cause) => cause['field']).filter((found) => found === field),
          [field],
        );
      });
    }

    it('refuses an update that breaks the schema, and keeps the old object', async () => {
      const name = api.newName();
      await api.ok('POST', api.widgets(), widget(name));
      const refused = await api.request(
        'PATCH',
        api.widgets(name),
        { spec: { mode: 'Wild' } },
        MERGE,
      );
      assert.equal(refused.code, 422);
      assert.equal(at(await api.ok('GET', api.widgets(name)), 'spec', 'mode'), 'Safe');
    });

    it('refuses an object of another kind', async () => {
      const object = { ...widget(api.newName()), kind: 'Gadget' };
      const { code, body } = await api.request('POST', api.widgets(), object);
      assert.deepEqual([code, at(body, 'details', 'causes', 0, 'field')], [422, 'kind']);
      const version = { ...widget(api.newName()), apiVersion: 'contract.tonearm.dev/v7' };
      assert.equal((await api.request('POST', api.widgets(), version)).code, 400);
    });
  });
}
