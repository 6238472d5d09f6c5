import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '../../api/kube-object.ts';
import { buildCluster } from '../../testing/cluster-objects.ts';
import { buildReplicaSet } from '../resources/build-replica-set.ts';
import { buildServices } from '../resources/build-services.ts';
import type { Intent } from '../verdict.ts';
import { needsApply, withMemory } from './needs-apply.ts';

const cluster = buildCluster();
const intent = buildServices(cluster)[0] as Intent;

/** What a server makes of an intent: a copy with fields of its own. */
function stored(applied: Intent, edit: (object: Record<string, never>) => void = () => undefined) {
  const object = JSON.parse(JSON.stringify(withMemory(applied))) as Record<string, never>;
  edit(object);
  return object as unknown as KubeObject;
}

describe('needsApply', () => {
  const cases: readonly {
    readonly name: string;
    readonly intent?: Intent;
    readonly found: KubeObject | undefined;
    readonly want: boolean;
  }[] = [
    { name: 'an absent object', found: undefined, want: true },
    { name: 'an object as it was applied', found: stored(intent), want: false },
    {
      name: 'an object that the server has filled in',
      found: stored(intent, ({ spec, metadata }: Record<string, Record<string, unknown>>) => {
        Object.assign(spec ?? {}, { sessionAffinity: 'None' });
        Object.assign(metadata ?? {}, { finalizers: ['somebody/else'] });
      }),
      want: false,
    },
    {
      name: 'an object that somebody has changed',
      found: stored(intent, ({ spec }: Record<string, Record<string, unknown>>) => {
        Object.assign(spec ?? {}, { publishNotReadyAddresses: false });
      }),
      want: true,
    },
    {
      name: 'an object with a port that somebody has added: it would stay whatever is applied',
      found: stored(intent, ({ spec }: Record<string, Record<string, unknown>>) => {
        (spec?.['ports'] as unknown[]).unshift({ name: 'extra', port: 1 });
      }),
      want: false,
    },
    {
      name: 'an object with a port of ours that somebody has changed',
      found: stored(intent, ({ spec }: Record<string, Record<string, unknown>>) => {
        Object.assign((spec?.['ports'] as object[])[0] ?? {}, { port: 1 });
      }),
      want: true,
    },
    {
      name: 'an object without a port of ours',
      found: stored(intent, ({ spec }: Record<string, Record<string, unknown>>) => {
        (spec?.['ports'] as unknown[]).pop();
      }),
      want: true,
    },
    {
      name: 'a list of one writer that has grown',
      intent: { ...intent, spec: { command: ['run'] } },
      found: stored(
        { ...intent, spec: { command: ['run'] } },
        ({ spec }: Record<string, Record<string, unknown>>) => {
          Object.assign(spec ?? {}, { command: ['run', 'more'] });
        },
      ),
      want: true,
    },
    {
      name: 'a field that the intent no longer has',
      found: stored({ ...intent, spec: { ...(intent['spec'] as object), type: 'NodePort' } }),
      want: true,
    },
    {
      name: 'quantities in the way of the server',
      intent: { ...intent, spec: { resources: { memory: '1024Mi', cpu: '1000m' } } },
      found: stored(
        { ...intent, spec: { resources: { memory: '1024Mi', cpu: '1000m' } } },
        ({ spec }: Record<string, Record<string, unknown>>) => {
          Object.assign(spec ?? {}, { resources: { memory: '1Gi', cpu: '1' } });
        },
      ),
      want: false,
    },
  ];

  for (const { name, intent: wanted = intent, found, want } of cases) {
    it(`says ${want ? 'yes' : 'no'} to ${name}`, () =>
      assert.equal(needsApply(wanted, found), want));
  }

  it('says no to a ReplicaSet that a user has scaled', () => {
    const template = cluster.spec.replicaSets[1];
    assert.ok(template !== undefined);
    const wish = { cluster, template, name: 'employees-storage-1', guarded: true };
    const first = buildReplicaSet({ ...wish, found: undefined });
    const found = stored(first, ({ spec, metadata }: Record<string, Record<string, unknown>>) => {
      Object.assign(spec ?? {}, { replicas: 7 });
      Object.assign(metadata ?? {}, { resourceVersion: '12' });
    });
    const next = buildReplicaSet({ ...wish, found: found as never });
    assert.equal((next['spec'] as { replicas: number }).replicas, 7);
    assert.equal(next.metadata['resourceVersion'], '12');
    assert.equal(needsApply(next, found), false);
  });
});
