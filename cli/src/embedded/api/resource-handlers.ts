/** Carries out the requests on collections, objects and their subresources. */
import {
  badRequest,
  invalid,
  methodNotAllowed,
  pathNotFound,
  requiredValue,
  unsupportedMediaType,
} from './api-error.ts';
import { parseDeleteOptions } from './deletion.ts';
import { isObject, type JsonObject } from './json.ts';
import type { KubernetesObject } from './kubernetes-object.ts';
import type { ObjectStore } from './object-store.ts';
import { evictPod, type PodLogs, sendPodLog } from './pod-subresources.ts';
import {
  type ApiRequest,
  contentType,
  PATCH_TYPES,
  readBody,
  readObject,
  writeOptions,
} from './requests.ts';
import { addWarnings, renderList, renderObject, sendJson } from './responses.ts';
import type { ResourceRoute } from './routes.ts';
import { patchScale, readScale, replaceScale } from './scale.ts';
import type { ServedResource } from './served-resource.ts';
import {
  type ListOptions,
  type ObjectTarget,
  targetOf,
  type WriteResult,
} from './store-operations.ts';
import { streamWatch } from './watch-stream.ts';
import type { Subresource } from './write-rules.ts';

interface Handled {
  readonly request: ApiRequest;
  readonly store: ObjectStore;
  readonly resource: ServedResource;
  readonly target: ObjectTarget;
}

export async function handleResource(
  request: ApiRequest,
  store: ObjectStore,
  route: ResourceRoute,
  podLogs: PodLogs | undefined,
): Promise<void> {
  const resource = store.resource(route.address);
  const isMisplaced = !resource.isNamespaced && route.namespace !== '';
  if (isMisplaced || (resource.isNamespaced && route.name !== '' && route.namespace === '')) {
    throw pathNotFound();
  }
  const target = { namespace: route.namespace, name: route.name };
  const handled = { request, store, resource, target };
  if (route.name === '') return handleCollection(handled);
  switch (route.subresource) {
    case '':
      return handleObject(handled, '');
    case 'status':
      if (!resource.hasStatus || request.method === 'DELETE') throw pathNotFound();
      return handleObject(handled, 'status');
    case 'scale':
      return handleScale(handled);
    default:
      return handlePodSubresource(handled, route.subresource, podLogs);
  }
}

async function handleCollection(handled: Handled): Promise<void> {
  const { request, store, resource, target } = handled;
  switch (request.method) {
    case 'GET': {
      if (isTrue(request.query.get('watch'))) {
        streamWatch(request, store, { resource, ...target });
        return;
      }
      const list = store.list(resource, listOptions(handled));
      sendJson(request.response, 200, renderList(request, resource, list, store.nowMs()));
      return;
    }
    case 'POST': {
      if (resource.isNamespaced && target.namespace === '') throw methodNotAllowed();
      const draft = await readObject(request);
      const options = writeOptions(request);
      sendWritten(handled, store.create(resource, target.namespace, draft, options));
      return;
    }
    case 'DELETE':
      return deleteCollection(handled);
    default:
      throw methodNotAllowed();
  }
}

function listOptions({ request, target }: Handled): ListOptions {
  const { query } = request;
  const token = query.get('continue') ?? '';
  return {
    namespace: target.namespace,
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    limit: Number(query.get('limit') ?? 0),
    after: Buffer.from(token, 'base64url').toString('utf8'),
  };
}

async function deleteCollection(handled: Handled): Promise<void> {
  const { request, store, resource } = handled;
  const options = parseDeleteOptions(await readBody(request), request.query);
  const list = store.list(resource, listOptions(handled));
  for (const object of list.items) {
    // An earlier deletion of this request may have taken this object along.
    if (store.find(resource, targetOf(object)) === undefined) continue;
    store.delete(resource, targetOf(object), options);
  }
  sendJson(request.response, 200, renderList(request, resource, list, store.nowMs()));
}

