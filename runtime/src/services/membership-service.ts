/**
 * Who is there, by gossip: carries the machine of `core/membership` through.
 *
 * It needs nothing but datagrams and time: it works before the instance has a config or has read its rows.
 */

import { hostPortSchema } from '../contract/cluster-config.ts';
import { firstIncarnation, type GossipEntry } from '../core/membership/entry.ts';
import { type GossipInput, type GossipStep, stepGossip } from '../core/membership/gossip.ts';
import {
  type GossipState,
  type Heard,
  nextTickMs,
  startGossip,
} from '../core/membership/gossip-state.ts';
import type { GossipDatagram } from '../core/membership/gossip-work.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Random } from '../foundation/random.ts';
import type { Datagrams } from '../ports/datagrams.ts';
import type { Membership } from '../ports/membership.ts';
import { WakeUp } from './wake-up.ts';
import { within } from './within.ts';

export interface MembershipServiceOptions {
  /** `host:port` of this instance, as the others know it. */
  readonly uri: string;
  /** Counts the starts of the process. */
  readonly incarnation: number;
  readonly clusterUuid: string;
  readonly datagrams: Datagrams;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export type ProbeAnswer =
  | { readonly kind: 'answered'; readonly uri: string }
  | {
      readonly kind: 'failed';
      readonly why: 'parse error' | 'ping was not sent' | 'no response';
    };

/** A payload is part of every packet: a value that is longer is cut. */
const VALUE_LENGTH_MAX = 128;

export class MembershipService implements Membership {
  readonly #options: MembershipServiceOptions;
  readonly #wakeUp: WakeUp;
  readonly #listeners = new Set<() => void>();
  readonly #probes = new Map<number, (uri: string) => void>();
  readonly #refused = new Map<string, number>();
  #state: GossipState;
  #entries: readonly GossipEntry[] | undefined;

  constructor(options: MembershipServiceOptions) {
    this.#options = options;
    const { uri, incarnation, clusterUuid, datagrams, clock } = options;
    this.#wakeUp = new WakeUp(clock);
    this.#state = startGossip({
      uri,
      incarnation: firstIncarnation(incarnation),
      cluster: clusterUuid,
      nowMs: clock.monotonicMs(),
      wallMs: clock.wallTime().getTime(),
    });
    datagrams.onDatagram((bytes, from) => {
      this.#step({ kind: 'datagram', bytes, from });
    });
  }

  entries(): readonly GossipEntry[] {
    this.#entries ??= this.heard().map(({ entry }) => entry);
    return this.#entries;
  }

  /** The same with what only this instance knows. */
  heard(): readonly Heard[] {
    return [...this.#state.heard.values()].toSorted((a, b) => (a.entry.uri < b.entry.uri ? -1 : 1));
  }

  /** How many datagrams were passed over, by reason. */
  get refused(): ReadonlyMap<string, number> {
    return this.#refused;
  }

  setPayload(key: string, value: string): void {
    this.#step({ kind: 'payload', key, value: value.slice(0, VALUE_LENGTH_MAX) });
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Who is there according to the cluster config. */
  configure(uris: readonly string[], suspectTimeoutMs: number): void {
    this.#step({ kind: 'configure', uris, suspectTimeoutMs });
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#step({ kind: 'tick' });
      const delayMs = nextTickMs(this.#state) - this.#options.clock.monotonicMs();
      await this.#wakeUp.sleep(Math.max(0, delayMs), signal);
    }
  }

  /** Is there an instance of this cluster? Whether it is allowed does not matter [MEM-13]. */
  async probe(uri: string): Promise<ProbeAnswer> {
    if (!hostPortSchema.safeParse(uri).success) return { kind: 'failed', why: 'parse error' };
    const step = this.#take({ kind: 'probe', uri });
    const { sequence, times } = step.state;
    let found = '';
    const answer = new Promise<void>((resolve) => {
      this.#probes.set(sequence, (by) => {
        found = by;
        resolve();
      });
    });
    try {
      const sent = await Promise.all(step.datagrams.map((datagram) => this.#send(datagram)));
      if (sent.includes(false)) return { kind: 'failed', why: 'ping was not sent' };
      const isAnswered = await within(this.#options.clock, times.ackTimeoutMs, answer);
      if (!isAnswered) return { kind: 'failed', why: 'no response' };
      return { kind: 'answered', uri: found };
    } finally {
      this.#probes.delete(sequence);
    }
  }

  /** Tells the others that it goes; resolves when that is sent [MEM-12]. */
  async leave(): Promise<void> {
    const { datagrams } = this.#take({ kind: 'leave' });
    await Promise.all(datagrams.map((datagram) => this.#send(datagram)));
  }

  async close(): Promise<void> {
    await this.#options.datagrams.close();
  }

  #step(input: GossipInput): void {
    for (const datagram of this.#take(input).datagrams) void this.#send(datagram);
  }

  #take(input: GossipInput): GossipStep {
    const { clock, random } = this.#options;
    const plannedMs = nextTickMs(this.#state);
    const step = stepGossip(this.#state, input, {
      nowMs: clock.monotonicMs(),
      wallMs: clock.wallTime().getTime(),
      chance: () => random.fraction(),
    });
    const before = this.#state;
    this.#state = step.state;
    if (step.refusal !== undefined) this.#refuse(step.refusal);
    for (const { sequence, uri } of step.answered) this.#probes.get(sequence)?.(uri);
    if (input.kind !== 'tick' && nextTickMs(step.state) < plannedMs) this.#wakeUp.wake();
    if (step.isChanged) this.#changed(before);
    return step;
  }

  #changed(before: GossipState): void {
    this.#entries = undefined;
    for (const { entry } of this.#state.heard.values()) {
      const { uri, status, incarnation } = entry;
      const last = before.heard.get(uri)?.entry.status;
      if (last === status || uri === this.#options.uri) continue;
      this.#options.logger.info({ uri, status, last, incarnation }, 'gossip');
    }
    for (const listener of [...this.#listeners]) listener();
  }

  #refuse(reason: string): void {
    const times = (this.#refused.get(reason) ?? 0) + 1;
    this.#refused.set(reason, times);
    if (times === 1) this.#options.logger.warn({ reason }, 'a datagram was passed over');
  }

  /** Whether it was sent. A datagram that was not is as one that is lost. */
  async #send({ to, bytes, isRepeated = false }: GossipDatagram): Promise<boolean> {
    const { datagrams } = this.#options;
    const status = this.#state.heard.get(to)?.entry.status;
    // It may be somewhere else by now [MEM-16].
    if (isRepeated || (status !== undefined && status !== 'alive')) datagrams.forget(to);
    try {
      await datagrams.send(to, bytes);
      return true;
    } catch {
      // Nobody is there: that is what the absence of an answer tells as well.
      return false;
    }
  }
}
