/**
 * Gives leadership to a follower without a lost row, where nobody else decides: freeze, wait until it has the same
 * last row, ask it to take over.
 *
 * If it cannot be known whether it did, this instance asks whether it has promised a higher term; where even that is
 * not answered, it leads on: of two leaders one gives way once gossip tells of the other.
 */
import { z } from 'zod';
import { uuidSchema } from '../contract/cluster-config.ts';
import type { InstanceIdentity } from '../contract/identity.ts';
import { type Position, positionSchema } from '../contract/instance-status.ts';
import { comparePositions } from '../core/failover/seats.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Peers } from '../ports/peers.ts';
import type { KnownLeader, TakeRequest } from './leadership-engine.ts';
import type { ReplicaSetStorage } from './replica-set-storage.ts';

export interface EventualHandoverOptions {
  readonly identity: InstanceIdentity;
  readonly replicaSetUuid: string;
  readonly storage: ReplicaSetStorage;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Successor {
  readonly uuid: string;
  readonly address: string;
}

/** For so long writes may wait for the successor's last rows. */
const CATCH_UP_MS = 1000;
const LOOK_MS = 10;
const CALL_MS = 1000;
/** After one that failed, so that writes are not stopped again and again. */
const REST_MS = 5000;

const takenSchema = z.object({ uuid: uuidSchema, term: z.int().min(1) });
const reportSchema = z.object({ position: positionSchema, promisedTerm: z.int().min(0) });

export class EventualHandover {
  readonly #options: EventualHandoverOptions;
  #isUnderWay = false;
  #restsUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: EventualHandoverOptions) {
    this.#options = options;
  }

  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  get isDue(): boolean {
    return !this.#isUnderWay && this.#options.clock.monotonicMs() >= this.#restsUntilMs;
  }

  /** The successor in its new term; undefined when this instance leads on. */
  async run(
    successor: Successor,
    term: number,
    isBacked: boolean,
  ): Promise<KnownLeader | undefined> {
    const { storage, logger, clock } = this.#options;
    if (this.#isUnderWay) return undefined;
    this.#isUnderWay = true;
    try {
      const position = await storage.freeze();
      await this.#caughtUp(successor, position);
      const taken = await this.#give(successor, { term, position, isBacked });
      logger.info({ ...taken }, 'leadership was handed over');
      return taken;
    } catch (error) {
      logger.warn({ error, successor: successor.uuid }, 'leadership was not handed over');
      this.#restsUntilMs = clock.monotonicMs() + REST_MS;
      storage.thaw();
      return undefined;
    } finally {
      this.#isUnderWay = false;
    }
  }

  async #caughtUp(successor: Successor, position: Position): Promise<void> {
    const { clock } = this.#options;
    const untilMs = clock.monotonicMs() + CATCH_UP_MS;
    for (;;) {
      const report = await this.#report(successor);
      if (comparePositions(report.position, position) === 0) return;
      if (clock.monotonicMs() >= untilMs) throw new Error('it did not get the last rows in time');
      await clock.sleep(LOOK_MS);
    }
  }

  async #give(successor: Successor, given: Omit<TakeRequest, 'from'>): Promise<KnownLeader> {
    const { peers, identity, replicaSetUuid } = this.#options;
    const body = { replicaSetUuid, from: identity.uuid, ...given };
    try {
      const options = { timeoutMs: CALL_MS };
      return takenSchema.parse(
        await peers.call(successor.address, 'leadership.take', body, options),
      );
    } catch (error) {
      const { promisedTerm } = await this.#report(successor);
      if (promisedTerm > given.term) return { uuid: successor.uuid, term: promisedTerm };
      throw error;
    }
  }

  async #report({ address }: Successor): Promise<z.infer<typeof reportSchema>> {
    const { peers, replicaSetUuid } = this.#options;
    const body = { replicaSetUuid };
    const answer = await peers.call(address, 'leadership.report', body, { timeoutMs: CALL_MS });
    return reportSchema.parse(answer);
  }
}
