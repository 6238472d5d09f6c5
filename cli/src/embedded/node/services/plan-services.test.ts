import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod, Service } from '../objects.ts';
import { type ClusterTemplates, planServices } from './plan-services.ts';

const COMMON = { namespace: 'default', resourceVersion: '1', creationTimestamp: '' };

function service(template: string, isHeadless = false): Service {
  const selector = { 'tonearm.dev/cluster': 'shop', 'tonearm.dev/template': template };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...COMMON, name: `shop-${template}`, uid: template },
    spec: {
      selector,
      ports: [{ name: 'http', port: 8081, targetPort: 'http' }],
      ...(isHeadless ? { publishNotReadyAddresses: true } : {}),
    },
  };
}

function pod(template: string, ordinal: number, isReady: boolean): Pod {
  const labels = { 'tonearm.dev/cluster': 'shop', 'tonearm.dev/template': template };
  const name = `shop-${template}-${ordinal}`;
  const ports = [{ name: 'http', containerPort: 8081 }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...COMMON, name, uid: name, labels },
    spec: { containers: [{ name: 'instance', image: 'a', ports }] },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
    },
  };
}

const cluster: ClusterTemplates = {
  apiVersion: 'tonearm.dev/v1alpha1',
  kind: 'Cluster',
  metadata: { ...COMMON, name: 'shop', uid: 'shop' },
  spec: { replicaSets: [{ name: 'router' }, { name: 'storage' }] },
};

const portsByPod: Record<string, number> = {
  'shop-router-0': 21000,
  'shop-storage-0': 21001,
  'shop-storage-1': 21002,
};

function plan(services: readonly Service[]) {
  return planServices({
    services,
    pods: [pod('router', 0, true), pod('storage', 0, true), pod('storage', 1, false)],
    clusters: [cluster],
    portsOf: ({ metadata }) => ({ http: portsByPod[metadata.name] ?? 0 }),
  });
}

describe('planServices', () => {
  it('gives each template a port of its own, the first one that of the manifest', () => {
    const { forwards } = plan([service('storage'), service('router')]);
    assert.deepEqual(
      forwards.map(({ id, preferredPort, isMain, targets }) => [
        id,
        preferredPort,
        isMain,
        targets,
      ]),
      [
        ['default/shop-router/http', 8081, true, [21000]],
        ['default/shop-storage/http', 8082, false, [21001]],
      ],
    );
  });

  it('tells of instances that are not ready, and leads nobody to them', () => {
    const { endpoints } = plan([service('storage')]);
    assert.deepEqual(
      endpoints.map(({ pod: { metadata }, isReady, ports }) => [metadata.name, isReady, ports]),
      [
        ['shop-storage-0', true, [{ name: 'http', port: 21001 }]],
        ['shop-storage-1', false, [{ name: 'http', port: 21002 }]],
      ],
    );
  });

  it('opens no port for a Service by which instances find each other', () => {
    const { forwards, endpoints } = plan([service('storage', true)]);
    assert.deepEqual(forwards, []);
    assert.deepEqual(
      endpoints.map(({ isReady }) => isReady),
      [true, true],
    );
  });
});
