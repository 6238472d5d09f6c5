/**
 * What a patch makes of a config (CONF-09, CONF-10).
 *
 * A section is either a text or a value. A value lives in `<name>.yml`, so `<name>.yml` in a patch means the value of
 * `<name>`: a text there is YAML and is parsed. A text never silently takes the place of a value: the patch must remove
 * `<name>.yml` itself. A patch names the config that it was made from, so that no update is lost.
 */
import { parse as parseYaml } from 'yaml';
import type { ClusterConfig, ConfigVersion, Sections } from '../../contract/cluster-config.ts';
import { NO_CONFIG, SYSTEM_SECTIONS, sectionNameSchema } from '../../contract/cluster-config.ts';
import type { Json } from '../../contract/json.ts';
import { hasMoreLevels, SECTION_LEVELS_MAX, tooManyLevels } from '../../contract/section-levels.ts';
import type { Change, ConfigPatch, Refusal } from '../../contract/two-phase.ts';
import { hashJson } from './canonical-json.ts';

export type PatchedSections =
  | { readonly kind: 'patched'; readonly sections: Sections }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

export type AppliedPatch =
  | { readonly kind: 'applied'; readonly config: ClusterConfig }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** Who changes what, why and from where; a `Change` is one. */
export type PatchMeta = Pick<
  Change,
  'base' | 'changeId' | 'clusterUuid' | 'author' | 'message' | 'time'
>;

const RESERVED = 'meta';
const YAML_SUFFIX = '.yml';

export function checksumSections(sections: Sections): string {
  return hashJson(sections);
}

export function versionOf(config: ClusterConfig | undefined): ConfigVersion {
  if (config === undefined) return NO_CONFIG;
  return { version: config.meta.version, checksum: config.meta.checksum };
}

export function sameVersion(a: ConfigVersion, b: ConfigVersion): boolean {
  return a.version === b.version && a.checksum === b.checksum;
}

/** Undefined stands for "no config yet": version 0. */
export function applyPatch(
  config: ClusterConfig | undefined,
  patch: ConfigPatch,
  meta: PatchMeta,
): AppliedPatch {
  const has = versionOf(config);
  if (!sameVersion(has, meta.base)) return { kind: 'refused', refusal: staleBase(has, meta.base) };
  const patched = patchSections(config?.sections ?? {}, patch);
  if (patched.kind === 'refused') return patched;
  return { kind: 'applied', config: buildConfig(patched.sections, meta) };
}

/** The config that a change makes: every instance builds the same one. */
export function buildConfig(sections: Sections, meta: PatchMeta): ClusterConfig {
  return {
    meta: {
      version: meta.base.version + 1,
      checksum: checksumSections(sections),
      changeId: meta.changeId,
      clusterUuid: meta.clusterUuid,
      author: meta.author,
      message: meta.message,
      time: meta.time,
    },
    sections,
  };
}

export function staleBase(has: ConfigVersion, base: ConfigVersion): Refusal {
  return {
    code: 'CONFIG_STALE_BASE',
    message:
      `The change was made from config version ${base.version} (${shortChecksum(base)}), but the present one is ` +
      `version ${has.version} (${shortChecksum(has)}). Read the present config and make the change again.`,
    field: 'base',
  };
}

export function patchSections(sections: Sections, patch: ConfigPatch): PatchedSections {
  const next = new Map(Object.entries(sections));
  const names = Object.keys(patch).toSorted();
  for (const name of names) {
    const refusal = refuseName(name) ?? refuseTwin(name, patch, sections);
    if (refusal !== undefined) return { kind: 'refused', refusal };
  }
  // What is removed goes first: a patch may remove a value and put a text in its place.
  for (const name of names) if (patch[name] === null) next.delete(plainName(name));
  for (const name of names) {
    const value = patch[name];
    if (value === null || value === undefined) continue;
    const read = readSection(name, value);
    if (read.kind === 'refused') return read;
    next.set(plainName(name), read.value);
  }
  const sorted = [...next].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { kind: 'patched', sections: Object.fromEntries(sorted) };
}

