/** Internal messages of replication: `replication.pull`, `replication.snapshot`, `replication.leave`, `leadership.promise`. */
import { z } from 'zod';
import { uuidSchema } from '../../contract/cluster-config.ts';
import { positionSchema } from '../../contract/instance-status.ts';
import { seatSchema } from '../../contract/provider-records.ts';

const bytesSchema = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'must be bytes');

export const pullRequestSchema = z.strictObject({
  replicaSetUuid: uuidSchema,
  seat: seatSchema,
  /** The term that the follower has promised; its rows count in that term only. */
  term: z.int().min(1),
  /** All rows up to here are appended, and it asks for those behind. */
  position: positionSchema,
  /** How long the leader may wait for new rows. */
  waitMs: z.number().min(0).max(60_000),
  /**
   * The rows up to the position are those of a snapshot whose end the log has not reached: nobody could lead with
   * them, so they do not count.
   */
  isIncomplete: z.boolean().optional(),
  /** Grows with every start, and whenever the instance takes back that it leaves. */
  session: z.int().min(0).optional(),
});
export type PullRequest = z.infer<typeof pullRequestSchema>;

export const batchSchema = z.strictObject({
  term: z.int().min(1),
  firstSequence: z.int().min(1),
  rowCount: z.int().min(1),
  payload: bytesSchema,
});

const common = {
  term: z.int().min(1),
  acknowledged: positionSchema,
  inSync: z.array(seatSchema),
};

export const pullAnswerSchema = z.discriminatedUnion('kind', [
  /** The position is in the leader's log, and these follow it; none when the wait was over first. */
  z.strictObject({ kind: z.literal('rows'), ...common, batches: z.array(batchSchema) }),
  z.strictObject({ kind: z.literal('conflict'), ...common, hint: positionSchema }),
  /** The leader had the position, but what follows it is not in its log any more, or a snapshot is quicker. */
  z.strictObject({ kind: z.literal('join'), ...common }),
]);
export type PullAnswer = z.infer<typeof pullAnswerSchema>;
export type RowsAnswer = Exclude<PullAnswer, { readonly kind: 'join' }>;

export const snapshotRequestSchema = z.strictObject({
  replicaSetUuid: uuidSchema,
  /** Of the leader, as for a pull. */
  term: z.int().min(1),
  /** The one whose next bytes are wanted; null for the newest one that goes beyond `position`. */
  name: z.string().nullable(),
  position: positionSchema,
  offset: z.int().min(0),
});
export type SnapshotRequest = z.infer<typeof snapshotRequestSchema>;

export const snapshotAnswerSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('part'),
    name: z.string().regex(/^\d+\.snap$/),
    total: z.int().min(1),
    bytes: bytesSchema,
  }),
  /** It is being written, or the one that was named is gone: ask anew. */
  z.strictObject({ kind: z.literal('later') }),
]);
export type SnapshotAnswer = z.infer<typeof snapshotAnswerSchema>;

export const leaveRequestSchema = z.strictObject({
  replicaSetUuid: uuidSchema,
  term: z.int().min(1),
  /** It is about to lose its rows. */
  seat: seatSchema,
  /** As in a pull: one of a later session says that it has not come to that. */
  session: z.int().min(0),
});

/** Is the seat none of the in-sync members, now and for the rest of the session or the term? */
export const leaveAnswerSchema = z.strictObject({ hasLeft: z.boolean() });
export type LeaveAnswer = z.infer<typeof leaveAnswerSchema>;

export const promiseRequestSchema = z.strictObject({
  replicaSetUuid: uuidSchema,
  term: z.int().min(1),
});

export const promiseAnswerSchema = z.strictObject({
  position: positionSchema,
  promisedTerm: z.int().min(0),
  logIncarnation: z.int().min(1),
});
export type PromiseAnswer = z.infer<typeof promiseAnswerSchema>;
