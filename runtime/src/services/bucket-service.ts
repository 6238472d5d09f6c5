/**
 * The buckets of this replica set: rows of the space `_bucket`, and the calls that come for them.
 *
 * The first assignment stands in the cluster config. The leader writes its own ranges, part by part; doing it again
 * writes what is missing and nothing else, so it may be asked at every apply and be interrupted anywhere. A call for a
 * bucket that is not here is refused before the role's function is entered, and the answer proves it, so the router
 * may send it elsewhere.
 */
import { z } from 'zod';
import type { BucketRange } from '../contract/cluster-config.ts';
import { ClusterError } from '../core/errors.ts';
import { outcomeUnknown, thrownBefore, thrownWithin } from '../core/routing/execution-proof.ts';
import type { Clock } from '../foundation/clock.ts';
import { type InternalHandler, type InternalHandlers, PeerError } from '../ports/peers.ts';
import { LeaderNews } from './leader-news.ts';
import type { KnownLeader } from './leadership-engine.ts';
import type { RoleHost } from './role-host.ts';
import { createSpace, type SpaceStorage } from './space-access.ts';
import { within } from './within.ts';

const BUCKET_SPACE = '_bucket';
/** Functions that have been entered may end before leadership is handed over; one that takes longer may fail. */
const DRAIN_MS = 500;

/** A transaction is one record of the log and one message to a follower, whatever the number of buckets is. */
export const BUCKETS_PER_TRANSACTION = 5000;

export interface BucketServiceOptions {
  readonly storage: SpaceStorage & { readonly isWritable: boolean };
  readonly roles: () => RoleHost;
  readonly replicaSetUuid: () => string | undefined;
  readonly leaderOf: (replicaSetUuid: string) => KnownLeader | undefined;
  readonly clock: Clock;
}

const callSchema = z.object({
  replicaSetUuid: z.string(),
  /** 0: the whole replica set, only for reading. */
  bucketId: z.int().min(0),
  mode: z.enum(['read', 'write']),
  role: z.string(),
  fn: z.string(),
  args: z.array(z.unknown()),
});

export class BucketService {
  readonly #options: BucketServiceOptions;
  readonly #news: LeaderNews;
  /** Calls that were let in and have not ended. */
  #entered = 0;
  #isDraining = false;
  #drained = (): void => undefined;

