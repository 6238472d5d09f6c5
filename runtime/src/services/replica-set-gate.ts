/**
 * One replica set as a router sees it: who leads, whether calls may be sent there now, and who waits until they may.
 *
 * A call is held, not sent, from the moment at which the leader refused one, could not be reached, or fell silent, until
 * an instance says that it takes calls as leader. Nothing of a held call was sent, so holding it repeats nothing. Only
 * one question is under way for all that wait, and the instance that was asked holds it until it has an answer: those
 * who wait hear of a new leader at once, and put no load on it.
 */
import { z } from 'zod';
import { ClusterError } from '../core/errors.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Peers } from '../ports/peers.ts';
import type { KnownLeader } from './leadership-engine.ts';
import { WakeUp } from './wake-up.ts';

export interface GateOptions {
  readonly clock: Clock;
  readonly peers: Peers;
  readonly replicaSetUuid: string;
  /** As the map of leaders of this instance has it. */
  readonly mappedLeader: () => KnownLeader | undefined;
  readonly addressOf: (instanceUuid: string) => string | undefined;
  /** Of all replica sets together. */
  readonly budget: HoldBudget;
}

/** What all held calls of a router may take. */
export interface HoldBudget {
  readonly maxCalls: number;
  readonly maxBytes: number;
  calls: number;
  bytes: number;
}

interface Held {
  readonly release: () => void;
}

/** A call that was sent and not answered. */
export interface Flight {
  readonly leader: KnownLeader;
  readonly sentMs: number;
  /** Called when another instance leads in a higher term: whoever was asked has no say any more. */
  readonly overtaken: (by: KnownLeader) => void;
  readonly mode: 'read' | 'write';
}

/** A leader that has answered nothing for so long is asked whether it is one, before it is given more. */
const SILENCE_MS = 250;
/**
 * A leader that hands over has answered before, but on a busy machine the news of that may be here sooner. Longer than
 * that, and shorter than most deadlines: one that is frozen will not answer at all.
 */
const LATE_ANSWER_MS = 1000;
/** How many of those that waited are under way at once: a new leader is not given all of them in one tick. */
const RELEASED_AT_ONCE = 256;
const FIRST_DELAY_MS = 25;
const LAST_DELAY_MS = 250;
const ASK_WAIT_MS = 1000;
const ASK_TIMEOUT_MS = 1500;

export const takesCallsSchema = z.object({
  takesCalls: z.boolean(),
  leader: z.object({ uuid: z.string(), term: z.int() }).nullable(),
});

