/**
 * What one role says of a config that is wanted: its schema first, then its `validateConfig`.
 *
 * A role that throws refuses, and so does one that does not answer in time: what it says later is not heard.
 */
import type { Sections } from '../contract/cluster-config.ts';
import type { Json } from '../contract/json.ts';
import type { Refusal } from '../contract/two-phase.ts';
import { ClusterError } from '../core/errors.ts';
import type { Clock } from '../foundation/clock.ts';
import type { RoleDefinition } from '../role/define-role.ts';
import { within } from './within.ts';

export interface Patience {
  readonly clock: Clock;
  /** On the monotonic clock. */
  readonly deadlineMs: number;
}

function sectionOf(role: RoleDefinition, sections: Sections): Json | undefined {
  return Object.hasOwn(sections, role.name) ? sections[role.name] : undefined;
}

export function parseSection(role: RoleDefinition, sections: Sections): unknown {
  const section = sectionOf(role, sections);
  return role.config === undefined ? section : role.config.parse(section);
}

export async function validateRole(
  role: RoleDefinition,
  next: Sections,
  previous: Sections | undefined,
  patience: Patience,
): Promise<Refusal | undefined> {
  const refusal = checkSchema(role, next);
  if (refusal !== undefined) return refusal;
  try {
    const before = previous === undefined ? undefined : previousConfig(role, previous);
    const answer = role.validateConfig?.(parseSection(role, next), before);
    // The code of others may give back anything: only that it has come is of interest.
    const leftMs = patience.deadlineMs - patience.clock.monotonicMs();
    if (await within(patience.clock, leftMs, Promise.resolve(answer))) return undefined;
    return {
      code: 'CONFIG_INVALID',
      field: `sections.${role.name}`,
      message:
        `role "${role.name}" did not answer in time whether it accepts the config. Its ` +
        'validateConfig must come to an end soon, and must not wait for a change of the config.',
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : `validateConfig threw ${String(error)}`;
    const field = error instanceof ClusterError ? error.field : undefined;
    return {
      code: 'CONFIG_INVALID',
      field: field ?? `sections.${role.name}`,
      message: `role "${role.name}" refuses the config: ${reason}`,
    };
  }
}

function checkSchema(role: RoleDefinition, sections: Sections): Refusal | undefined {
  const issue = role.config?.safeParse(sectionOf(role, sections)).error?.issues[0];
  if (issue === undefined) return undefined;
  const path = issue.path.map((part) =>
    typeof part === 'number' ? `[${part}]` : `.${String(part)}`,
  );
  const field = `sections.${role.name}${path.join('')}`;
  return { code: 'CONFIG_INVALID', field, message: `${field}: ${issue.message}` };
}

/** What was accepted once may not fit a newer schema: then there is no previous config to compare with. */
function previousConfig(role: RoleDefinition, previous: Sections): unknown {
  if (role.config === undefined) return sectionOf(role, previous);
  const parsed = role.config.safeParse(sectionOf(role, previous));
  return parsed.success ? parsed.data : undefined;
}
