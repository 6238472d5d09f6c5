/** Messages of the two-phase change, between a change coordinator (an instance or the operator) and instances. */
import { z } from 'zod';
import {
  clusterConfigSchema,
  configVersionSchema,
  hostPortSchema,
  sectionNameSchema,
  uuidSchema,
} from './cluster-config.ts';
import { jsonSchema } from './json.ts';
import { hasMoreLevels, SECTION_LEVELS_MAX, tooManyLevels } from './section-levels.ts';

/** The levels are counted first: the rest of the schema calls itself once for each. */
const wantedSectionSchema = z
  .unknown()
  .refine((value) => !hasMoreLevels(value, SECTION_LEVELS_MAX), tooManyLevels('the section'))
  .pipe(jsonSchema);

/** A section set to `null` is removed (CONF-09). */
export const configPatchSchema = z.record(sectionNameSchema, wantedSectionSchema);
export type ConfigPatch = z.infer<typeof configPatchSchema>;

export const participantSchema = z.strictObject({ uuid: uuidSchema, httpUri: hostPortSchema });
export type Participant = z.infer<typeof participantSchema>;

export const changeSchema = z.strictObject({
  /** Hash of cluster, base, wanted sections and attempt: the same wish of the same coordinator finds itself again. */
  changeId: z.string().regex(/^[0-9a-f]{64}$/),
  clusterUuid: uuidSchema,
  base: configVersionSchema,
  /** Where the decision is kept: the state provider, or (with none) the participants themselves, all of them. */
  authority: z.enum(['provider', 'participants']),
  /** Every instance that must prepare, sorted by UUID. */
  participants: z.array(participantSchema).min(1),
  author: z.string().max(200),
  message: z.string().max(1000),
  time: z.string(),
});
export type Change = z.infer<typeof changeSchema>;

export const prepareRequestSchema = z.strictObject({
  change: changeSchema,
  /** Version and checksum that the result must have: every participant computes it and compares. */
  result: configVersionSchema,
  patch: configPatchSchema,
  /** The whole wanted config; sent only to those whose base differs (joining ones, stragglers). */
  full: clusterConfigSchema.optional(),
});
export type PrepareRequest = z.infer<typeof prepareRequestSchema>;

export const refusalSchema = z.strictObject({
  code: z.string(),
  message: z.string(),
  /** Path of the field that is wrong, e.g. `sections.metrics.export[0].path`. */
  field: z.string().optional(),
});
export type Refusal = z.infer<typeof refusalSchema>;

export const prepareAnswerSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('prepared') }),
  /** Its config is not the base: send `full`. */
  z.strictObject({ kind: z.literal('base-differs'), has: configVersionSchema }),
  z.strictObject({ kind: z.literal('refused'), refusal: refusalSchema }),
  z.strictObject({ kind: z.literal('decided'), decision: z.enum(['commit', 'abort']) }),
]);
export type PrepareAnswer = z.infer<typeof prepareAnswerSchema>;

export const finishRequestSchema = z.strictObject({
  changeId: z.string(),
  reason: z.string().max(1000).default(''),
});
export type FinishRequest = z.infer<typeof finishRequestSchema>;

/** What became of a change here; `prepared` = locked and waiting for its decision, `unknown` = never seen. */
export const changeStateSchema = z.strictObject({
  changeId: z.string(),
  state: z.enum(['unknown', 'prepared', 'committed', 'aborted']),
  reason: z.string(),
  config: configVersionSchema,
});
export type ChangeState = z.infer<typeof changeStateSchema>;
