/** What the gossip machine remembers, and how often it does what. */
import type { GossipEntry } from './entry.ts';

export interface GossipTimes {
  /** One other instance is asked whether it is there, each time. */
  readonly periodMs: number;
  /** Without an answer for so long, others are asked to ask it. */
  readonly ackTimeoutMs: number;
  /** All that is known is compared with one other instance, each time. */
  readonly syncPeriodMs: number;
  /** So many others are asked to ask. */
  readonly helpers: number;
}

export const GOSSIP_TIMES: GossipTimes = {
  periodMs: 1000,
  ackTimeoutMs: 200,
  syncPeriodMs: 10_000,
  helpers: 3,
};

/** A suspect has so long to refute, before the cluster config says how long. */
export const SUSPECT_TIMEOUT_MS = 3000;

export interface Heard {
  readonly entry: GossipEntry;
  /** Wall time at which the entry became what it is. */
  readonly sinceMs: number;
  /** Of a suspect: when it is taken for dead. */
  readonly suspectUntilMs?: number;
  /** How far its clock is ahead, as of its last answer [MEM-02]. */
  readonly clockDeltaMs?: number;
}

/** The instance that is asked in this period. */
export interface PendingPing {
  readonly uri: string;
  /** As it was known then. */
  readonly incarnation: number;
  readonly sequence: number;
  readonly sentMs: number;
  readonly sentWallMs: number;
  readonly isHelped: boolean;
}

export interface GossipState {
  readonly self: string;
  readonly cluster: string;
  readonly times: GossipTimes;
  /** False: nobody is suspected for not answering. */
  readonly isSuspicious: boolean;
  readonly suspectTimeoutMs: number;
  /** By `uri`; this instance too. */
  readonly heard: ReadonlyMap<string, Heard>;
  /** Those that are believed in; undefined: everybody [MEM-12]. */
  readonly allowed: ReadonlySet<string> | undefined;
  /** By `uri`: in how many packets its news is still to be sent. */
  readonly news: ReadonlyMap<string, number>;
  /** Who is still to be asked in this round. */
  readonly round: readonly string[];
  readonly pending: PendingPing | undefined;
  /** Of the last question. */
  readonly sequence: number;
  readonly periodDueMs: number;
  readonly syncDueMs: number;
}

export interface GossipStart {
  /** `host:port` of this instance. */
  readonly uri: string;
  readonly incarnation: number;
  /** Packets of another cluster are passed over. */
  readonly cluster: string;
  readonly nowMs: number;
  readonly wallMs: number;
  readonly times?: GossipTimes;
  readonly isSuspicious?: boolean;
}

export function startGossip(start: GossipStart): GossipState {
  const { uri, incarnation, nowMs, times = GOSSIP_TIMES } = start;
  const entry: GossipEntry = { uri, status: 'alive', incarnation, payload: {} };
  return {
    self: uri,
    cluster: start.cluster,
    times,
    isSuspicious: start.isSuspicious ?? true,
    suspectTimeoutMs: SUSPECT_TIMEOUT_MS,
    heard: new Map([[uri, { entry, sinceMs: start.wallMs }]]),
    allowed: undefined,
    news: new Map(),
    round: [],
    pending: undefined,
    sequence: 0,
    periodDueMs: nowMs,
    syncDueMs: nowMs + times.syncPeriodMs,
  };
}

/** When the machine wants its next tick. */
export function nextTickMs(state: GossipState): number {
  const { pending, times } = state;
  let nextMs = Math.min(state.periodDueMs, state.syncDueMs);
  if (pending !== undefined && !pending.isHelped)
    nextMs = Math.min(nextMs, pending.sentMs + times.ackTimeoutMs);
  for (const { suspectUntilMs } of state.heard.values()) {
    if (suspectUntilMs !== undefined) nextMs = Math.min(nextMs, suspectUntilMs);
  }
  return nextMs;
}
