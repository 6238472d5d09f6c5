import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { enabledRoles, orderRoles, type RoleDeclaration } from './order-roles.ts';

/** `{ a: ['b'] }`: role a depends on b. A name that begins with "!" is permanent. */
function roles(spec: Record<string, readonly string[]>): RoleDeclaration[] {
  return Object.entries(spec).map(([name, dependencies]) => ({
    name: name.replace('!', ''),
    dependencies,
    permanent: name.startsWith('!'),
    hidden: name.startsWith('!'),
  }));
}

describe('orderRoles', () => {
  it('puts dependencies first, depth first [ROLE-05]', () => {
    const order = orderRoles(roles({ a: ['b', 'd'], b: ['c', 'd'], c: [], d: [] }));
    assert.deepEqual(order, { kind: 'ordered', names: ['c', 'd', 'b', 'a'] });
  });

  const refused: { spec: RoleDeclaration[]; says: RegExp }[] = [
    { spec: [...roles({ a: [] }), ...roles({ a: [] })], says: /two roles have the name "a"/ },
    { spec: roles({ a: ['b'], b: ['a'] }), says: /circle: a → b → a/ },
    { spec: roles({ a: ['a'] }), says: /circle: a → a/ },
    { spec: roles({ a: ['x'] }), says: /"a" depends on "x"/ },
  ];
  for (const { spec, says } of refused) {
    it(`refuses ${says.source} [ROLE-04]`, () => {
      const order = orderRoles(spec);
      assert.ok(order.kind === 'invalid' && says.test(order.reason));
    });
  }
});

describe('enabledRoles', () => {
  it('adds dependencies and permanent roles, and passes over unknown names [ROLE-07] [ROLE-16]', () => {
    const known = roles({ a: ['b'], b: [], '!p': [], z: [] });
    const order = orderRoles(known);
    assert.ok(order.kind === 'ordered');
    assert.deepEqual(enabledRoles(known, order.names, ['a', 'renamed']), ['b', 'a', 'p']);
  });
});
