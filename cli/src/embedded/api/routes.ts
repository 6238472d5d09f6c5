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

export function parseRoute(path: string): Route {
  const parts = path
    .split('/')
    .filter((part) => part !== '')
    .map(decodeURIComponent);
  const [first, second = '', third = '', ...rest] = parts;
  switch (first) {
    case 'api':
      if (parts.length === 1) return { kind: 'api-versions' };
      return versionRoute({ group: '', version: second }, parts.slice(2));
    case 'apis':
      if (parts.length === 1) return { kind: 'groups' };
      if (parts.length === 2) return { kind: 'group', group: second };
      return versionRoute({ group: second, version: third }, rest);
    case 'openapi':
      return second === 'v3' ? openApiRoute(parts.slice(2)) : { kind: 'unknown' };
    case 'version':
      return { kind: 'version' };
    case 'healthz':
    case 'livez':
    case 'readyz':
      return { kind: 'health' };
    default:
      return { kind: 'unknown' };
  }
}

function openApiRoute(parts: readonly string[]): Route {
  const [root, first = '', second = ''] = parts;
  if (root === undefined) return { kind: 'openapi-index' };
  if (root === 'api') return { kind: 'openapi', group: '', version: first };
  return root === 'apis' ? { kind: 'openapi', group: first, version: second } : { kind: 'unknown' };
}

interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

function versionRoute(served: GroupVersion, parts: readonly string[]): Route {
  const [first, second = '', third = '', fourth = '', ...more] = parts;
  if (first === undefined) return { kind: 'resources', ...served };
  const isWithinNamespace =
    first === 'namespaces' && third !== '' && !['status', 'finalize'].includes(third);
  if (isWithinNamespace) {
    const address = { ...served, plural: third };
    const subresource = more.join('/');
    return { kind: 'resource', address, namespace: second, name: fourth, subresource };
  }
  const address = { ...served, plural: first };
  return { kind: 'resource', address, namespace: '', name: second, subresource: third };
}
