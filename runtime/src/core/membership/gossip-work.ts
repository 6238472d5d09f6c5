/**
 * One step of the gossip machine while it is made: a copy of the state that may be written to, and what comes of it.
 *
 * Whatever is heard goes through `believe`: it is the one place where an entry changes, where news begins to spread,
 * and where this instance takes back what is said of itself.
 */
import {
  believed,
  type GossipEntry,
  type GossipStatus,
  INCARNATION_MAX,
  samePayload,
  unheardEntry,
} from './entry.ts';
import type { GossipState, Heard, PendingPing } from './gossip-state.ts';
import { encodePacket, type PacketHead, type PacketKind } from './packet.ts';

/** Time and chance, as of one step. */
export interface Moment {
  readonly nowMs: number;
  readonly wallMs: number;
  /** From 0 inclusive to 1 exclusive, another one each time. */
  readonly chance: () => number;
}

export interface GossipDatagram {
  /** `host:port`: a name for an instance, an address for an answer. */
  readonly to: string;
  readonly bytes: Uint8Array;
  /** There was no answer to the one before. */
  readonly isRepeated?: boolean;
}

export interface Answered {
  readonly uri: string;
  readonly sequence: number;
}

export interface Letter {
  /** Where it is sent to. */
  readonly to: string;
  readonly kind: PacketKind;
  readonly sequence: number;
  /** Whom it is meant for; undefined: whoever gets it. */
  readonly recipient: GossipEntry | undefined;
  /** What goes before everything else. */
  readonly first?: readonly GossipEntry[];
  readonly isRepeated?: boolean;
}

export class GossipWork {
  readonly before: GossipState;
  readonly moment: Moment;
  readonly heard: Map<string, Heard>;
  readonly news: Map<string, number>;
  allowed: ReadonlySet<string> | undefined;
  suspectTimeoutMs: number;
  round: readonly string[];
  pending: PendingPing | undefined;
  sequence: number;
  periodDueMs: number;
  syncDueMs: number;
  readonly datagrams: GossipDatagram[] = [];
  readonly answered: Answered[] = [];
  isChanged = false;

  constructor(before: GossipState, moment: Moment) {
    this.before = before;
    this.moment = moment;
    this.heard = new Map(before.heard);
    this.news = new Map(before.news);
    this.allowed = before.allowed;
    this.suspectTimeoutMs = before.suspectTimeoutMs;
    this.round = before.round;
    this.pending = before.pending;
    this.sequence = before.sequence;
    this.periodDueMs = before.periodDueMs;
    this.syncDueMs = before.syncDueMs;
  }

  get state(): GossipState {
    const { heard, news, allowed, suspectTimeoutMs, round } = this;
    const { pending, sequence, periodDueMs, syncDueMs } = this;
    const written = { heard, news, allowed, suspectTimeoutMs, round };
    return { ...this.before, ...written, pending, sequence, periodDueMs, syncDueMs };
  }

  get own(): GossipEntry {
    return this.entryOf(this.before.self) ?? unheardEntry(this.before.self);
  }

  entryOf(uri: string): GossipEntry | undefined {
    return this.heard.get(uri)?.entry;
  }

  isAllowed(uri: string): boolean {
    return this.allowed?.has(uri) ?? true;
  }

  /** Others than this instance, in random order. */
  others(isWanted: (entry: GossipEntry) => boolean): GossipEntry[] {
    const entries: GossipEntry[] = [];
    for (const [uri, { entry }] of this.heard) {
      if (uri !== this.before.self && isWanted(entry)) entries.push(entry);
    }
    return shuffled(entries, this.moment.chance);
  }

  believe(heard: GossipEntry): void {
    if (heard.uri === this.before.self) return this.#hearOfSelf(heard);
    if (!this.isAllowed(heard.uri)) return;
    const known = this.entryOf(heard.uri);
    const entry = believed(known, heard);
    if (entry === known) return;
    this.put(entry);
    // It is news for the others as well.
    this.news.set(entry.uri, Math.floor(Math.log2(this.heard.size)) + 2);
  }

  put(entry: GossipEntry): void {
    const { nowMs, wallMs } = this.moment;
    const clockDeltaMs = this.heard.get(entry.uri)?.clockDeltaMs;
    this.heard.set(entry.uri, {
      entry,
      sinceMs: wallMs,
      ...(entry.status === 'suspect' && { suspectUntilMs: nowMs + this.suspectTimeoutMs }),
      ...(clockDeltaMs !== undefined && { clockDeltaMs }),
    });
    this.isChanged = true;
  }

  /** Of another instance, by this one's own judgement. */
  judge(uri: string, status: GossipStatus): void {
    const entry = this.entryOf(uri);
    if (entry !== undefined) this.believe({ ...entry, status });
  }

  send(letter: Letter): void {
    const { self, cluster } = this.before;
    const head: PacketHead = {
      cluster,
      kind: letter.kind,
      sequence: letter.sequence,
      hops: 0,
      wallMs: this.moment.wallMs,
      from: this.own,
      to: letter.recipient,
    };
    const told = new Set([self, letter.recipient?.uri]);
    const first = letter.first ?? [];
    for (const { uri } of first) told.add(uri);
    const news = [...this.news].toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
    const fresh = news.flatMap(([uri]) => (told.has(uri) ? [] : (this.entryOf(uri) ?? [])));
    for (const { uri } of fresh) told.add(uri);
    const rest = this.others(({ uri }) => !told.has(uri));
    const { bytes, carried } = encodePacket(head, [...first, ...fresh, ...rest]);
    const { to, isRepeated = false } = letter;
    this.datagrams.push({ to, bytes, ...(isRepeated && { isRepeated }) });
    for (const { uri } of carried) this.#wasTold(uri);
    if (letter.recipient !== undefined) this.#wasTold(letter.recipient.uri);
  }

  #wasTold(uri: string): void {
    const left = this.news.get(uri);
    if (left === undefined) return;
    if (left > 1) this.news.set(uri, left - 1);
    else this.news.delete(uri);
  }

  /**
   * What others say of this instance is true only as far as it says so itself: anything else is taken back with a
   * higher incarnation. Every packet has the own entry in it: that spreads faster than any news [MEM-07, MEM-08].
   */
  #hearOfSelf(heard: GossipEntry): void {
    const { own } = this;
    // It has said goodbye.
    if (own.status === 'left' || heard.incarnation < own.incarnation) return;
    const isTrue = heard.status === 'alive' && samePayload(heard, own);
    if (heard.incarnation === own.incarnation && isTrue) return;
    this.put({ ...own, incarnation: Math.min(heard.incarnation + 1, INCARNATION_MAX) });
  }
}

export function shuffled<T>(items: readonly T[], chance: () => number): T[] {
  const mixed = [...items];
  for (let last = mixed.length - 1; last > 0; last--) {
    const place = Math.floor(chance() * (last + 1));
    [mixed[last], mixed[place]] = [mixed[place] as T, mixed[last] as T];
  }
  return mixed;
}
