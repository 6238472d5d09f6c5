/**
 * A config as a folder of files, and back (CONF-02, CONF-05, CONF-15).
 *
 * `meta.yml` says which config it is; its checksum covers all sections, so a folder that was edited by hand or half
 * copied is found out and named instead of being served.
 */
import { stringify } from 'yaml';
import {
  type ClusterConfig,
  type ConfigMeta,
  configMetaSchema,
  sectionNameSchema,
} from '../../contract/cluster-config.ts';
import type { Json } from '../../contract/json.ts';
import { checksumSections, parseYamlValue } from './apply-patch.ts';

/** File name → text. */
export type ConfigFiles = ReadonlyMap<string, string>;

export type ParsedConfigFiles =
  | { readonly kind: 'parsed'; readonly config: ClusterConfig }
  | Corrupt;

interface Corrupt {
  readonly kind: 'corrupt';
  readonly file: string;
  readonly reason: string;
}

export const META_FILE = 'meta.yml';
const YAML_SUFFIX = '.yml';

export function renderConfigFiles(config: ClusterConfig): ConfigFiles {
  const files = new Map([[META_FILE, renderYaml(config.meta)]]);
  for (const [name, value] of Object.entries(config.sections)) {
    if (typeof value === 'string') files.set(name, value);
    else files.set(`${name}${YAML_SUFFIX}`, renderYaml(value));
  }
  return files;
}

/** The way in which configs are shown to people, too. */
export function renderYaml(value: Json): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false, schema: 'core' });
}

export function parseConfigFiles(files: ConfigFiles): ParsedConfigFiles {
  const meta = parseMeta(files.get(META_FILE));
  if (meta.kind === 'corrupt') return meta;

  const sections = new Map<string, Json>();
  for (const [file, text] of [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (file === META_FILE) continue;
    const section = parseSection(file, text);
    if (section.kind === 'corrupt') return section;
    if (sections.has(section.name)) {
      return corrupt(file, `"${section.name}" exists as a text and as YAML: remove one of them`);
    }
    sections.set(section.name, section.value);
  }

  const config = { meta: meta.meta, sections: Object.fromEntries(sections) };
  if (checksumSections(config.sections) !== meta.meta.checksum) {
    return corrupt(META_FILE, 'its checksum does not belong to the files beside it');
  }
  return { kind: 'parsed', config };
}

function parseMeta(
  text: string | undefined,
): { readonly kind: 'meta'; readonly meta: ConfigMeta } | Corrupt {
  if (text === undefined) return corrupt(META_FILE, 'it is missing');
  const yaml = parseYamlValue(text);
  if (yaml.kind === 'invalid') return corrupt(META_FILE, yaml.reason);
  const meta = configMetaSchema.safeParse(yaml.value);
  if (meta.success) return { kind: 'meta', meta: meta.data };
  const issue = meta.error.issues[0];
  return corrupt(META_FILE, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not valid'}`);
}

type ParsedSection =
  | { readonly kind: 'section'; readonly name: string; readonly value: Json }
  | Corrupt;

function parseSection(file: string, text: string): ParsedSection {
  const isYaml = file.endsWith(YAML_SUFFIX);
  const name = isYaml ? file.slice(0, -YAML_SUFFIX.length) : file;
  if (!sectionNameSchema.safeParse(name).success) return corrupt(file, 'it is not a section name');
  if (!isYaml) return { kind: 'section', name, value: text };
  const parsed = parseYamlValue(text);
  if (parsed.kind === 'invalid') return corrupt(file, parsed.reason);
  return { kind: 'section', name, value: parsed.value };
}

function corrupt(file: string, reason: string): Corrupt {
  return { kind: 'corrupt', file, reason };
}
