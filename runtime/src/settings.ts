/** The only reader of the command line, the environment and `instances.yml` of an instance. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { OptionError } from './core/options/cast-option.ts';
import {
  buildInstanceOptions,
  type InstanceOptions,
  refusesEmpty,
  validateCookie,
} from './core/options/instance-options.ts';
import {
  chooseSections,
  type OptionValue,
  optionOfVariable,
  parseArguments,
  parseEnvironment,
} from './core/options/parse-options.ts';

export interface Settings {
  readonly options: InstanceOptions;
  /** Options of the application itself (ARG-09). */
  readonly all: ReadonlyMap<string, OptionValue>;
  readonly positional: readonly string[];
  readonly warnings: readonly string[];
}

export interface SettingsSources {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Lowest in rank: what the application's code gives. */
  readonly code: Readonly<Record<string, OptionValue>>;
}

/** Throws `OptionError` that names the option, or the file, and the rule. */
export function readSettings(sources: SettingsSources): Settings {
  const { options: fromArguments, positional } = parseArguments(sources.argv);
  const fromEnvironment = parseEnvironment(givenVariables(sources.environment));
  const direct = new Map<string, OptionValue>([...fromEnvironment, ...fromArguments]);
  const cfg = String(direct.get('cfg') ?? '');
  const file =
    cfg === ''
      ? { options: new Map<string, OptionValue>(), warnings: [] }
      : chooseSections(readSections(cfg), {
          appName: String(direct.get('app_name') ?? sources.code['app_name'] ?? ''),
          instanceName: String(direct.get('instance_name') ?? ''),
        });
  const all = new Map<string, OptionValue>([
    ...Object.entries(sources.code),
    ...file.options,
    ...direct,
  ]);
  const options = buildInstanceOptions(all);
  const clusterCookie = readCookie(options);
  const clusterUuid = options.clusterUuid || uuidOfCookie(clusterCookie);
  return {
    options: { ...options, workdir: path.resolve(options.workdir), clusterCookie, clusterUuid },
    all,
    positional,
    warnings: file.warnings,
  };
}

/** An empty value counts as set [ARG-02], but where only a number or a word can stand: compose files leave those empty. */
function givenVariables(
  environment: SettingsSources['environment'],
): SettingsSources['environment'] {
  const isGiven = ([key, value]: readonly [string, string | undefined]): boolean =>
    value !== '' || !refusesEmpty(optionOfVariable(key));
  return Object.fromEntries(Object.entries(environment).filter(isGiven));
}

/** Without an operator that names the cluster, the cookie tells clusters apart. */
function uuidOfCookie(cookie: string): string {
  const hex = createHash('sha256').update(`tonearm cluster ${cookie}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function readCookie(options: InstanceOptions): string {
  if (options.clusterCookieFile === '') return options.clusterCookie;
  let cookie: string;
  try {
    cookie = readFileSync(options.clusterCookieFile, 'utf8').trim();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new OptionError(
      'cluster_cookie_file',
      `option "cluster_cookie_file" cannot be read: ${reason}`,
    );
  }
  const fault = validateCookie(cookie);
  if (fault !== undefined) {
    throw new OptionError(
      'cluster_cookie_file',
      `the cookie in ${options.clusterCookieFile} ${fault}`,
    );
  }
  return cookie;
}

/** One file, or every `.yml` and `.yaml` of a folder; a section that stands in two files is refused [ARG-03] [ARG-05]. */
function readSections(cfg: string): Record<string, unknown> {
  const sections: Record<string, unknown> = {};
  const origin = new Map<string, string>();
  for (const file of listFiles(cfg)) {
    for (const [name, value] of Object.entries(readYaml(file))) {
      const other = origin.get(name);
      if (other !== undefined) {
        throw new OptionError('cfg', `section "${name}" stands in two files: ${other} and ${file}`);
      }
      origin.set(name, file);
      sections[name] = value;
    }
  }
  return sections;
}

function listFiles(cfg: string): readonly string[] {
  const isFolder = statSync(cfg, { throwIfNoEntry: false })?.isDirectory();
  if (isFolder === undefined)
    throw new OptionError('cfg', `option "cfg" names ${cfg}, which does not exist`);
  if (isFolder) {
    return readdirSync(cfg)
      .filter((name) => /\.ya?ml$/.test(name))
      .sort()
      .map((name) => path.join(cfg, name));
  }
  if (!/\.ya?ml$/.test(cfg))
    throw new OptionError('cfg', `option "cfg" must name a .yml or .yaml file, not ${cfg}`);
  return [cfg];
}

function readYaml(file: string): Record<string, unknown> {
  let content: unknown;
  try {
    content = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new OptionError('cfg', `${file} is not valid YAML: ${reason}`);
  }
  if (content === null || content === undefined) return {};
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw new OptionError('cfg', `${file} must be a map of sections`);
  }
  return content as Record<string, unknown>;
}
