import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readSettings } from './settings.ts';

describe('settings of the operator', () => {
  it('have defaults', () => {
    assert.deepEqual(readSettings([], {}), {
      kind: 'valid',
      settings: {
        watchNamespaces: [],
        namespace: 'default',
        podName: 'tonearm-operator',
        leaderElection: true,
        leaseName: 'tonearm-operator',
        defaultStateProvider: 'managed-etcd',
        etcdImage: 'localhost/tonearm/etcd:dev',
        nodeZones: false,
        keysSecretName: 'tonearm-operator-keys',
        httpPort: 8080,
        workers: 4,
        requestsPerSecond: 50,
        logLevel: 'info',
      },
    });
  });

  it('come from arguments before the environment, and empty variables count as absent', () => {
    const verdict = readSettings(['--http-port=9000', '--watch-namespaces=a, b,'], {
      TONEARM_HTTP_PORT: '9001',
      TONEARM_LOG_LEVEL: 'debug',
      TONEARM_LEADER_ELECTION: 'false',
      TONEARM_ETCD_IMAGE: '',
    });
    assert.ok(verdict.kind === 'valid');
    const { httpPort, watchNamespaces, logLevel, leaderElection, etcdImage } = verdict.settings;
    assert.deepEqual(
      { httpPort, watchNamespaces, logLevel, leaderElection, etcdImage },
      {
        httpPort: 9000,
        watchNamespaces: ['a', 'b'],
        logLevel: 'debug',
        leaderElection: false,
        etcdImage: 'localhost/tonearm/etcd:dev',
      },
    );
  });

  it('are refused with the name of the setting', () => {
    const verdict = readSettings([], {
      TONEARM_HTTP_PORT: '80000',
      TONEARM_WATCH_NAMESPACES: 'data,No',
      TONEARM_LOG_LEVEL: 'loud',
    });
    assert.deepEqual(verdict, {
      kind: 'invalid',
      problems: [
        '--watch-namespaces (TONEARM_WATCH_NAMESPACES): is no name of a Kubernetes object',
        '--http-port (TONEARM_HTTP_PORT): Too big: expected number to be <=65535',
        '--log-level (TONEARM_LOG_LEVEL): Invalid option: expected one of "debug"|"info"|"warn"|"error"|"silent"',
      ],
    });
  });

  it('need the address of a stateboard that is the default', () => {
    assert.deepEqual(readSettings(['--default-state-provider=stateboard'], {}), {
      kind: 'invalid',
      problems: [
        '--stateboard-url (TONEARM_STATEBOARD_URL): needed when the default state provider is a stateboard',
      ],
    });
  });

  it('are refused when nobody knows them', () => {
    const verdict = readSettings(['--etcd-imgae=x'], {});
    assert.ok(verdict.kind === 'invalid');
    assert.match(verdict.problems.join(), /--etcd-imgae/);
  });
});