export class ReplicaSetGate {
  readonly #options: GateOptions;
  readonly #held = new Set<Held>();
  readonly #flights = new Set<Flight>();
  readonly #wakeUp: WakeUp;
  readonly #never = new AbortController().signal;
  #isOpen = true;
  #isAsking = false;
  /** Of those that waited, how many are under way. */
  #released = 0;
  #reason = '';
  /** Heard from an instance of the set; counts until the map moves. */
  #learnt: KnownLeader | undefined;
  #mapped: KnownLeader | undefined;
  #heardMs = Number.NEGATIVE_INFINITY;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#wakeUp = new WakeUp(options.clock);
    this.#mapped = options.mappedLeader();
  }

  get leader(): KnownLeader | undefined {
    this.#readMap();
    const { term = Number.NEGATIVE_INFINITY } = this.#mapped ?? {};
    return this.#learnt !== undefined && this.#learnt.term > term ? this.#learnt : this.#mapped;
  }

  /** Why calls wait. */
  get reason(): string {
    return this.#reason;
  }

  /** The map of leaders may have changed. */
  leadersChanged(): void {
    this.#readMap();
    this.#moved();
  }

  /** What a refusal or an answer has told about who leads. */
  learn(leader: KnownLeader): void {
    const known = this.leader;
    if (known !== undefined && known.term >= leader.term) return;
    this.#learnt = leader;
    this.#moved();
  }

  /**
   * Resolves when a call may be sent, with what is to be called when it is over; with undefined at the deadline. Rejects
   * when too many wait. Nothing was sent then.
   */
  async pass(deadlineMs: number, sizeOf: () => number): Promise<(() => void) | undefined> {
    const { leader } = this;
    const { replicaSetUuid } = this.#options;
    if (leader === undefined) this.#close(`replica set ${replicaSetUuid} has no leader`);
    else if (this.#isSilent()) this.#close(`the leader ${leader.uuid} does not answer`);
    if (this.#isOpen && this.#held.size === 0) return noop;
    return this.#hold(deadlineMs, sizeOf());
  }

  /** This leader takes no calls now; news of one that leads no more changes nothing. */
  refused(by: KnownLeader, reason: string): void {
    const { leader } = this;
    if (leader?.uuid === by.uuid && leader.term === by.term) this.#close(reason);
  }

  #close(reason: string): void {
    this.#reason = reason;
    this.#isOpen = false;
  }

  sent(flight: Flight): () => void {
    this.#flights.add(flight);
    return () => this.#flights.delete(flight);
  }

  /** The leader has answered something. */
  heard(): void {
    this.#heardMs = this.#options.clock.monotonicMs();
  }

  #isSilent(): boolean {
    const [oldest] = this.#flights;
    if (oldest === undefined || !this.#isOpen) return false;
    const sinceMs = Math.max(this.#heardMs, oldest.sentMs);
    return this.#options.clock.monotonicMs() - sinceMs > SILENCE_MS;
  }

  #readMap(): void {
    const mapped = this.#options.mappedLeader();
    if (mapped?.uuid === this.#mapped?.uuid && mapped?.term === this.#mapped?.term) return;
    this.#mapped = mapped;
    this.#learnt = undefined;
  }

  #moved(): void {
    this.#wakeUp.wake();
    const { leader } = this;
    if (leader === undefined) return;
    const overtaken = [...this.#flights].filter((flight) => flight.leader.term < leader.term);
    for (const flight of overtaken) if (flight.mode === 'read') this.#overtake(flight, leader);
    if (overtaken.some(({ mode }) => mode === 'write')) void this.#giveUp(overtaken, leader);
  }

  async #giveUp(flights: readonly Flight[], leader: KnownLeader): Promise<void> {
    const { clock } = this.#options;
    await clock.sleep(LATE_ANSWER_MS);
    // Another turn of the loop: what came while the timer was late is read before.
    await clock.sleep(1);
    for (const flight of flights) this.#overtake(flight, leader);
  }

  #overtake(flight: Flight, leader: KnownLeader): void {
    if (this.#flights.delete(flight)) flight.overtaken(leader);
  }

  async #hold(deadlineMs: number, bytes: number): Promise<(() => void) | undefined> {
    const { budget, clock } = this.#options;
    if (budget.calls >= budget.maxCalls || budget.bytes + bytes > budget.maxBytes) {
      throw new ClusterError('NO_LEADER', {
        message: `${this.#reason}, and ${budget.calls} calls (${budget.bytes} bytes) wait for a leader already: more are not held. Nothing was done; try again later.`,
      });
    }
    const leftMs = deadlineMs - clock.monotonicMs();
    const ended = new AbortController();
    const held: Held = { release: () => ended.abort() };
    this.#held.add(held);
    budget.calls++;
    budget.bytes += bytes;
    this.#startAsking();
    let isLate = leftMs <= 0;
    if (!isLate) {
      isLate = await clock.sleep(leftMs, ended.signal).then(
        () => true,
        () => false,
      );
    }
    budget.calls--;
    budget.bytes -= bytes;
    if (!isLate) return () => this.#landed();
    this.#held.delete(held);
    return undefined;
  }

  /** One of those that waited is done, in whatever way: the next one goes. */
  #landed(): void {
    this.#released--;
    this.#releaseSome();
  }

  #releaseSome(): void {
    if (!this.#isOpen) {
      this.#startAsking();
      return;
    }
    for (const held of this.#held) {
      if (this.#released >= RELEASED_AT_ONCE) return;
      this.#released++;
      this.#held.delete(held);
      held.release();
    }
  }

  #startAsking(): void {
    if (this.#isAsking || this.#isOpen || this.#held.size === 0) return;
    this.#isAsking = true;
    void this.#askUntilOpen().finally(() => {
      this.#isAsking = false;
      this.#releaseSome();
    });
  }

  /** For as long as anybody waits. */
  async #askUntilOpen(): Promise<void> {
    let delayMs = FIRST_DELAY_MS;
    while (this.#held.size > 0 && !this.#isOpen) {
      const asked = this.leader;
      if (asked !== undefined && (await this.#takesCalls(asked))) {
        this.#isOpen = true;
        this.heard();
        return;
      }
      if (this.leader?.term !== asked?.term) {
        delayMs = FIRST_DELAY_MS;
        continue;
      }
      await this.#wakeUp.sleep(delayMs, this.#never);
      delayMs = Math.min(delayMs * 2, LAST_DELAY_MS);
    }
  }

  /** Ends early, with false, when somebody else is heard to lead: a frozen instance would keep it from going on. */
  async #takesCalls(leader: KnownLeader): Promise<boolean> {
    const asking = { isOver: false };
    const answered = this.#ask(leader).finally(() => {
      asking.isOver = true;
      this.#wakeUp.wake();
    });
    for (;;) {
      await this.#wakeUp.sleep(ASK_TIMEOUT_MS, this.#never);
      if (asking.isOver) return answered;
      if (this.leader?.term !== leader.term || this.leader.uuid !== leader.uuid) return false;
    }
  }

  async #ask(leader: KnownLeader): Promise<boolean> {
    const { peers, addressOf, replicaSetUuid } = this.#options;
    const address = addressOf(leader.uuid);
    if (address === undefined) {
      this.#reason = `the leader ${leader.uuid} of replica set ${replicaSetUuid} is not in the topology`;
      return false;
    }
    const body = { replicaSetUuid, term: leader.term, waitMs: ASK_WAIT_MS };
    try {
      const found = await peers.call(address, 'bucket.leader', body, { timeoutMs: ASK_TIMEOUT_MS });
      const answer = takesCallsSchema.parse(found);
      if (answer.leader !== null) this.learn(answer.leader);
      return answer.takesCalls && this.leader?.uuid === leader.uuid;
    } catch (error) {
      this.#reason = error instanceof Error ? error.message : String(error);
      return false;
    }
  }
}

function noop(): void {
  // A call that did not wait holds nobody up.
}
