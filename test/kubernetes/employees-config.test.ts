/** Proves that a change of the config is one change, and that a bad one changes nothing and says why. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ConditionType } from '@tonearm/operator/api';
import { withKubernetes } from './cluster.ts';
import { Employees, employee } from './fixtures/employees.ts';

const kubernetes = withKubernetes();
const storage = 'app.roles.storage';

interface BadSection {
  readonly config: Readonly<Record<string, unknown>>;
  /** The message names the field and the rule. */
  readonly says: RegExp;
}

/** The API server refuses these. */
const refusedAtOnce: readonly BadSection[] = ['topology', 'vshard_groups', 'auth', 'failover'].map(
  (name) => ({
    config: { [name]: {} },
    says: new RegExp(`spec\\.config\\.${name}: .*the section ${name} belongs to the system`),
  }),
);

/** The cluster refuses these, and a condition tells. */
const refusedLater: readonly BadSection[] = [
  {
    config: { [storage]: { maxSalary: -1 } },
    says: /app\.roles\.storage\.maxSalary: Too small: expected number to be >=0/,
  },
  {
    config: { [storage]: { maxSalary: 'much' } },
    says: /app\.roles\.storage\.maxSalary: Invalid input: expected number, received string/,
  },
  {
    config: { [storage]: { maxSalary: 1.5 } },
    says: /app\.roles\.storage\.maxSalary: Invalid input: expected int/,
  },
  {
    config: { [storage]: { maxSalaries: 5 } },
    says: /app\.roles\.storage: Unrecognized key: "maxSalaries"/,
  },
  {
    config: { [storage]: 'text' },
    says: /app\.roles\.storage: Invalid input: expected object, received string/,
  },
  {
    config: { [storage]: [1] },
    says: /app\.roles\.storage: Invalid input: expected object, received array/,
  },
  // A good section beside it is not taken either.
  {
    config: { good: { yes: true }, '../secrets': {} },
    says: /"\.\.\/secrets" is not a section name/,
  },
  { config: { '..': {} }, says: /"\.\." is not a section name/ },
  { config: { 'a/b': {} }, says: /"a\/b" is not a section name/ },
  { config: { ' ': {} }, says: /" " is not a section name/ },
  { config: { 'topology.yml': {} }, says: /spec\.config: topology\.yml .* belongs to the system/ },
];

describe('the config of a cluster on Kubernetes', () => {
  let employees: Employees;
  before(async () => {
    employees = await Employees.open(kubernetes);
  });
  after(async () => {
    await replaceConfig({});
    await employees.settled();
    await employees.close();
  });

  const replaceConfig = async (config: object): Promise<void> => {
    const patch = [{ op: 'add', path: '/spec/config', value: config }];
    await employees.kubectl(
      ...['patch', 'tcl/employees', '--type=json', '-p', JSON.stringify(patch)],
    );
  };
  /** The message of the condition, once the present spec has been looked at and found bad. */
  const refusal = async (type: ConditionType): Promise<string> => {
    let message = '';
    await kubernetes.waitUntil(`${type} to be False`, async () => {
      const cluster = await employees.cluster();
      const found = cluster?.status?.conditions?.find((each) => each.type === type);
      message = found?.message ?? '';
      return found?.status === 'False' && found.observedGeneration === cluster?.metadata.generation;
    });
    return message;
  };

  it('changes once for one edit, and every instance reports it', async () => {
    const [before] = await employees.configVersions();
    await replaceConfig({ [storage]: { maxSalary: 5000 }, extra: { text: 'one', list: [1, 2] } });
    await employees.settled();
    assert.deepEqual(await employees.configVersions(), [before! + 1]);
    assert.equal((await employees.cluster())?.status?.configVersion, before! + 1);
    const refused = await employees.post(employee(`rich-${Date.now()}`, 5001));
    assert.equal(refused.status, 400);
    assert.equal((refused.body as { readonly field?: string }).field, 'salary');
    const records = await employees.records();
    const { config } = records.get('config/head') as { readonly config: { version: number } };
    assert.equal(config.version, before! + 1);
  });

  it('loses the sections that are taken out of the manifest, in one change', async () => {
    const [before] = await employees.configVersions();
    await replaceConfig({});
    await employees.settled();
    assert.deepEqual(await employees.configVersions(), [before! + 1]);
    assert.equal((await employees.post(employee(`rich-${Date.now()}`, 5001))).status, 201);
  });

  for (const { config, says } of refusedAtOnce) {
    it(`is refused by the API server: ${JSON.stringify(config)}`, async () => {
      await assert.rejects(replaceConfig(config), says);
    });
  }

  for (const { config, says } of refusedLater) {
    it(`is refused with a condition, and not changed: ${JSON.stringify(config)}`, async () => {
      const before = await employees.statuses();
      await replaceConfig(config);
      assert.match(await refusal('SpecValid'), says);
      for (const [pod, { config: present, preparedChangeId }] of await employees.statuses()) {
        assert.deepEqual([present, preparedChangeId], [before.get(pod)?.config, null], pod);
      }
      const ready = (await employees.cluster())?.status?.conditions?.find(
        ({ type }) => type === 'Ready',
      );
      assert.equal(ready?.status, 'True');
    });
  }
});
