/**
 * Gossip between simulated processes, without packets: each instance now and then exchanges with one other all that
 * both know, and suspects one that does not answer. What it promises is what the port promises: an opinion each.
 */
import type { Clock } from '../../runtime/src/foundation/clock.ts';
import type { GossipEntry, GossipStatus, Membership } from '../../runtime/src/ports/membership.ts';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import type { Gate } from './gate.ts';

export interface GossipWorld {
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly uris: readonly string[];
  readonly suspectMs: number;
  readonly reaches: (a: string, b: string) => boolean;
}

interface Heard {
  readonly entry: GossipEntry;
  readonly sinceMs: number;
}

const PERIOD_MS = 150;
const WORSE: readonly GossipStatus[] = ['alive', 'suspect', 'dead', 'left'];

export class Gossip {
  readonly world: GossipWorld;
  readonly members = new Map<string, SimulatedMember>();

  constructor(world: GossipWorld) {
    this.world = world;
  }

  /** A new process begins without knowing anybody. */
  join(uri: string, uuid: string, gate: Gate): SimulatedMember {
    const member = new SimulatedMember(this, { uri, uuid, gate });
    this.members.set(uri, member);
    void member.run();
    return member;
  }
}

class SimulatedMember implements Membership {
  readonly uri: string;
  readonly gate: Gate;
  readonly #gossip: Gossip;
  readonly #heard = new Map<string, Heard>();
  readonly #listeners = new Set<() => void>();

  constructor(
    gossip: Gossip,
    own: { readonly uri: string; readonly uuid: string; readonly gate: Gate },
  ) {
    this.uri = own.uri;
    this.gate = own.gate;
    this.#gossip = gossip;
    const payload = { uuid: own.uuid, state: 'BoxConfigured' };
    this.#set({ uri: own.uri, status: 'alive', incarnation: 1, payload });
  }

  entries(): readonly GossipEntry[] {
    const all = [...this.#heard.values()].map(({ entry }) => entry);
    return all.toSorted((a, b) => (a.uri < b.uri ? -1 : 1));
  }

  setPayload(key: string, value: string): void {
    const own = this.#own();
    if (own.payload[key] === value) return;
    const payload = { ...own.payload, [key]: value };
    this.#set({ ...own, incarnation: own.incarnation + 1, payload });
    this.#tell();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async run(): Promise<void> {
    const { clock, random, uris } = this.#gossip.world;
    const others = uris.filter((uri) => uri !== this.uri);
    for (let round = random.integer(others.length); !this.gate.isDead; round++) {
      await clock.sleep(PERIOD_MS * (0.8 + random.fraction() * 0.4));
      if (!this.gate.isOpen) continue;
      this.#expire();
      await this.#exchange(others[round % others.length] ?? '');
    }
  }

  #exchange = async (uri: string): Promise<void> => {
    const { world, members } = this.#gossip;
    await world.clock.sleep(1 + world.random.fraction() * 4);
    const other = members.get(uri);
    if (other?.gate.isOpen === true && this.gate.isOpen && world.reaches(this.uri, uri)) {
      other.receive(this.entries());
      this.receive(other.entries());
    } else {
      this.#suspect(uri);
    }
  };

  receive(entries: readonly GossipEntry[]): void {
    let isChanged = false;
    for (const entry of entries) isChanged = this.#take(entry) || isChanged;
    if (isChanged) this.#tell();
  }

  #take(entry: GossipEntry): boolean {
    if (entry.uri === this.uri) return this.#refute(entry);
    const known = this.#heard.get(entry.uri)?.entry;
    const isWorse =
      known?.incarnation === entry.incarnation &&
      WORSE.indexOf(entry.status) > WORSE.indexOf(known.status);
    if (known !== undefined && entry.incarnation <= known.incarnation && !isWorse) return false;
    this.#set(entry);
    return true;
  }

  /** Also when a former process of this instance is remembered. */
  #refute({ status, incarnation }: GossipEntry): boolean {
    const own = this.#own();
    const isSaid = status !== 'alive' && incarnation >= own.incarnation;
    if (!isSaid && incarnation <= own.incarnation) return false;
    this.#set({ ...own, incarnation: incarnation + 1 });
    return true;
  }

  #suspect(uri: string): void {
    const known = this.#heard.get(uri)?.entry;
    if (known?.status !== 'alive' || !this.gate.isOpen) return;
    this.#set({ ...known, status: 'suspect' });
    this.#tell();
  }

  #expire(): void {
    const { clock, suspectMs } = this.#gossip.world;
    const late = [...this.#heard.values()].filter(
      ({ entry, sinceMs }) =>
        entry.status === 'suspect' && clock.monotonicMs() >= sinceMs + suspectMs,
    );
    for (const { entry } of late) this.#set({ ...entry, status: 'dead' });
    if (late.length > 0) this.#tell();
  }

  #set(entry: GossipEntry): void {
    this.#heard.set(entry.uri, { entry, sinceMs: this.#gossip.world.clock.monotonicMs() });
  }

  #own(): GossipEntry {
    const own = this.#heard.get(this.uri);
    if (own === undefined) throw new Error('it knows itself');
    return own.entry;
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
