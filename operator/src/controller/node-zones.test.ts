import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '@tonearm/runtime/foundation';
import { SimulatedClock } from '@tonearm/runtime/testing';
import type { KubeObject } from '../api/kube-object.ts';
import { type Kube, KubeError } from '../ports/kube.ts';
import { MemoryKube } from '../testing/memory-kube.ts';
import { NodeZones } from './node-zones.ts';

function node(name: string, zone?: string): KubeObject {
  const labels = zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone };
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels } };
}

function givenNodes(kube: Pick<Kube, 'get'>) {
  const clock = new SimulatedClock();
  return { clock, zones: new NodeZones({ kube, clock, logger: silentLogger }) };
}

function refusing(status: number): Pick<Kube, 'get'> {
  const error = new KubeError({ status, reason: 'Given', message: 'given' });
  return { get: () => Promise.reject(error) };
}

describe('NodeZones', () => {
  it('tells the zones of the nodes that have one', async () => {
    const { zones } = givenNodes(new MemoryKube().put(node('a', 'north'), node('b')));
    assert.deepEqual(await zones.of(['a', 'b', 'gone', '']), new Map([['a', 'north']]));
  });

  it('asks for a node once, and again when what it knows is old', async () => {
    const kube = new MemoryKube().put(node('a', 'north'));
    const { clock, zones } = givenNodes(kube);
    await zones.of(['a', 'a']);
    await zones.of(['a']);
    assert.deepEqual(kube.reads, ['Node/a']);
    kube.put(node('a', 'south'));
    await clock.advance(10 * 60_000);
    assert.deepEqual(await zones.of(['a']), new Map([['a', 'south']]));
  });

  it('does without zones where nodes may not be read, and fails where the server does', async () => {
    assert.deepEqual(await givenNodes(refusing(403)).zones.of(['a']), new Map());
    await assert.rejects(givenNodes(refusing(500)).zones.of(['a']), KubeError);
  });
});
