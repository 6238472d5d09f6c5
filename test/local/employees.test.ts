import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { api } from '../../examples/employees/roles/api.ts';
import type { Employee } from '../../examples/employees/roles/employee.ts';
import { storage } from '../../examples/employees/roles/storage.ts';
import { OneInstance } from '../support/one-instance.ts';

/** More than a list gives unless it is told otherwise. */
const EMPLOYEES = 1001;
const AT_ONCE = 50;

function employee(id: string): Employee {
  return {
    ...{ employee_id: id, name: 'Jane Doe', department: 'Delivery', position: 'Developer' },
    salary: 20_000,
  };
}

describe('the employees application', () => {
  let one: OneInstance;
  before(async () => {
    one = await OneInstance.start([api, storage], ['app.roles.api', 'app.roles.storage']);
  });
  after(() => one[Symbol.asyncDispose]());

  const add = async (id: string): Promise<number> =>
    (await one.request('POST', '/employee', employee(id))).status;

  it('lists all employees, however many they are', async () => {
    const ids = Array.from({ length: EMPLOYEES }, (_, index) => String(index).padStart(4, '0'));
    for (let first = 0; first < ids.length; first += AT_ONCE) {
      const statuses = await Promise.all(ids.slice(first, first + AT_ONCE).map(add));
      assert.deepEqual(new Set(statuses), new Set([201]));
    }
    const { body } = await one.request('GET', '/employees?salary=20000');
    assert.deepEqual(
      (body as readonly Employee[]).map(({ employee_id: id }) => id),
      ids,
    );
  });

  for (const sign of ['a', '€', ' ', '/']) {
    it(`gives back an employee whose id is 200 times "${sign}"`, async () => {
      const id = sign.repeat(200);
      assert.equal(await add(id), 201);
      assert.deepEqual(await one.request('GET', `/employee/${encodeURIComponent(id)}`), {
        status: 200,
        body: employee(id),
      });
    });
  }

  it('answers every request that it cannot take with a code and a message', async () => {
    const codeOf = ({ status, body }: { status: number; body: unknown }): unknown[] => {
      const { code, message } = body as { code: unknown; message: unknown };
      return [status, code, typeof message];
    };
    const refused = (status: number): unknown[] => [status, 'REQUEST_INVALID', 'string'];
    assert.deepEqual(codeOf(await one.request('GET', '/employee/%zz')), refused(400));
    const long = 'a'.repeat(5000);
    assert.deepEqual(codeOf(await one.request('GET', `/employee/${long}`)), refused(414));
    const large = { ...employee('x'), name: 'n'.repeat(1024 * 1024) };
    assert.deepEqual(codeOf(await one.request('POST', '/employee', large)), refused(413));
    const text = await one.send('POST', '/employee', 'hello', 'text/csv');
    assert.deepEqual(codeOf(text), refused(415));
  });
});
