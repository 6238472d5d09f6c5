/** User sections of the cluster config as one YAML map, as the ancestor's `/admin/config` gives and takes it. Pure. */
import { parse } from 'yaml';
import { type Sections, SYSTEM_SECTIONS } from '../contract/cluster-config.ts';
import { jsonSchema } from '../contract/json.ts';
import { hasMoreLevels, SECTION_LEVELS_MAX, tooManyLevels } from '../contract/section-levels.ts';
import type { ConfigPatch } from '../contract/two-phase.ts';
import { renderYaml } from '../core/config/config-files.ts';
import { ClusterError } from '../core/errors.ts';

/** Values by name; a section that holds YAML is shown parsed only (HTTP-05). */
export function renderUserSections(sections: Sections): string {
  const user = Object.entries(sections).filter(([name]) => !isSystem(name));
  return user.length === 0 ? '{}\n' : renderYaml(Object.fromEntries(user));
}

/** The change that makes `yaml` the whole of the user sections: what it does not name is removed (HTTP-06). */
export function planReplacement(sections: Sections, yaml: string): ConfigPatch {
  const wanted = parseSections(yaml);
  const patch: Record<string, ConfigPatch[string]> = {};
  for (const name of Object.keys(sections)) {
    if (!isSystem(name) && !Object.hasOwn(wanted, name)) patch[name] = null;
  }
  for (const [name, value] of Object.entries(wanted)) {
    if (isSystem(name)) {
      throw invalid(name, `section "${name}" belongs to the system and cannot be uploaded`);
    }
    patch[name] = value;
    if (typeof value === 'string' && typeof sections[name] !== 'string')
      patch[`${name}.yml`] = null;
  }
  return patch;
}

function parseSections(yaml: string): ConfigPatch {
  if (yaml.trim() === '') throw invalid('body', 'the body is empty; send one YAML map of sections');
  let content: unknown;
  try {
    content = parse(yaml, { schema: 'core' });
  } catch (error) {
    throw invalid(
      'body',
      `the body is not valid YAML: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw invalid('body', 'the body must be one YAML map of sections');
  }
  for (const [name, value] of Object.entries(content)) {
    if (hasMoreLevels(value, SECTION_LEVELS_MAX)) {
      throw invalid(name, tooManyLevels(`section "${name}"`));
    }
  }
  const json = jsonSchema.safeParse(content);
  if (!json.success) throw invalid('body', 'the body holds something that JSON cannot carry');
  return json.data as ConfigPatch;
}

function isSystem(name: string): boolean {
  return SYSTEM_SECTIONS.includes(name.replace(/\.yml$/, ''));
}

function invalid(field: string, message: string): ClusterError {
  return new ClusterError('CONFIG_INVALID', { field, message });
}
