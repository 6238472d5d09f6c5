/** Faults of few kinds alone: what needs several of them close together is rare in the mixture of all. */
export interface ClusterFocus {
  /** Of the scenario. */
  readonly name: string;
  readonly faults: readonly string[];
  /** Of lock and lease; left out: that of the mixture. */
  readonly ttlSeconds?: number;
  /** Instances of each replica set; left out: drawn. */
  readonly sets?: readonly number[];
  /** So long from one fault to the next, on average; left out: drawn. */
  readonly everyMs?: number;
  /** So long faults happen; left out: as long as in the mixture. */
  readonly faultsMs?: number;
  /** Over so many zones the instances of each set are placed, in turn. */
  readonly zones?: number;
  /** More of the failover section of the configuration. */
  readonly failover?: Readonly<Record<string, unknown>>;
  /** No message gets lost or takes long. */
  readonly isCalm?: boolean;
  /** Leases are renewed in threads, which run on while the main loop stands still. */
  readonly hasThreads?: boolean;
  /** Leaders are elected, and there is no state provider. */
  readonly isRaft?: boolean;
}

export const suspendFocus: ClusterFocus = {
  name: 'cluster-suspend',
  faults: ['suspend', 'suspended-away'],
  // So short that a suspension too short to be taken for one is as long as the lease.
  ttlSeconds: 0.2,
};

/** Leases are renewed in threads, and main loops stand still. */
export const stallFocus: ClusterFocus = {
  name: 'cluster-stall',
  faults: [
    ...['stall', 'pause', 'suspend', 'kill', 'handover', 'isolate', 'cut-from-provider'],
    ...['provider-slow', 'replies-lost', 'lease-lost', 'provider-away', 'provider-away-for-some'],
  ],
  // So seldom that most leaders lead for long enough to have a thread.
  ...{ ttlSeconds: 0.4, everyMs: 1500, faultsMs: 15_000, hasThreads: true },
};

const awayFocus: ClusterFocus = {
  name: 'cluster-provider-away',
  faults: [
    ...['provider-away', 'provider-away-for-some', 'leader-left-behind', 'isolate'],
    ...['kill', 'pod-lost', 'stop', 'pause', 'suspend', 'reboot', 'handover', 'cut-one-link'],
  ],
};

/** A set without the state provider, whose leader stays without it when the others are back. */
export const leftBehindFocus: ClusterFocus = {
  name: 'cluster-left-behind',
  faults: ['leader-left-behind'],
  sets: [3, 3],
  everyMs: 2000,
};

/** A leader that alone has lost the state provider. */
export const cutFocus: ClusterFocus = {
  name: 'cluster-provider-cut',
  faults: ['long-cut-from-provider', 'handover'],
};

/** Leaders say of themselves that they cannot work, and nothing else happens. */
export const unhealthyFocus: ClusterFocus = {
  name: 'cluster-unhealthy',
  faults: ['unhealthy'],
  ...{ ttlSeconds: 0.2, everyMs: 2000, faultsMs: 20_000, isCalm: true, sets: [3] },
  failover: { immunity_timeout: 3 },
};

/** Leaders are to be in different zones, and go to where they can. */
export const spreadFocus: ClusterFocus = {
  name: 'cluster-spread',
  faults: ['kill', 'pod-lost', 'stop', 'handover', 'pause', 'unhealthy'],
  ...{ ttlSeconds: 0.4, sets: [2, 2], zones: 2 },
  failover: { immunity_timeout: 0.5, spread_leaders: 'zone' },
};

/** In the second set everybody that is in sync is lost, or seems to be, and somebody promotes by force. */
export const forcedFocus: ClusterFocus = {
  name: 'cluster-forced',
  faults: ['forced-promotion'],
  ...{ ttlSeconds: 0.4, sets: [2, 3], everyMs: 4000, faultsMs: 20_000, isCalm: true },
};

/** Nobody is appointed by itself for a while, and leaders are lost. */
export const pausedFocus: ClusterFocus = {
  name: 'cluster-paused',
  faults: ['failover-paused', 'kill', 'pod-lost', 'handover'],
  ...{ ttlSeconds: 0.4, sets: [2, 3], faultsMs: 12_000, isCalm: true },
};

export const clusterFocuses: readonly ClusterFocus[] = [
  {
    name: 'cluster-forgets',
    faults: ['provider-forgets', 'provider-counts-again', 'provider-slow', 'reboot'],
  },
  {
    name: 'cluster-absence',
    faults: ['lease-lost', 'isolate', 'cut-from-provider', 'pod-lost'],
  },
  suspendFocus,
  stallFocus,
  awayFocus,
  leftBehindFocus,
  cutFocus,
  { name: 'cluster-provider-gone', faults: ['provider-away'], isCalm: true },
  ...[unhealthyFocus, spreadFocus, forcedFocus, pausedFocus],
  { name: 'cluster-seats', faults: ['reboot', 'kill', 'cut-from-peers', 'handover'] },
];

const RAFT_FAULTS = [
  'kill',
  'stop',
  'pause',
  'suspend',
  'cut-one-link',
  'cut-from-peers',
  'handover',
];

/** Without a state provider: the instances elect their leaders. */
export const raftFocuses: readonly ClusterFocus[] = [
  { name: 'raft', faults: [...RAFT_FAULTS, 'reboot', 'all-killed'], isRaft: true },
  { name: 'raft-cuts', faults: ['cut-from-peers'], isRaft: true },
  { name: 'raft-calm', faults: ['kill', 'cut-from-peers', 'handover'], isRaft: true },
  {
    name: 'raft-reboots',
    faults: ['reboot', 'all-reboot', 'kill', 'cut-from-peers'],
    isRaft: true,
  },
  {
    name: 'raft-crossed',
    faults: ['terms-crossed'],
    ...{ sets: [3], everyMs: 5000, faultsMs: 16_000, isCalm: true, isRaft: true },
  },
  { name: 'raft-suspend', faults: ['suspend', 'suspended-away'], ttlSeconds: 0.4, isRaft: true },
];
