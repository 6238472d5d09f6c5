/**
 * Figures of an instance in the text format of Prometheus.
 *
 * Names that begin with `tnt_` are those of the ancestor, for what means the same, so that dashboards and alerts go on.
 */
import type { Issue } from '../contract/instance-status.ts';
import type { StorageFigures } from '../services/storage-figures.ts';

export interface InstanceFigures {
  readonly uuid: string;
  readonly name: string;
  readonly issues: readonly Issue[];
  readonly replicaSet?: { readonly peerLeases: boolean } | null;
  readonly storage: StorageFigures | undefined;
}

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

export function metricsText(figures: InstanceFigures): string {
  const { name, issues, storage, uuid, replicaSet } = figures;
  const gauges = [
    issuesGauge(issues),
    ...(replicaSet == null ? [] : [peerLeasesGauge(replicaSet)]),
    ...(storage === undefined ? [] : ofStorage(storage, uuid)),
  ];
  const blocks = gauges.map((gauge) => {
    const lines = gauge.samples.map(
      ({ labels, value }) => `${gauge.name}${rendered({ alias: name, ...labels })} ${value}`,
    );
    return [`# HELP ${gauge.name} ${gauge.help}`, `# TYPE ${gauge.name} gauge`, ...lines];
  });
  return `${blocks.flat().join('\n')}\n`;
}

function issuesGauge(issues: readonly Issue[]): Gauge {
  const levels: readonly Issue['level'][] = ['warning', 'critical'];
  const samples = levels.map((level) => ({
    labels: { level },
    value: issues.filter((issue) => issue.level === level).length,
  }));
  return { name: 'tnt_cartridge_issues', help: 'Issues of this instance', samples };
}

function peerLeasesGauge({ peerLeases }: { readonly peerLeases: boolean }): Gauge {
  const help = '1 if the instance leads by peer leases, as the state provider does not answer';
  return gauge('tonearm_peer_leases', help, [peerLeases ? 1 : 0]);
}

function ofStorage(storage: StorageFigures, uuid: string): readonly Gauge[] {
  const { followers, memoryLimitBytes } = storage;
  const limit = Number.isFinite(memoryLimitBytes) ? [memoryLimitBytes] : [];
  return [
    gauge('tnt_slab_quota_used', 'Bytes that rows and indexes take', [storage.memoryUsedBytes]),
    gauge('tnt_slab_quota_size', 'Bytes that they may take (memtx_memory)', limit),
    gauge('tnt_read_only', '1 if no writes are accepted', [storage.isWritable ? 0 : 1]),
    gauge('tnt_info_lsn', 'Last row of the own log', [storage.position.sequence]),
    gauge('tonearm_log_term', 'Term of the last row', [storage.position.term]),
    gauge('tonearm_log_synced', 'Last row known to survive the machine', [storage.syncedSequence]),
    gauge('tonearm_log_acknowledged', 'Last row known to be on all in-sync members', [
      storage.acknowledged.sequence,
    ]),
    gauge('tonearm_lost_rows', 'Rows of deposed leaders that are kept in lost/', [
      storage.lostRows,
    ]),
    {
      name: 'tonearm_in_sync',
      help: '1 if the instance is an in-sync member; of others only a leader knows it',
      samples: [
        { labels: { id: uuid }, value: storage.isInSync ? 1 : 0 },
        ...followers.map((one) => ({ labels: { id: one.uuid }, value: one.isInSync ? 1 : 0 })),
      ],
    },
    {
      name: 'tnt_replication_lag',
      help: 'Seconds since a follower had everything; 0 while it has',
      samples: followers.map((one) => ({
        labels: { id: one.uuid, stream: 'downstream' },
        value: one.lagMs / 1000,
      })),
    },
    {
      name: 'tonearm_replication_idle_seconds',
      help: 'Seconds since a follower asked for rows; up to 1 is as it should be',
      samples: followers.map((one) => ({ labels: { id: one.uuid }, value: one.idleMs / 1000 })),
    },
    {
      name: 'tonearm_replication_rows_behind',
      help: 'Rows that a follower is not known to have',
      samples: followers.map((one) => ({ labels: { id: one.uuid }, value: one.rowsBehind })),
    },
  ];
}

function gauge(name: string, help: string, values: readonly number[]): Gauge {
  return { name, help, samples: values.map((value) => ({ value })) };
}

function rendered(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return `{${pairs.join(',')}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