function readSection(
  name: string,
  value: Json,
): { kind: 'read'; value: Json } | { kind: 'refused'; refusal: Refusal } {
  if (typeof value !== 'string') return { kind: 'read', value };
  if (name.endsWith(YAML_SUFFIX)) return readYamlSection(name, value);
  if (!SYSTEM_SECTIONS.includes(name)) return { kind: 'read', value };
  return { kind: 'refused', refusal: invalid(name, 'is a section of the system and not a text') };
}

function readYamlSection(name: string, text: string): ReturnType<typeof readSection> {
  const parsed = parseYamlValue(text, SECTION_LEVELS_MAX);
  if (parsed.kind === 'invalid') {
    return { kind: 'refused', refusal: invalid(name, `is not valid YAML: ${parsed.reason}`) };
  }
  // A scalar that is a text would become a text section, which belongs under the plain name.
  if (parsed.value === null || typeof parsed.value === 'string') {
    return {
      kind: 'refused',
      refusal: invalid(name, 'must hold a map, a list, a number or a boolean'),
    };
  }
  return { kind: 'read', value: parsed.value };
}

/** YAML of the core schema that JSON can carry. */
export function parseYamlValue(
  text: string,
  levelsMax = Number.POSITIVE_INFINITY,
): { kind: 'value'; value: Json } | { kind: 'invalid'; reason: string } {
  try {
    const value: unknown = parseYaml(text, { schema: 'core', prettyErrors: true });
    if (hasMoreLevels(value, levelsMax)) return { kind: 'invalid', reason: tooManyLevels('it') };
    if (isJson(value)) return { kind: 'value', value };
    return { kind: 'invalid', reason: 'it holds something that JSON cannot carry' };
  } catch (error) {
    // The library throws for texts of users: its message names line and column.
    const message = error instanceof Error ? error.message : String(error);
    return { kind: 'invalid', reason: message.split('\n')[0] ?? message };
  }
}

function refuseName(name: string): Refusal | undefined {
  if (plainName(name) === RESERVED) {
    return invalid(name, 'is reserved: it says which config this is');
  }
  const checked = sectionNameSchema.safeParse(plainName(name));
  if (checked.success) return undefined;
  return invalid(name, `is not a section name: ${checked.error.issues[0]?.message ?? ''}`);
}

/** `X` and `X.yml` would be the same section (CONF-05), and a text does not replace a value unasked (CONF-10). */
function refuseTwin(name: string, patch: ConfigPatch, sections: Sections): Refusal | undefined {
  const plain = plainName(name);
  const twin = `${plain}${YAML_SUFFIX}`;
  if (name !== plain) return undefined;
  const value = patch[name];
  const twinValue = patch[twin];
  if (value !== null && twinValue !== undefined && twinValue !== null) {
    return invalid(name, `is given twice, as "${plain}" and as "${twin}": leave one out`);
  }
  const held = sections[plain];
  const replacesValue =
    typeof value === 'string' &&
    held !== undefined &&
    typeof held !== 'string' &&
    twinValue !== null;
  if (!replacesValue) return undefined;
  return invalid(name, `exists as "${twin}": remove that in the same patch to put a text there`);
}

function plainName(name: string): string {
  return name.endsWith(YAML_SUFFIX) ? name.slice(0, -YAML_SUFFIX.length) : name;
}

function invalid(name: string, message: string): Refusal {
  return {
    code: 'CONFIG_INVALID',
    message: `Section "${name}" ${message}.`,
    field: `sections.${name}`,
  };
}

function shortChecksum(version: ConfigVersion): string {
  return version.version === 0 ? 'none' : version.checksum.slice(0, 8);
}

/** What YAML of the core schema yields is JSON, but for infinities and NaN. */
function isJson(value: unknown): value is Json {
  if (typeof value === 'number') return Number.isFinite(value);
  if (value === null || typeof value !== 'object') return value !== undefined;
  return Object.values(value).every(isJson);
}
