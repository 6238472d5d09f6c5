import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EnvironmentVariable, Pod } from '../objects.ts';
import { buildEnvironment, expand, rewritePath } from './container-environment.ts';

const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'app-0',
    namespace: 'default',
    uid: 'uid',
    resourceVersion: '1',
    creationTimestamp: '',
    labels: { app: 'app' },
  },
  spec: { containers: [], nodeName: 'local' },
};

function build(env: readonly EnvironmentVariable[]) {
  return buildEnvironment(
    { name: 'instance', image: 'a', env },
    {
      pod,
      folders: { '/data': '/real/data' },
      overrides: { PORT: '21000' },
      secret: (name) => (name === 'known' ? { key: 'from secret' } : undefined),
      configMap: (name) => (name === 'known' ? { key: 'from map' } : undefined),
    },
  );
}

describe('buildEnvironment', () => {
  it('resolves values, fields, keys and references in their order', () => {
    const verdict = build([
      { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'LABEL', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
      { name: 'SECRET', valueFrom: { secretKeyRef: { name: 'known', key: 'key' } } },
      { name: 'MAP', valueFrom: { configMapKeyRef: { name: 'known', key: 'key' } } },
      { name: 'PORT', value: '8081' },
      { name: 'URI', value: '$(POD):$(PORT)/$(LATER)' },
      { name: 'LATER', value: '/data/file' },
    ]);
    assert.deepEqual(verdict, {
      kind: 'complete',
      variables: {
        POD: 'app-0',
        LABEL: 'app',
        SECRET: 'from secret',
        MAP: 'from map',
        PORT: '21000',
        URI: 'app-0:21000/$(LATER)',
        LATER: '/real/data/file',
      },
    });
  });

  it('waits for what does not exist, and names it', () => {
    const reasons = [
      { secretKeyRef: { name: 'unknown', key: 'key' } },
      { secretKeyRef: { name: 'known', key: 'other' } },
      { configMapKeyRef: { name: 'unknown', key: 'key' } },
      { fieldRef: { fieldPath: 'spec.color' } },
    ].map((valueFrom) => build([{ name: 'A', valueFrom }]));
    assert.deepEqual(reasons, [
      { kind: 'incomplete', reason: 'secret "unknown" not found' },
      { kind: 'incomplete', reason: "couldn't find key other in secret known" },
      { kind: 'incomplete', reason: 'configmap "unknown" not found' },
      { kind: 'incomplete', reason: 'the field path spec.color is not supported' },
    ]);
  });

  it('leaves out an optional key that does not exist', () => {
    const secretKeyRef = { name: 'unknown', key: 'key', optional: true };
    assert.deepEqual(build([{ name: 'A', valueFrom: { secretKeyRef } }]), {
      kind: 'complete',
      variables: { PORT: '21000' },
    });
  });
});

describe('expand', () => {
  it('keeps what is escaped or unknown', () => {
    assert.equal(expand('$(A) $$(A) $(B) $A $$', { A: 'x' }), 'x $(A) $(B) $A $');
  });
});

describe('rewritePath', () => {
  const folders = { '/var/lib': '/real/lib', '/var/lib/data': '/real/data' };

  it('replaces whole path parts, the longest mount first', () => {
    const paths = [
      '/var/lib/data/x',
      '/var/lib/database',
      '/var/lib',
      '/var/library',
      'a:/var/lib',
    ];
    assert.deepEqual(
      paths.map((path) => rewritePath(path, folders)),
      ['/real/data/x', '/real/lib/database', '/real/lib', '/var/library', 'a:/var/lib'],
    );
  });
});
