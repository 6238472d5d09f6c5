/** Reads the path of a request: which group, version, namespace, object and subresource it names. */
import type { ResourceAddress } from './resource-registry.ts';

export type Route =
  | { readonly kind: 'api-versions' }
  | { readonly kind: 'groups' }
  | { readonly kind: 'group'; readonly group: string }
  | { readonly kind: 'resources'; readonly group: string; readonly version: string }
  | { readonly kind: 'openapi-index' }
  | { readonly kind: 'openapi'; readonly group: string; readonly version: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'health' }
  | ({ readonly kind: 'resource' } & ResourceRoute)
  | { readonly kind: 'unknown' };

export interface ResourceRoute {
  readonly address: ResourceAddress;
  readonly namespace: string;
  /** Empty for a collection. */
  readonly name: string;
  readonly subresource: string;
}

const PLAIN_ROUTES: Readonly<Record<string, Route>> = {
  version: { kind: 'version' },
  healthz: { kind: 'health' },
  livez: { kind: 'health' },
  readyz: { kind: 'health' },
};

export function parseRoute(path: string): Route {
  const [root = '', ...parts] = path
    .split('/')
    .filter((part) => part !== '')
    .map(decodeURIComponent);
  switch (root) {
    case 'api':
      return parts.length === 0 ? { kind: 'api-versions' } : versionRoute('', parts);
    case 'apis':
      return groupRoute(parts);
    case 'openapi':
      return parts[0] === 'v3' ? openApiRoute(parts.slice(1)) : { kind: 'unknown' };
    default:
      return PLAIN_ROUTES[root] ?? { kind: 'unknown' };
  }
}

function groupRoute([group, ...parts]: readonly string[]): Route {
  if (group === undefined) return { kind: 'groups' };
  return parts.length === 0 ? { kind: 'group', group } : versionRoute(group, parts);
}

function openApiRoute(parts: readonly string[]): Route {
  const [root, first = '', second = ''] = parts;
  if (root === undefined) return { kind: 'openapi-index' };
  if (root === 'api') return { kind: 'openapi', group: '', version: first };
  return root === 'apis' ? { kind: 'openapi', group: first, version: second } : { kind: 'unknown' };
}

function versionRoute(group: string, parts: readonly string[]): Route {
  const [version = '', first, second = '', third = '', fourth = '', ...more] = parts;
  if (first === undefined) return { kind: 'resources', group, version };
  const isWithinNamespace =
    first === 'namespaces' && third !== '' && !['status', 'finalize'].includes(third);
  if (isWithinNamespace) {
    const address = { group, version, plural: third };
    const subresource = more.join('/');
    return { kind: 'resource', address, namespace: second, name: fourth, subresource };
  }
  const address = { group, version, plural: first };
  return { kind: 'resource', address, namespace: '', name: second, subresource: third };
}
