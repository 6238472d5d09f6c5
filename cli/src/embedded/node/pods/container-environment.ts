/**
 * Builds the environment of a container as the kubelet does: values, references to fields, Secrets and ConfigMaps,
 * and `$(NAME)` for variables defined before. Pure.
 *
 * Two things differ from a container, which has ports and folders of its own: variables that tell ports are
 * overridden with the real ones, before they are referred to; and a value below a mount path becomes the real path.
 */
import type { Container, EnvironmentVariable, Labels, Pod } from '../objects.ts';

export interface EnvironmentSources {
  readonly pod: Pod;
  /** Decoded; nothing for an object that does not exist. */
  secret(name: string): Labels | undefined;
  configMap(name: string): Labels | undefined;
  /** Real folders by mount path. */
  readonly folders: Labels;
  readonly overrides: Labels;
}

export type EnvironmentVerdict =
  | { readonly kind: 'complete'; readonly variables: Record<string, string> }
  | { readonly kind: 'incomplete'; readonly reason: string };

type Resolved = { readonly value: string | undefined } | { readonly missing: string };

export function buildEnvironment(
  container: Container,
  sources: EnvironmentSources,
): EnvironmentVerdict {
  const variables: Record<string, string> = { ...sources.overrides };
  for (const variable of container.env ?? []) {
    if (variable.name in sources.overrides) continue;
    const resolved = resolve(variable, sources, variables);
    if ('missing' in resolved) return { kind: 'incomplete', reason: resolved.missing };
    if (resolved.value !== undefined) variables[variable.name] = resolved.value;
  }
  const rewritten = Object.entries(variables).map(([name, value]) => [
    name,
    rewritePath(value, sources.folders),
  ]);
  return { kind: 'complete', variables: Object.fromEntries(rewritten) as Record<string, string> };
}

function resolve(
  variable: EnvironmentVariable,
  sources: EnvironmentSources,
  defined: Labels,
): Resolved {
  const from = variable.valueFrom;
  if (from === undefined) return { value: expand(variable.value ?? '', defined) };
  if (from.fieldRef !== undefined) return fieldOf(sources.pod, from.fieldRef.fieldPath);
  const selector = from.secretKeyRef ?? from.configMapKeyRef;
  if (selector === undefined) {
    return { missing: `the variable ${variable.name} has a valueFrom that the local node lacks` };
  }
  const isSecret = from.secretKeyRef !== undefined;
  const data = isSecret ? sources.secret(selector.name) : sources.configMap(selector.name);
  const value = data?.[selector.key];
  if (value !== undefined || selector.optional === true) return { value };
  const kind = isSecret ? 'secret' : 'configmap';
  return {
    missing:
      data === undefined
        ? `${kind} "${selector.name}" not found`
        : `couldn't find key ${selector.key} in ${kind} ${selector.name}`,
  };
}

/** `$$(NAME)` is a literal `$(NAME)`; what is not defined stays as it is written. */
export function expand(value: string, defined: Labels): string {
  return value.replace(/\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)/g, (text, name?: string) => {
    if (name === undefined) return '$';
    return defined[name] ?? text;
  });
}

export function rewritePath(value: string, folders: Labels): string {
  // The longest mount path wins: a volume may be mounted below another.
  const paths = Object.keys(folders).toSorted((left, right) => right.length - left.length);
  for (const mountPath of paths) {
    const folder = folders[mountPath];
    const base = mountPath.replace(/\/+$/, '');
    if (folder === undefined || base === '') continue;
    if (value === base || value.startsWith(`${base}/`)) return folder + value.slice(base.length);
  }
  return value;
}

function fieldOf(pod: Pod, path: string): Resolved {
  const { metadata, spec } = pod;
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (keyed !== null) {
    const entries = keyed[1] === 'labels' ? metadata.labels : metadata.annotations;
    return { value: entries?.[keyed[2] ?? ''] ?? '' };
  }
  const fields: Record<string, string | undefined> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
    'metadata.uid': metadata.uid,
    'spec.nodeName': spec.nodeName ?? '',
    'spec.serviceAccountName': spec.serviceAccountName ?? 'default',
    'status.podIP': '127.0.0.1',
    'status.podIPs': '127.0.0.1',
    'status.hostIP': '127.0.0.1',
  };
  const value = fields[path];
  return value === undefined ? { missing: `the field path ${path} is not supported` } : { value };
}
