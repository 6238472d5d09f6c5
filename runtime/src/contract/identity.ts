import { z } from 'zod';
import { uuidSchema } from './cluster-config.ts';

/** `instance.json` in the working directory: who the instance is, born with its data. */
export const instanceIdentitySchema = z.strictObject({
  v: z.literal(1),
  uuid: uuidSchema,
  clusterUuid: uuidSchema,
  /** Counts the starts of the process. */
  incarnation: z.int().min(1),
  /**
   * Counts the starts after which the end of the log may be missing: with log mode `write` those on another kernel
   * boot. A seat among the in-sync members names it: what was acknowledged may be gone after such a start.
   */
  logIncarnation: z.int().min(1),
  /** The kernel's boot id at the last start. */
  bootId: z.string(),
});
export type InstanceIdentity = z.infer<typeof instanceIdentitySchema>;
