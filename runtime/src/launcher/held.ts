/** What a data process tells its launcher, each time anew and whole. */
import { z } from 'zod';
import { stateProviderSchema, uuidSchema } from '../contract/cluster-config.ts';

export const heldSchema = z.strictObject({
  /** Null while there is none. */
  provider: stateProviderSchema.nullable(),
  /** The process that the records may name. */
  holder: uuidSchema,
  incarnation: z.int().min(1),
  /** Replica sets whose lease record may name it. */
  leases: z.array(uuidSchema),
  /** Whether the coordinators' lock may name it. */
  lock: z.boolean(),
});
export type Held = z.infer<typeof heldSchema>;
