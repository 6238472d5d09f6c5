/** What is served, in the form that clients ask for first. */
import { pathNotFound } from './api-error.ts';
import type { JsonObject } from './json.ts';
import { groupVersion } from './kubernetes-object.ts';
import type { ServedResource } from './served-resource.ts';

const COLLECTION_VERBS = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
];
const SUBRESOURCE_VERBS = ['get', 'patch', 'update'];

export function buildApiVersions(): JsonObject {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
}

export function buildGroupList(resources: readonly ServedResource[]): JsonObject {
  const groups = [...new Set(resources.map((resource) => resource.group))];
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groups.filter((group) => group !== '').map((group) => groupOf(resources, group)),
  };
}

export function buildGroup(resources: readonly ServedResource[], group: string): JsonObject {
  if (!resources.some((resource) => resource.group === group)) throw pathNotFound();
  return { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(resources, group) };
}

function groupOf(resources: readonly ServedResource[], group: string): JsonObject {
  const own = resources.filter((resource) => resource.group === group);
  const versions = [...new Set(own.map((resource) => resource.version))].map((version) => ({
    groupVersion: groupVersion(group, version),
    version,
  }));
  return { name: group, versions, preferredVersion: versions[0] };
}

export function buildResourceList(
  resources: readonly ServedResource[],
  group: string,
  version: string,
): JsonObject {
  const own = resources.filter((item) => item.group === group && item.version === version);
  if (own.length === 0) throw pathNotFound();
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: groupVersion(group, version),
    resources: own.flatMap(resourceEntries),
  };
}

function resourceEntries(resource: ServedResource): JsonObject[] {
  const { plural, kind, isNamespaced: namespaced } = resource;
  const entries: JsonObject[] = [
    {
      name: plural,
      singularName: resource.singular,
      namespaced,
      kind,
      verbs: COLLECTION_VERBS,
      ...(resource.shortNames.length === 0 ? {} : { shortNames: resource.shortNames }),
      ...(resource.categories.length === 0 ? {} : { categories: resource.categories }),
    },
  ];
  const add = (name: string, entry: JsonObject): void => {
    entries.push({ name: `${plural}/${name}`, singularName: '', namespaced, ...entry });
  };
  if (resource.hasStatus) add('status', { kind, verbs: SUBRESOURCE_VERBS });
  if (resource.scale !== undefined) {
    const scale = { group: 'autoscaling', version: 'v1', kind: 'Scale' };
    add('scale', { ...scale, verbs: SUBRESOURCE_VERBS });
  }
  if (plural === 'pods' && resource.group === '') {
    add('log', { kind, verbs: ['get'] });
    add('eviction', { group: 'policy', version: 'v1', kind: 'Eviction', verbs: ['create'] });
  }
  return entries;
}
