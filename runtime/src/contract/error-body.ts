import { z } from 'zod';

/** The body of every failed HTTP answer of an instance. */
export const errorBodySchema = z.object({
  code: z.string(),
  /** What happened, why, and what to do. */
  message: z.string(),
  /** Path of the field that is wrong, when it is one. */
  field: z.string().optional(),
  details: z.record(z.string(), z.unknown()).optional(),
});
export type ErrorBody = z.infer<typeof errorBodySchema>;
