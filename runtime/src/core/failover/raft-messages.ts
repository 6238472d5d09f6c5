/** Internal messages of leadership in mode `raft`: `leadership.vote`, `leadership.heartbeat`, `leadership.stand`. */
import { z } from 'zod';
import { uuidSchema } from '../../contract/cluster-config.ts';
import { positionSchema } from '../../contract/instance-status.ts';
import { seatSchema } from '../../contract/provider-records.ts';

const termSchema = z.int().min(1);
/** A day: as long as a failover timeout may be. */
const LONGEST_QUIET_MS = 86_400_000;

export const voteRequestSchema = z.strictObject({
  replicaSetUuid: uuidSchema,
  kind: z.enum(['pre-vote', 'vote']),
  term: termSchema,
  candidate: uuidSchema,
  position: positionSchema,
  releasedTerm: z.int().min(0),
});

export const voteAnswerSchema = z.strictObject({
  /** The highest that the voter has promised. */
  term: z.int().min(0),
  isGranted: z.boolean(),
  isSound: z.boolean(),
  hasLostEnd: z.boolean(),
  seat: seatSchema,
});
export type VoteAnswer = z.infer<typeof voteAnswerSchema>;

export const heartbeatRequestSchema = z.strictObject({
  replicaSetUuid: uuidSchema,
  term: termSchema,
  leader: uuidSchema,
  /** For how long the receiver is to vote for nobody else. */
  quietMs: z.number().min(0).max(LONGEST_QUIET_MS),
  acknowledged: positionSchema,
  /** The receiver's, as the leader knows it: what is acknowledged rests on no log that it had before. */
  seat: seatSchema.optional(),
});
export type HeartbeatRequest = z.infer<typeof heartbeatRequestSchema>;

export const heartbeatAnswerSchema = z.strictObject({
  term: z.int().min(0),
  /** It votes for nobody else for as long as it was asked to. */
  isHeard: z.boolean(),
  seat: seatSchema,
});
export type HeartbeatAnswer = z.infer<typeof heartbeatAnswerSchema>;

/** The leader of the term has laid down its lease, and wants the receiver to take its place. */
export const standRequestSchema = z.strictObject({
  replicaSetUuid: uuidSchema,
  term: termSchema,
});
