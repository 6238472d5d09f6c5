/**
 * Who is there: the SWIM protocol, as a machine.
 *
 *     alive ── no answer in a period, neither directly nor through others ──▶ suspect ── no word of its own ──▶ dead
 *       ▲                                                                        │                               │
 *       └──────────────────────── a higher incarnation, which only it can give ──┴───────────────────────────────┘
 *
 * Each period one other instance is asked, in rounds of random order; dead ones too, so that they return. Whatever is
 * known travels with the questions and answers. Every packet tells its recipient what is thought of it: that is how a
 * live one hears that it has to refute.
 *
 * It is an opinion, and nobody's safety may rest on it. What makes it a good one: an instance is suspected only when
 * others could not reach it either; the time in which this process itself did not run is held against nobody.
 *
 * Sans-I/O: `stepGossip` takes one input with its moment and returns the datagrams to send. It never throws for what
 * came in.
 */
import { unreachable } from '../../foundation/assert.ts';
import { type GossipEntry, unheardEntry } from './entry.ts';
import { type GossipState, nextTickMs } from './gossip-state.ts';
import {
  type Answered,
  type GossipDatagram,
  GossipWork,
  type Moment,
  shuffled,
} from './gossip-work.ts';
import { receive } from './receive.ts';

export type GossipInput =
  | { readonly kind: 'tick' }
  /** `from` is the address that an answer goes to. */
  | { readonly kind: 'datagram'; readonly bytes: Uint8Array; readonly from: string }
  | { readonly kind: 'payload'; readonly key: string; readonly value: string }
  /** Who is there according to the cluster config; nobody: everybody that is heard of is believed in. */
  | {
      readonly kind: 'configure';
      readonly uris: readonly string[];
      readonly suspectTimeoutMs: number;
    }
  /** Asks whoever is at that place. */
  | { readonly kind: 'probe'; readonly uri: string }
  | { readonly kind: 'leave' };

export interface GossipStep {
  readonly state: GossipState;
  readonly datagrams: readonly GossipDatagram[];
  /** Is an entry another than before? */
  readonly isChanged: boolean;
  /** Who has answered. */
  readonly answered: readonly Answered[];
  /** Why the datagram was passed over. */
  readonly refusal: string | undefined;
}

/** So many others are greeted at once when they are named: the rest is heard of from them. */
const GREETED = 8;

export function stepGossip(state: GossipState, input: GossipInput, moment: Moment): GossipStep {
  const work = new GossipWork(state, moment);
  const refusal = apply(work, input);
  const { datagrams, isChanged, answered } = work;
  return { state: work.state, datagrams, isChanged, answered, refusal };
}

function apply(work: GossipWork, input: GossipInput): string | undefined {
  switch (input.kind) {
    case 'tick':
      tick(work);
      return undefined;
    case 'datagram':
      return receive(work, input.bytes, input.from);
    case 'payload':
      setPayload(work, input.key, input.value);
      return undefined;
    case 'configure':
      configure(work, input.uris, input.suspectTimeoutMs);
      return undefined;
    case 'probe':
      work.sequence += 1;
      work.send({ to: input.uri, kind: 'ping', sequence: work.sequence, recipient: undefined });
      return undefined;
    case 'leave':
      leave(work);
      return undefined;
    default:
      return unreachable(input);
  }
}

function setPayload(work: GossipWork, key: string, value: string): void {
  const { own } = work;
  if (own.payload[key] === value) return;
  work.put({
    ...own,
    incarnation: own.incarnation + 1,
    payload: { ...own.payload, [key]: value },
  });
}

function configure(work: GossipWork, uris: readonly string[], suspectTimeoutMs: number): void {
  const { self } = work.before;
  work.suspectTimeoutMs = suspectTimeoutMs;
  work.allowed = uris.length === 0 ? undefined : new Set([self, ...uris]);
  for (const uri of [...work.heard.keys()]) {
    if (!work.isAllowed(uri)) forget(work, uri);
  }
  const added = uris.filter((uri) => !work.heard.has(uri));
  // The others have the same config: that somebody is named in it is no news.
  for (const uri of added) work.put(unheardEntry(uri));
  for (const uri of shuffled(added, work.moment.chance).slice(0, GREETED)) sync(work, uri);
  // New ones are not to wait for a round that began without them.
  if (added.length > 0) work.round = [];
}

function forget(work: GossipWork, uri: string): void {
  work.heard.delete(uri);
  work.news.delete(uri);
  if (work.pending?.uri === uri) work.pending = undefined;
  work.isChanged = true;
}

