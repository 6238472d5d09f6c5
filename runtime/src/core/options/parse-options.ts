/**
 * Reads options from the command line, the environment and an `instances.yml`, into texts by name.
 *
 * Names are lower case with underscores; `-` and `_` are equal, case does not matter (ARG-01). Where a name comes from
 * several sources the order is: command line, `TONEARM_*`, `TARANTOOL_*`, file, code (CFG-06). Pure.
 */

export interface ParsedArguments {
  readonly options: ReadonlyMap<string, string>;
  /** Arguments that belong to no option, in their order. */
  readonly positional: readonly string[];
}

export function normalizeOptionName(name: string): string {
  return name.toLowerCase().replaceAll('-', '_');
}

/** `--name value` or `--name=value`; the last one wins; `--` ends the options; `--name` at the end is empty [ARG-01]. */
export function parseArguments(argv: readonly string[]): ParsedArguments {
  const options = new Map<string, string>();
  const positional: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? '';
    if (argument === '--') {
      positional.push(...argv.slice(index + 1));
      break;
    }
    if (!argument.startsWith('--')) {
      positional.push(argument);
      continue;
    }
    const equals = argument.indexOf('=');
    if (equals > 0) {
      options.set(normalizeOptionName(argument.slice(2, equals)), argument.slice(equals + 1));
      continue;
    }
    options.set(normalizeOptionName(argument.slice(2)), argv[index + 1] ?? '');
    index++;
  }
  return { options, positional };
}

/** In the order of their rank, lowest first. */
const PREFIXES = ['tarantool_', 'tonearm_'];

/** `TONEARM_HTTP_PORT` gives `http_port`; empty for a variable that is none of ours. */
export function optionOfVariable(key: string): string {
  const name = normalizeOptionName(key);
  const prefix = PREFIXES.find((candidate) => name.startsWith(candidate));
  return prefix === undefined ? '' : name.slice(prefix.length);
}

/** An empty value counts as set [ARG-02]. */
export function parseEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (const prefix of PREFIXES) {
    for (const [key, value] of Object.entries(environment)) {
      const name = normalizeOptionName(key);
      if (value !== undefined && name.startsWith(prefix))
        options.set(name.slice(prefix.length), value);
    }
  }
  return options;
}

export type OptionValue = string | number | boolean;

export interface FileOptions {
  readonly options: ReadonlyMap<string, OptionValue>;
  /** What was passed over, for the log [ARG-06]. */
  readonly warnings: readonly string[];
}

/** The sections for one instance: `default`, then the application's, then one level per part of the instance's name. */
export function chooseSections(
  sections: Readonly<Record<string, unknown>>,
  identity: { readonly appName: string; readonly instanceName: string },
): FileOptions {
  const wanted = ['default', identity.appName];
  const parts = identity.instanceName === '' ? [] : identity.instanceName.split('.');
  for (let count = 1; count <= parts.length; count++) {
    wanted.push(`${identity.appName}.${parts.slice(0, count).join('.')}`);
  }
  const options = new Map<string, OptionValue>();
  const warnings: string[] = [];
  for (const name of wanted) {
    const section = sections[name];
    if (section === undefined) continue;
    if (!isRecord(section)) {
      warnings.push(`section "${name}" is ignored: it is not a map`);
      continue;
    }
    for (const [key, value] of Object.entries(section)) {
      if (isOptionValue(value)) options.set(normalizeOptionName(key), value);
      else
        warnings.push(
          `option "${key}" in section "${name}" is ignored: it is neither text, number nor boolean`,
        );
    }
  }
  const unused = Object.keys(sections)
    .filter((name) => !wanted.includes(name))
    .sort();
  if (unused.length > 0) warnings.push(`sections not used by this instance: ${unused.join(', ')}`);
  return { options, warnings };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isOptionValue(value: unknown): value is OptionValue {
  return ['string', 'number', 'boolean'].includes(typeof value);
}
