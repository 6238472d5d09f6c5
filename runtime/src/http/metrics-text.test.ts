import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { metricsText } from './metrics-text.ts';

const UUID = '00000000-0000-4000-8000-000000000001';
const OTHER = '00000000-0000-4000-8000-000000000002';

describe('the metrics of an instance', () => {
  it('are its issues before it has joined', () => {
    const issues = [{ level: 'warning', topic: 'lost-rows', message: '' }] as const;
    assert.equal(
      metricsText({ uuid: UUID, name: 'a "quoted"\nname', issues, storage: undefined }),
      [
        '# HELP tnt_cartridge_issues Issues of this instance',
        '# TYPE tnt_cartridge_issues gauge',
        'tnt_cartridge_issues{alias="a \\"quoted\\"\\nname",level="warning"} 1',
        'tnt_cartridge_issues{alias="a \\"quoted\\"\\nname",level="critical"} 0',
        '',
      ].join('\n'),
    );
  });

  it('tell the storage and, on a leader, its followers [MET-41] [MET-46]', () => {
    const text = metricsText({
      ...{ uuid: UUID, name: 'a', issues: [], replicaSet: { peerLeases: true } },
      storage: {
        ...{ memoryUsedBytes: 5, memoryLimitBytes: 1000, isWritable: true, isInSync: true },
        position: { term: 2, sequence: 30 },
        acknowledged: { term: 2, sequence: 28 },
        syncedSequence: 20,
        lostRows: 7,
        followers: [{ uuid: OTHER, isInSync: false, rowsBehind: 3, lagMs: 1500, idleMs: 250 }],
      },
    });
    assert.deepEqual(
      text.split('\n').filter((line) => !line.startsWith('#') && !line.startsWith('tnt_cart')),
      [
        'tonearm_peer_leases{alias="a"} 1',
        'tnt_slab_quota_used{alias="a"} 5',
        'tnt_slab_quota_size{alias="a"} 1000',
        'tnt_read_only{alias="a"} 0',
        'tnt_info_lsn{alias="a"} 30',
        'tonearm_log_term{alias="a"} 2',
        'tonearm_log_synced{alias="a"} 20',
        'tonearm_log_acknowledged{alias="a"} 28',
        'tonearm_lost_rows{alias="a"} 7',
        `tonearm_in_sync{alias="a",id="${UUID}"} 1`,
        `tonearm_in_sync{alias="a",id="${OTHER}"} 0`,
        `tnt_replication_lag{alias="a",id="${OTHER}",stream="downstream"} 1.5`,
        `tonearm_replication_idle_seconds{alias="a",id="${OTHER}"} 0.25`,
        `tonearm_replication_rows_behind{alias="a",id="${OTHER}"} 3`,
        '',
      ],
    );
  });
});