/** It is never asked again; and what is said of it, it no longer refutes [MEM-12]. */
function leave(work: GossipWork): void {
  if (work.own.status === 'left') return;
  work.put({ ...work.own, status: 'left' });
  work.pending = undefined;
  for (const entry of work.others(({ status }) => status === 'alive' || status === 'suspect')) {
    work.send({ to: entry.uri, kind: 'word', sequence: 0, recipient: entry });
  }
}

function tick(work: GossipWork): void {
  const { nowMs } = work.moment;
  const { ackTimeoutMs, periodMs, syncPeriodMs } = work.before.times;
  const lateMs = nowMs - nextTickMs(work.before);
  if (lateMs > ackTimeoutMs) holdAgainstNobody(work, lateMs);
  for (const { entry, suspectUntilMs = Number.POSITIVE_INFINITY } of [...work.heard.values()]) {
    if (nowMs >= suspectUntilMs) work.judge(entry.uri, 'dead');
  }
  const hasLeft = work.own.status === 'left';
  if (nowMs < work.periodDueMs) askHelpers(work);
  else if (hasLeft) work.periodDueMs = nowMs + periodMs;
  else beginPeriod(work);
  if (nowMs < work.syncDueMs) return;
  work.syncDueMs = nowMs + syncPeriodMs;
  const [other] = work.others(({ status }) => status === 'alive');
  if (other !== undefined && !hasLeft) sync(work, other.uri);
}

/** This process did not run: answers that came in the meantime are still to be read. */
function holdAgainstNobody(work: GossipWork, lateMs: number): void {
  const graceMs = lateMs + work.before.times.ackTimeoutMs;
  for (const [uri, heard] of work.heard) {
    const { suspectUntilMs } = heard;
    if (suspectUntilMs !== undefined)
      work.heard.set(uri, { ...heard, suspectUntilMs: suspectUntilMs + graceMs });
  }
  if (work.pending === undefined) return;
  work.pending = { ...work.pending, sentMs: work.pending.sentMs + graceMs };
  work.periodDueMs += graceMs;
}

function askHelpers(work: GossipWork): void {
  const { pending, moment } = work;
  const { ackTimeoutMs, helpers } = work.before.times;
  if (pending === undefined || pending.isHelped || moment.nowMs < pending.sentMs + ackTimeoutMs)
    return;
  work.pending = { ...pending, isHelped: true };
  const { uri, sequence } = pending;
  const recipient = work.entryOf(uri);
  // Once more directly too: where it was may be where it is no longer.
  work.send({ to: uri, kind: 'ping', sequence, recipient, isRepeated: true });
  const able = work.others((entry) => entry.status === 'alive' && entry.uri !== uri);
  for (const helper of able.slice(0, helpers)) {
    work.send({ to: helper.uri, kind: 'ping', sequence, recipient });
  }
}

function beginPeriod(work: GossipWork): void {
  const { nowMs, wallMs } = work.moment;
  const { pending, before } = work;
  // One that was heard of anew has not answered because it was somewhere else, or nowhere yet.
  const isSame = pending?.incarnation === work.entryOf(pending?.uri ?? '')?.incarnation;
  if (pending !== undefined && isSame && before.isSuspicious) work.judge(pending.uri, 'suspect');
  // In step with the last period, unless that is long over.
  const { periodMs, ackTimeoutMs } = before.times;
  work.periodDueMs = Math.max(work.periodDueMs, nowMs - ackTimeoutMs) + periodMs;
  const next = nextOfRound(work);
  if (next === undefined) {
    work.pending = undefined;
    return;
  }
  const { uri, incarnation } = next;
  work.sequence += 1;
  const { sequence } = work;
  const sent = { sentMs: nowMs, sentWallMs: wallMs };
  work.pending = { uri, incarnation, sequence, ...sent, isHelped: false };
  work.send({ to: uri, kind: 'ping', sequence, recipient: next });
}

function nextOfRound(work: GossipWork): GossipEntry | undefined {
  for (let isNew = false; ; isNew = true) {
    while (work.round.length > 0) {
      const [uri = '', ...others] = work.round;
      work.round = others;
      const entry = work.entryOf(uri);
      if (entry !== undefined && entry.status !== 'left') return entry;
    }
    if (isNew) return undefined;
    work.round = work.others(({ status }) => status !== 'left').map(({ uri }) => uri);
  }
}

function sync(work: GossipWork, uri: string): void {
  work.sequence += 1;
  work.send({ to: uri, kind: 'sync', sequence: work.sequence, recipient: work.entryOf(uri) });
}
