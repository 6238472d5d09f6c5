/** The HTTP side: who may ask, and which part answers. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { nodeHttp } from '@tonearm/runtime/foundation';
import { answerAccessReview, isAccessReview } from './access-reviews.ts';
import { admitRequest, checkBodyType } from './admit-request.ts';
import { methodNotAllowed, pathNotFound } from './api-error.ts';
import { buildApiVersions, buildGroup, buildGroupList, buildResourceList } from './discovery.ts';
import type { ObjectStore } from './object-store.ts';
import { buildOpenApiDocument, buildOpenApiIndex, openApiTag } from './openapi.ts';
import { type PodLogs, refuseContainerCommand } from './pod-subresources.ts';
import { parseRequest } from './requests.ts';
import { handleResource } from './resource-handlers.ts';
import { sendError, sendJson } from './responses.ts';
import { parseRoute, type Route } from './routes.ts';
import { VERSION } from './version.ts';

export interface ApiServerOptions {
  readonly store: ObjectStore;
  /** The first part of every path. */
  readonly secret: string;
  readonly podLogs: PodLogs | undefined;
}

export function createApiServer(options: ApiServerOptions): Server {
  return nodeHttp.createServer((incoming, response) => {
    answer(incoming, response, options).catch((error: unknown) => {
      sendError(response, error);
    });
  });
}

async function answer(
  incoming: IncomingMessage,
  response: ServerResponse,
  options: ApiServerOptions,
): Promise<void> {
  const admission = admitRequest(incoming, options.secret);
  if (admission.kind === 'unknown-path') {
    response.writeHead(404).end();
    return;
  }
  const request = parseRequest(incoming, response, admission.url);
  const route = parseRoute(request.path);
  // These come without a body, and would otherwise be told about the form of one.
  if (route.kind === 'resource') refuseContainerCommand(route);
  checkBodyType(incoming);
  if (route.kind === 'resource') {
    if (isAccessReview(route)) return answerAccessReview(request, route);
    return handleResource(request, options.store, route, options.podLogs);
  }
  if (request.method !== 'GET') throw methodNotAllowed();
  if (route.kind === 'health') {
    response.writeHead(200, { 'content-type': 'text/plain' }).end('ok');
    return;
  }
  sendJson(response, 200, describeServer(route, options.store));
}

function describeServer(
  route: Exclude<Route, { kind: 'resource' | 'health' }>,
  store: ObjectStore,
): unknown {
  const resources = store.registry.all();
  switch (route.kind) {
    case 'api-versions':
      return buildApiVersions();
    case 'groups':
      return buildGroupList(resources);
    case 'group':
      return buildGroup(resources, route.group);
    case 'resources':
      return buildResourceList(resources, route.group, route.version);
    case 'openapi-index':
      return buildOpenApiIndex(resources, openApiTag(resources));
    case 'openapi':
      return buildOpenApiDocument(resources, route.group, route.version);
    case 'version':
      return VERSION;
    case 'unknown':
      throw pathNotFound();
  }
}
