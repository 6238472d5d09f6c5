/**
 * What the state provider keeps below a cluster's prefix. JSON values with a version field.
 *
 * Terms fence: an appointment has a higher term than all before it. Leases are records renewed by compare-and-set,
 * never the provider's own leases: whoever holds one counts its deadline from the moment of *sending*.
 */
import { z } from 'zod';
import { configVersionSchema, uuidSchema } from './cluster-config.ts';

export const providerKeys = {
  lock: 'lock',
  leaders: 'leaders/',
  leader: (replicaSetUuid: string): string => `leaders/${replicaSetUuid}`,
  leases: 'lease/',
  lease: (replicaSetUuid: string): string => `lease/${replicaSetUuid}`,
  configHead: 'config/head',
  decision: (changeId: string): string => `config/decision/${changeId}`,
  identity: 'identity',
  cookieHash: 'cookie-hash',
} as const;

/** A seat in the in-sync members; `incarnation` is the `logIncarnation` of its instance (`identity.ts`). */
export const seatSchema = z.strictObject({ uuid: uuidSchema, incarnation: z.int().min(1) });
export type Seat = z.infer<typeof seatSchema>;

export const appointmentSchema = z.strictObject({
  v: z.literal(1),
  term: z.int().min(1),
  leader: uuidSchema,
  /** Whoever must have appended a write before it is acknowledged; the leader's own seat is among them. */
  inSync: z.array(seatSchema).min(1),
  reason: z.string(),
  /** The leader of this term was not in sync: somebody has given up what the missing members had. */
  forced: z
    .strictObject({
      term: z.int().min(1),
      command: z.string(),
      missing: z.array(uuidSchema),
      /** Acknowledged rows that are known to be gone; there may be more. Left out: nothing is known. */
      rowsLost: z.int().min(0).optional(),
    })
    .optional(),
});
export type Appointment = z.infer<typeof appointmentSchema>;

export const leaseSchema = z.strictObject({
  v: z.literal(1),
  term: z.int().min(1),
  holder: uuidSchema,
  /** 0 in the record that an appointment creates: the holder has not started to renew. */
  incarnation: z.int().min(0),
  /** New with each renewal, so that a change is always visible. */
  nonce: z.string(),
  /** A tombstone: its holder is dead or has given it up. Nobody waits for it. */
  released: z.boolean(),
});
export type Lease = z.infer<typeof leaseSchema>;

export const coordinatorLockSchema = z.strictObject({
  v: z.literal(1),
  holder: uuidSchema,
  incarnation: z.int().min(1),
  nonce: z.string(),
  released: z.boolean(),
});
export type CoordinatorLock = z.infer<typeof coordinatorLockSchema>;

export const configHeadSchema = z.strictObject({
  v: z.literal(1),
  config: configVersionSchema,
  changeId: z.string(),
});
export type ConfigHead = z.infer<typeof configHeadSchema>;

export const decisionSchema = z.strictObject({
  v: z.literal(1),
  decision: z.enum(['commit', 'abort']),
  reason: z.string(),
  by: z.string(),
});
export type Decision = z.infer<typeof decisionSchema>;

/** Written once, by the first active coordinator: which cluster's cookie belongs to this prefix. */
export const cookieHashSchema = z.strictObject({ v: z.literal(1), sha256: z.string().max(64) });

/** Written once at bootstrap: a provider without it, or with another, has forgotten this cluster. */
export const identitySchema = z.strictObject({ v: z.literal(1), clusterUuid: uuidSchema });
export type Identity = z.infer<typeof identitySchema>;
