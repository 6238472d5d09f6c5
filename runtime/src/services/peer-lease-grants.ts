/**
 * The peer leases that this instance has granted, and the promises that it does not give meanwhile.
 *
 * Grants and promises pass through one queue, so that neither is given while the other is being stored. A grant is in
 * `peer-lease.json` before it is given: after a restart nothing is promised until it must have ended. The file is
 * written once in an outage and removed afterwards; it outlives the engine of a failover mode, as the grant does.
 */
import { z } from 'zod';
import { uuidSchema } from '../contract/cluster-config.ts';
import { ClusterError } from '../core/errors.ts';
import {
  endsGrant,
  type GivenGrant,
  type GrantRequest,
  type GrantVerdict,
  givenGrant,
  laterGrant,
} from '../core/failover/peer-lease.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Disk } from '../ports/disk.ts';
import { Exclusive } from './exclusive.ts';
import { WakeUp } from './wake-up.ts';

export const grantRequestSchema = z.strictObject({
  replicaSetUuid: uuidSchema,
  term: z.int().min(1),
  holder: uuidSchema,
  round: z.int().min(0),
  ttlMs: z.number().min(1),
});

export const grantEndSchema = z.strictObject({
  replicaSetUuid: uuidSchema,
  term: z.int().min(1),
  holder: uuidSchema,
  round: z.int().min(0),
});
export type GrantEnd = Omit<z.infer<typeof grantEndSchema>, 'replicaSetUuid'>;

export interface PeerLeaseGrantsOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
}

const FILE = 'peer-lease.json';
const flagSchema = z.strictObject({
  v: z.literal(1),
  term: z.int().min(1),
  holder: uuidSchema,
  round: z.int().min(0),
  ttlMs: z.number().min(1),
});
type Flag = z.infer<typeof flagSchema>;

/** While there is nothing to end. */
const IDLE_MS = 60_000;
/** A removal that failed is tried again; until then a restart waits longer than it must. */
const RETRY_MS = 1000;

export class PeerLeaseGrants {
  readonly #options: PeerLeaseGrantsOptions;
  readonly #queue = new Exclusive();
  readonly #wakeUp: WakeUp;
  #grant: GivenGrant | undefined;
  /** What is on the disk. */
  #flag: Flag | undefined;

  constructor(options: PeerLeaseGrantsOptions) {
    this.#options = options;
    this.#wakeUp = new WakeUp(options.clock);
  }

  async open(): Promise<void> {
    const bytes = await this.#options.disk.read(FILE);
    if (bytes === undefined) return;
    try {
      this.#flag = flagSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
    } catch (cause) {
      throw new ClusterError('STORAGE_FAILED', {
        message: `${FILE} cannot be read. If its disk is damaged, remove the instance's data and let it join again.`,
        cause,
      });
    }
    this.#grant = givenGrant(this.#flag, this.#now());
  }

  /** What must not be broken now. */
  get running(): GivenGrant | undefined {
    const grant = this.#grant;
    return grant !== undefined && grant.untilMs > this.#now() ? grant : undefined;
  }

  /** Grants if `judge` still does once the grant is on the disk. */
  grant(request: GrantRequest, judge: () => GrantVerdict): Promise<GrantVerdict> {
    return this.#queue.run(async () => {
      const before = judge();
      if (before.kind === 'refused') return before;
      await this.#store(request);
      const verdict = judge();
      // Also when it was refused meanwhile: what is on the disk is then removed in its time.
      this.#grant = laterGrant(this.#grant, givenGrant(request, this.#now()));
      this.#wakeUp.wake();
      return verdict;
    });
  }

  /** The holder counts no grant of this round or of an earlier one any more. */
  end(end: GrantEnd): Promise<void> {
    return this.#queue.run(async () => {
      if (this.#grant === undefined || !endsGrant(this.#grant, end)) return;
      this.#grant = undefined;
      this.#wakeUp.wake();
    });
  }

  /**
   * Runs `promise`, and nothing is granted meanwhile. Refused while a grant runs, unless its holder can be shown to
   * have given up, or to be dead.
   */
  async promise<T>(
    isOver: (grant: GivenGrant) => Promise<boolean>,
    promise: () => Promise<T>,
  ): Promise<T> {
    const asked = this.running;
    const over = asked !== undefined && (await isOver(asked));
    return this.#queue.run(async () => {
      const { running } = this;
      // Whoever is dead in a term asks for nothing more in it, whatever arrives late.
      if (over && running?.term === asked.term && running.holder === asked.holder) {
        this.#grant = undefined;
        this.#wakeUp.wake();
      }
      this.#refuseWhileGranted();
      return promise();
    });
  }

  /** Takes away what is on the disk once it has ended. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { running } = this;
      let restMs = running === undefined ? IDLE_MS : running.untilMs - this.#now() + 1;
      if (running === undefined && this.#flag !== undefined && !(await this.#clear())) {
        restMs = RETRY_MS;
      }
      await this.#wakeUp.sleep(restMs, signal);
    }
  }

  #refuseWhileGranted(): void {
    const { running } = this;
    if (running === undefined) return;
    const remainingMs = Math.ceil(running.untilMs - this.#now());
    throw new ClusterError('PEER_LEASE_HELD', {
      message: `This instance has granted a peer lease to ${running.holder} in term ${running.term}, for ${remainingMs} ms more.`,
      details: { remainingMs },
    });
  }

  async #store({ term, holder, round, ttlMs }: GrantRequest): Promise<void> {
    const flag: Flag = { v: 1, term, holder, round, ttlMs };
    // A late request must not make the wait after a restart shorter.
    if (this.running !== undefined && this.#flag !== undefined) {
      flag.ttlMs = Math.max(ttlMs, this.#flag.ttlMs);
      if (term === this.#flag.term) flag.round = Math.max(round, this.#flag.round);
    }
    if (JSON.stringify(flag) === JSON.stringify(this.#flag)) return;
    this.#options.logger.info(flag, 'the state provider does not answer; granting a peer lease');
    await this.#options.disk.writeAtomic(
      FILE,
      new TextEncoder().encode(`${JSON.stringify(flag)}\n`),
    );
    this.#flag = flag;
  }

  /** False when it has to be tried again. */
  #clear(): Promise<boolean> {
    return this.#queue.run(async () => {
      if (this.running !== undefined) return true;
      try {
        await this.#options.disk.remove(FILE);
      } catch (error) {
        this.#options.logger.warn({ error }, `${FILE} could not be removed`);
        return false;
      }
      this.#flag = undefined;
      return true;
    });
  }

  #now(): number {
    return this.#options.clock.monotonicMs();
  }
}