  constructor(options: BucketServiceOptions) {
    this.#options = options;
    const { clock, leaderOf } = options;
    this.#news = new LeaderNews({
      ...{ clock, leaderOf },
      takesCalls: (replicaSetUuid) => {
        try {
          this.#requireLeader(replicaSetUuid);
          return true;
        } catch {
          return false;
        }
      },
    });
  }

  handlers(): InternalHandlers {
    return new Map([
      ['bucket.call', this.call],
      ['bucket.leader', this.#news.handle],
    ]);
  }

  /** Whether calls are taken, or who leads, may have changed: routers may be waiting to hear of it. */
  leadershipChanged(): void {
    this.#news.notify();
  }

  /** Before a handover: lets no call in, and waits until those that were let in have ended, but not for long. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    if (this.#entered === 0) return;
    const drained = new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
    await within(this.#options.clock, DRAIN_MS, drained);
  }

  letIn(): void {
    this.#isDraining = false;
    this.#news.notify();
  }

  readonly call: InternalHandler = async (body) => {
    const call = callSchema.parse(body);
    this.#entered++;
    try {
      return await this.#run(call);
    } finally {
      this.#entered--;
      if (this.#entered === 0) this.#drained();
    }
  };

  async #run(call: z.infer<typeof callSchema>): Promise<unknown> {
    const { call: fn, context } = await this.#enter(call);
    let result: unknown;
    try {
      result = await fn(context, ...(call.args as never[]));
    } catch (error) {
      if (error instanceof PeerError && call.mode === 'write') throw outcomeUnknown(error);
      throw thrownWithin(error, call.mode);
    }
    // A leader that has lost its lease meanwhile may have read what another leader has since changed.
    if (call.mode === 'read') this.#requireWritable(call.replicaSetUuid);
    return result;
  }

  /** On the leader: makes the buckets of the first assignment that this replica set has not got yet. */
  async createAssigned(assignment: readonly BucketRange[]): Promise<void> {
    const { storage } = this.#options;
    const own = assignment.filter(
      (range) => range.replicaset_uuid === this.#options.replicaSetUuid(),
    );
    await createSpace(storage, {
      name: BUCKET_SPACE,
      format: [
        { name: 'id', type: 'unsigned' },
        { name: 'status', type: 'string' },
      ],
      indexes: [{ name: 'pk', parts: ['id'] }],
    });
    for (const range of own) {
      for (let first = range.first; first <= range.last; first += BUCKETS_PER_TRANSACTION) {
        const last = Math.min(first + BUCKETS_PER_TRANSACTION - 1, range.last);
        await this.#createMissing(first, last);
      }
    }
  }

  /** How many buckets are here, as far as this instance knows now: none while it gets a copy of the data. */
  async count(): Promise<number> {
    const counted = this.#options.storage.read(
      (reader) => (reader.space(BUCKET_SPACE) === undefined ? 0 : reader.count(BUCKET_SPACE)),
      { consistency: 'local' },
    );
    return counted.catch((error: unknown) => {
      if (error instanceof ClusterError && error.code === 'NOT_READY') return 0;
      throw error;
    });
  }

  /** All that are missing from `first` to `last`, or none: what an earlier attempt has made stays as it is. */
  async #createMissing(first: number, last: number): Promise<void> {
    const { storage } = this.#options;
    const ids = Array.from({ length: last - first + 1 }, (_, index) => first + index);
    const missing = await storage.read((reader) =>
      ids.filter((id) => reader.get(BUCKET_SPACE, [id]) === undefined),
    );
    if (missing.length === 0) return;
    await storage.write((transaction) => {
      for (const id of missing) transaction.replace(BUCKET_SPACE, [id, 'active']);
    });
  }

  /** The function, if this instance may run it now. */
  async #enter(call: z.infer<typeof callSchema>): Promise<ReturnType<RoleHost['rpcFunction']>> {
    try {
      this.#requireLeader(call.replicaSetUuid);
      if (call.bucketId !== 0) await this.#requireBucket(call.bucketId);
      return this.#options.roles().rpcFunction(call.role, call.fn);
    } catch (error) {
      throw thrownBefore(error);
    }
  }

  #requireLeader(replicaSetUuid: string): void {
    if (this.#isDraining)
      throw this.#notLeader(replicaSetUuid, 'hands over leadership, and takes no calls meanwhile');
    this.#requireWritable(replicaSetUuid);
    if (!this.#options.roles().appliedAsLeader)
      throw this.#notLeader(replicaSetUuid, 'has just become leader: its roles are being applied');
  }

  #requireWritable(replicaSetUuid: string): void {
    const { storage, replicaSetUuid: own } = this.#options;
    if (own() !== replicaSetUuid) throw this.#notLeader(replicaSetUuid, 'is of another');
    if (!storage.isWritable) throw this.#notLeader(replicaSetUuid, 'does not lead it now');
  }

  /** With who leads, if this instance knows: the router may not have heard of it yet. */
  #notLeader(replicaSetUuid: string, why: string): ClusterError {
    const leader = this.#options.leaderOf(replicaSetUuid);
    return new ClusterError('NOT_LEADER', {
      message: `This instance takes no calls for replica set ${replicaSetUuid}: it ${why}.`,
      ...(leader === undefined ? {} : { details: { leader } }),
    });
  }

  async #requireBucket(bucketId: number): Promise<void> {
    const isHere = await this.#options.storage.read(
      (reader) =>
        reader.space(BUCKET_SPACE) !== undefined &&
        reader.get(BUCKET_SPACE, [bucketId]) !== undefined,
    );
    if (!isHere) {
      throw new ClusterError('WRONG_BUCKET', {
        message: `Bucket ${bucketId} is not on this replica set (yet).`,
      });
    }
  }
}
