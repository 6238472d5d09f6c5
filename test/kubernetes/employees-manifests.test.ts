/** Proves that a real API server refuses bad manifests by the schemas and rules that the chart installs. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  AGAINST_RULES,
  BEYOND_CEL,
  MALFORMED,
  type ManifestObject,
} from '../../operator/src/testing/manifest-cases.ts';
import { withKubernetes } from './cluster.ts';
import { installOperator } from './fixtures/operator.ts';

const kubernetes = withKubernetes();

describe('a real API server with the CRDs', () => {
  let namespace = '';
  let remove = async (): Promise<void> => undefined;
  before(async () => {
    await installOperator(kubernetes);
    [namespace, remove] = await kubernetes.makeNamespace('manifests');
  });
  after(async () => remove());

  /** Nobody works on what is stored: it is there to be compared with. */
  const apply = async (manifest: ManifestObject): Promise<void> => {
    const annotations = { 'tonearm.dev/paused': 'a test' };
    const object = { ...manifest, metadata: { name: manifest.metadata.name, annotations } };
    await kubernetes.kubectl(['apply', '-n', namespace, '-f', '-'], JSON.stringify(object));
  };
  const discard = async ({ kind, metadata }: ManifestObject): Promise<void> => {
    await kubernetes.kubectl([
      ...['delete', kind === 'Cluster' ? 'tcl' : 'trs', metadata.name, '-n', namespace],
    ]);
  };

  for (const { title, object, problem } of MALFORMED) {
    it(`refuses by its schema: ${title}`, async () => {
      const words = problem.field.split(/[.[\]]+/).filter((word) => word !== '' && word !== 'spec');
      await assert.rejects(apply(object), (error: Error) => {
        for (const word of words) assert.ok(error.message.includes(word), error.message);
        return true;
      });
    });
  }

  for (const { title, object, old, problem } of AGAINST_RULES) {
    it(`refuses by a rule: ${title}`, async () => {
      if (old !== undefined) await apply(old);
      await assert.rejects(apply(object), (error: Error) => {
        assert.ok(error.message.includes(problem.message), error.message);
        assert.ok(error.message.includes(problem.field), error.message);
        return true;
      });
      if (old !== undefined) await discard(old);
    });
  }

  it('has stored none of them', async () => {
    const left = await kubernetes.kubectl(['get', 'tcl,trs', '-n', namespace, '-o', 'name']);
    assert.equal(left, '');
  });

  for (const { title, object } of BEYOND_CEL) {
    it(`takes what only the operator can judge: ${title}`, async () => {
      await apply(object);
      await discard(object);
    });
  }
});
