/** Conditions of both kinds: `Ready` tells whether it serves, `UpToDate` whether the generation is fully realised. */
import { z } from 'zod';

export const CONDITION_TYPES = [
  'Ready',
  'UpToDate',
  'Progressing',
  'Degraded',
  'SpecValid',
  'Bootstrapped',
  'ConfigApplied',
  'StateProviderReachable',
  'LeaderElected',
  'Draining',
  'Paused',
] as const;

export const conditionSchema = z
  .object({
    type: z.string().min(1).max(64).describe('What the condition is about, CamelCase.'),
    status: z.enum(['True', 'False', 'Unknown']).describe('Whether it holds.'),
    reason: z
      .string()
      .min(1)
      .max(128)
      .regex(/^[A-Z][A-Za-z0-9]*$/)
      .describe('Why, as one CamelCase word for programs.'),
    message: z
      .string()
      .max(4096)
      .describe('Why, for people: names the object and the next command.'),
    lastTransitionTime: z
      .string()
      .max(40)
      .meta({ format: 'date-time', description: 'When the status last changed.' }),
    observedGeneration: z
      .int()
      .min(0)
      .max(Number.MAX_SAFE_INTEGER)
      .describe('The generation of the spec that this condition speaks of.'),
  })
  .describe('One fact about the object.');

export type Condition = z.output<typeof conditionSchema>;
export type ConditionType = (typeof CONDITION_TYPES)[number];

export const conditionsSchema = z
  .array(conditionSchema)
  .max(32)
  .meta({
    description: 'Facts about the object, one for each type.',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['type'],
  });
