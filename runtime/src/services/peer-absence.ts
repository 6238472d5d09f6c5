/**
 * What an instance shows of the others of its replica set that do without it, or without which it does.
 *
 * One whose disk has failed cannot show anything itself any more, so it tells its peers why, as the last thing that it
 * does. That is a courtesy: the word may be lost, and nothing waits for it but the end of the process, not for long.
 * What every peer finds out by itself is who asks for no rows, and who is not among the in-sync members.
 */
import { z } from 'zod';
import { type Topology, uuidSchema } from '../contract/cluster-config.ts';
import type { Issue } from '../contract/instance-status.ts';
import type { Seat } from '../contract/provider-records.ts';
import { addressOf, leaderOrder } from '../core/failover/leader-order.ts';
import type { Clock } from '../foundation/clock.ts';
import type { InternalHandlers, Peers } from '../ports/peers.ts';

const stoppedSchema = z.strictObject({ uuid: uuidSchema, reason: z.string().max(2000) });
const runsSchema = z.strictObject({ uuid: uuidSchema });

/** An instance that ends waits for so long, and its successor with it. */
const LAST_WORD_MS = 300;
const GREETING_MS = 1000;
const GREETINGS_MAX = 30;
/** Longer than any pull, and than a start. */
const SILENT_MS = 10_000;
const REASON_MAX = 1000;

export interface PeerAbsenceOptions {
  readonly selfUuid: string;
  readonly replicaSetUuid: string;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly topology: () => Topology;
  /** Who is in sync, for all that is known here. */
  readonly inSync: () => readonly Seat[];
}

export class PeerAbsence {
  readonly #options: PeerAbsenceOptions;
  /** Why it has stopped, by its own last word. */
  readonly #stopped = new Map<string, string>();
  readonly #heardMs = new Map<string, number>();
  /** Since when others have to ask this instance for rows; undefined while it does not lead. */
  #leadsSinceMs: number | undefined;
  #lastWord: Promise<void> | undefined;

  constructor(options: PeerAbsenceOptions) {
    this.#options = options;
  }

  handlers(): InternalHandlers {
    return new Map([
      [
        'replication.stopped',
        async (body: unknown) => {
          const { uuid, reason } = stoppedSchema.parse(body);
          this.#stopped.set(uuid, reason);
          return {};
        },
      ],
      [
        'replication.runs',
        async (body: unknown) => {
          this.#stopped.delete(runsSchema.parse(body).uuid);
          return {};
        },
      ],
    ]);
  }

  /** It asks for rows. */
  heard(uuid: string): void {
    this.#heardMs.set(uuid, this.#options.clock.monotonicMs());
    this.#stopped.delete(uuid);
  }

  leads(isLeader: boolean): void {
    this.#leadsSinceMs = isLeader ? this.#options.clock.monotonicMs() : undefined;
  }

  issues(): readonly Issue[] {
    const { topology, inSync } = this.#options;
    const seats = inSync();
    return this.#others().flatMap((uuid) => {
      const server = topology().servers[uuid];
      const name = server === undefined || server === 'expelled' ? uuid : server.alias;
      const why = this.#whyAbsent(uuid, seats);
      return why === undefined
        ? []
        : [{ level: 'warning', ...why, message: `${name} ${why.message}` }];
    });
  }

  /** The last word, of which the first counts: resolves when the others have it, or soon. */
  stopped(error: unknown): Promise<void> {
    this.#lastWord ??= this.#sayWhy(error);
    return this.#lastWord;
  }

  async #sayWhy(error: unknown): Promise<void> {
    const reason = (error instanceof Error ? error.message : String(error)).slice(0, REASON_MAX);
    const body = { uuid: this.#options.selfUuid, reason };
    await Promise.all(
      this.#others().map((uuid) => this.#tell(uuid, 'replication.stopped', body, LAST_WORD_MS)),
    );
  }

  /** Takes the last word of the process before back, from everyone who can be reached. */
  async runs(signal: AbortSignal): Promise<void> {
    const { clock, selfUuid } = this.#options;
    const told = new Set<string>();
    for (let time = 0; time < GREETINGS_MAX && !signal.aborted; time++) {
      const left = this.#others().filter((uuid) => !told.has(uuid));
      const body = { uuid: selfUuid };
      const answers = left.map(async (uuid) => {
        if (await this.#tell(uuid, 'replication.runs', body, GREETING_MS)) told.add(uuid);
      });
      await Promise.all(answers);
      if (left.every((uuid) => told.has(uuid))) return;
      await clock.sleep(GREETING_MS, signal);
    }
  }

  #whyAbsent(uuid: string, seats: readonly Seat[]): Pick<Issue, 'topic' | 'message'> | undefined {
    const reason = this.#stopped.get(uuid);
    if (reason !== undefined) {
      return { topic: 'peer-stopped', message: `has stopped, and said why: ${reason}` };
    }
    const silentMs = this.#silentMs(uuid);
    if (silentMs >= SILENT_MS) {
      const message =
        `has asked for no rows for ${Math.round(silentMs / 1000)} s: writes are acknowledged ` +
        'without it. Look whether it runs, what its log says, and whether it can reach this one.';
      return { topic: 'peer-silent', message };
    }
    if (seats.length === 0 || seats.some((seat) => seat.uuid === uuid)) return undefined;
    const message =
      'is not in sync: writes are acknowledged without it, and it cannot be appointed. It comes ' +
      'back by itself once it runs and has caught up; if it does not, look at its status and log.';
    return { topic: 'peer-not-in-sync', message };
  }

  /** Since it asked for rows, or since it should have begun to; 0 where nobody has to. */
  #silentMs(uuid: string): number {
    const since = this.#leadsSinceMs;
    if (since === undefined) return 0;
    const lastMs = Math.max(since, this.#heardMs.get(uuid) ?? 0);
    return this.#options.clock.monotonicMs() - lastMs;
  }

  #others(): readonly string[] {
    const { topology, replicaSetUuid, selfUuid } = this.#options;
    return leaderOrder(topology(), replicaSetUuid)
      .filter(({ uuid, disabled }) => uuid !== selfUuid && !disabled)
      .map(({ uuid }) => uuid);
  }

  async #tell(uuid: string, method: string, body: unknown, timeoutMs: number): Promise<boolean> {
    const { peers, topology } = this.#options;
    const address = addressOf(topology(), uuid);
    if (address === undefined) return false;
    try {
      await peers.call(address, method, body, { timeoutMs });
      return true;
    } catch {
      // It is away itself, or of an earlier release: it will see for itself.
      return false;
    }
  }
}
