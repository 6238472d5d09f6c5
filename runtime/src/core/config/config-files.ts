/**
 * A config as a folder of files, and back (CONF-02, CONF-05, CONF-15).
 *
 * `meta.yml` says which config it is; its checksum covers all sections, so a folder that was edited by hand or half
 * copied is found out and named instead of being served. What the files would not give back is refused before it is
 * stored: it would keep every instance from starting again.
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
import { sameJson } from './canonical-json.ts';

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
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export function renderConfigFiles(config: ClusterConfig): ConfigFiles {
  const files = new Map([[META_FILE, renderYaml(config.meta)]]);
  for (const [name, value] of Object.entries(config.sections)) {
    const { file, text } = renderSection(name, value);
    files.set(file, text);
  }
  return files;
}

/** The name of the first section that its file would not give back as it is: with it no config may be stored. */
export function findUnkeepable(config: ClusterConfig): string | undefined {
  const unkeepable = Object.entries(config.sections).find(([name, value]) => !isKept(name, value));
  return unkeepable?.[0];
}

function isKept(name: string, value: Json): boolean {
  const { file, text } = renderSection(name, value);
  if (file === META_FILE) return false;
  // A file holds UTF-8, which has no half characters.
  const parsed = parseSection(file, decoder.decode(encoder.encode(text)));
  return parsed.kind === 'section' && parsed.name === name && sameJson(parsed.value, value);
}

function renderSection(
  name: string,
  value: Json,
): { readonly file: string; readonly text: string } {
  if (typeof value === 'string') return { file: name, text: value };
  return { file: `${name}${YAML_SUFFIX}`, text: renderYaml(value) };
}

/** The way in which configs are shown to people, too. */
export function renderYaml(value: Json): string {
  const options = { lineWidth: 0, aliasDuplicateObjects: false, schema: 'core' } as const;
  const yaml = stringify(value, options);
  const parsed = parseYamlValue(yaml);
  if (parsed.kind === 'value' && sameJson(parsed.value, value)) return yaml;
  // Texts are best read as blocks of lines, but a block does not give blank lines back as they were.
  return stringify(value, { ...options, blockQuote: false });
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
