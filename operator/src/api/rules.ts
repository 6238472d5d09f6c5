/**
 * Rules that a schema cannot say. Each is written twice, side by side: as CEL for the API server, and as a function
 * for the embedded API and for the operator's own last check. A contract test gives both the same objects.
 */
import type { z } from 'zod';

export interface Rule<T> {
  /** CEL. Left out where CEL cannot see the value: then the operator refuses the object with a condition. */
  readonly rule?: string;
  readonly message: string;
  /** The field to blame, below the place of the rule: `.name`. */
  readonly fieldPath?: string;
  /** A rule about a change: it does not apply to new objects. */
  readonly transition?: true;
  /** `old` is given for transition rules only. */
  readonly holds: (self: T, old: T) => boolean;
}

export const RULES_KEY = 'x-kubernetes-validations';

/** The schema with the rules in its metadata. To be called last: other methods of a schema make copies. */
export function withRules<S extends z.ZodType>(schema: S, rules: readonly Rule<z.output<S>>[]): S {
  return schema.meta({ ...schema.meta(), [RULES_KEY]: rules });
}
