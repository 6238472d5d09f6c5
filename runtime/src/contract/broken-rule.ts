import type { z } from 'zod';

/** What a schema demands where it was not met. Of the name of a record's entry it keeps that one level deeper. */
export function brokenRule(issue: z.core.$ZodIssue | undefined): string {
  const inner = issue?.code === 'invalid_key' ? issue.issues[0] : undefined;
  return inner?.message ?? issue?.message ?? 'is not valid';
}