async function handleObject(handled: Handled, subresource: Subresource): Promise<void> {
  const { request, store, resource, target } = handled;
  switch (request.method) {
    case 'GET':
      if (isTrue(request.query.get('watch'))) {
        streamWatch(request, store, { resource, ...target });
        return;
      }
      sendObject(handled, 200, store.get(resource, target));
      return;
    case 'PUT': {
      const draft = await readObject(request);
      const options = { ...writeOptions(request), subresource };
      sendWritten(handled, store.update(resource, target, draft, options));
      return;
    }
    case 'PATCH': {
      sendWritten(handled, await patchObject(handled, subresource));
      return;
    }
    case 'DELETE': {
      const options = parseDeleteOptions(await readBody(request), request.query);
      const { object, isRemoved } = store.delete(resource, target, options);
      if (isRemoved) sendJson(request.response, 200, deletedStatus(resource, object));
      else sendObject(handled, 200, object);
      return;
    }
    default:
      throw methodNotAllowed();
  }
}

async function patchObject(handled: Handled, subresource: Subresource): Promise<WriteResult> {
  const { request, store, resource, target } = handled;
  const format = patchFormat(request, resource);
  const options = { ...writeOptions(request), subresource };
  const body = await readBody(request);
  if (format !== 'apply') return store.patch(resource, target, { format, body }, options);
  if ((request.query.get('fieldManager') ?? '') === '') {
    const issue = requiredValue('fieldManager', 'is required for apply patch');
    throw invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [issue]);
  }
  if (!isObject(body)) throw badRequest('the body of an apply must be an object');
  return store.apply(resource, target, body, {
    ...options,
    force: isTrue(request.query.get('force')),
  });
}

function patchFormat(
  request: ApiRequest,
  resource: ServedResource,
): (typeof PATCH_TYPES)[keyof typeof PATCH_TYPES] {
  const type = contentType(request);
  const found = Object.entries(PATCH_TYPES).find(([name]) => name === type)?.[1];
  if (found !== undefined && !(found === 'strategic' && resource.isCustom)) return found;
  const accepted = Object.keys(PATCH_TYPES).filter(
    (name) => !(resource.isCustom && name.includes('strategic')),
  );
  throw unsupportedMediaType(accepted);
}

async function handleScale({ request, store, resource, target }: Handled): Promise<void> {
  const options = writeOptions(request);
  const { response } = request;
  switch (request.method) {
    case 'GET': {
      sendJson(response, 200, readScale(store, resource, target));
      return;
    }
    case 'PUT': {
      const scale = await readObject(request);
      sendJson(response, 200, replaceScale(store, resource, target, { scale, options }));
      return;
    }
    case 'PATCH': {
      const format = patchFormat(request, resource);
      const change = { format, body: await readBody(request), options };
      sendJson(response, 200, patchScale(store, resource, target, change));
      return;
    }
    default:
      throw methodNotAllowed();
  }
}

async function handlePodSubresource(
  handled: Handled,
  subresource: string,
  podLogs: PodLogs | undefined,
): Promise<void> {
  const { request, resource } = handled;
  const isPod = resource.plural === 'pods' && resource.group === '';
  if (isPod && subresource === 'log' && request.method === 'GET') {
    return sendPodLog(request, handled, podLogs);
  }
  if (isPod && subresource === 'eviction' && request.method === 'POST') {
    return evictPod(request, handled);
  }
  throw pathNotFound();
}

function sendWritten(handled: Handled, written: WriteResult): void {
  addWarnings(handled.request.response, written.warnings);
  sendObject(handled, written.isCreated ? 201 : 200, written.object);
}

function sendObject(handled: Handled, code: number, object: KubernetesObject): void {
  const { request, store, resource } = handled;
  sendJson(request.response, code, renderObject(request, resource, object, store.nowMs()));
}

function deletedStatus(resource: ServedResource, object: KubernetesObject): JsonObject {
  const { name, uid } = object.metadata;
  const group = resource.group === '' ? {} : { group: resource.group };
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...group, kind: resource.plural, uid },
  };
}

function isTrue(text: string | null): boolean {
  return text === 'true' || text === '1' || text === '';
}
