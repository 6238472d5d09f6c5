/** What a stateboard and its clients say to each other: JSON over HTTP, `POST /v1/<call>`. Keys are whole. */
import { z } from 'zod';

const key = z.string().min(1).max(1000);

export const readRequestSchema = z.strictObject({
  ranges: z.array(z.union([z.strictObject({ key }), z.strictObject({ prefix: key })])).max(20),
});
export const watchRequestSchema = z.strictObject({ prefix: key, fromRevision: z.int().min(0) });
export const transactRequestSchema = z
  .strictObject({
    equal: z.array(z.strictObject({ key, value: z.string().nullable() })).max(20),
    compare: z.array(z.strictObject({ key, revision: z.int().min(0) })).max(200),
    writes: z
      .array(
        z.discriminatedUnion('kind', [
          z.strictObject({ kind: z.literal('put'), key, value: z.string() }),
          z.strictObject({ kind: z.literal('delete'), key }),
        ]),
      )
      .max(200),
  })
  .refine(({ writes }) => new Set(writes.map((write) => write.key)).size === writes.length, {
    path: ['writes'],
    message: 'must not write one key twice',
  });

const entrySchema = z.strictObject({ key, value: z.string(), revision: z.int() });

export const readAnswerSchema = z.strictObject({
  found: z.array(z.array(entrySchema)),
  revision: z.int(),
});
export const transactAnswerSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('applied'), revision: z.int() }),
  z.strictObject({ kind: z.literal('conflict') }),
]);

/** One line of a watch's answer; `changes` is empty in the first one and in those that only show that it lives. */
export const watchLineSchema = z.strictObject({
  changes: z.array(z.strictObject({ key, value: z.string().nullable(), revision: z.int() })),
});

/** A watch says something at least this often. */
export const WATCH_HEARTBEAT_MS = 1000;
