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
  /** No message gets lost or takes long. */
  readonly isCalm?: boolean;
  /** Leaders are elected, and there is no state provider. */
  readonly isRaft?: boolean;
}

export const suspendFocus: ClusterFocus = {
  name: 'cluster-suspend',
  faults: ['suspend', 'suspended-away'],
  // So short that a suspension too short to be taken for one is as long as the lease.
  ttlSeconds: 0.2,
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
  awayFocus,
  leftBehindFocus,
  cutFocus,
  { name: 'cluster-provider-gone', faults: ['provider-away'], isCalm: true },
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
  { name: 'raft-suspend', faults: ['suspend', 'suspended-away'], ttlSeconds: 0.4, isRaft: true },
];
