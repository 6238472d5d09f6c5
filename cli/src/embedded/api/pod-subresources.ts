/** What only pods have: their log, and eviction. */
import { ApiError, badRequest, internalError, notFound } from './api-error.ts';
import { parseDeleteOptions } from './deletion.ts';
import { isObject, type JsonObject, listAt, objectAt, textAt } from './json.ts';
import type { ObjectStore } from './object-store.ts';
import { type ApiRequest, readObject } from './requests.ts';
import { sendJson } from './responses.ts';
import type { ResourceRoute } from './routes.ts';
import type { ServedResource } from './served-resource.ts';
import type { ObjectTarget } from './store-operations.ts';

export interface PodLogRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly isFollowed: boolean;
  readonly isPrevious: boolean;
  readonly tailLines: number | undefined;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
}

/** Gives the log of a container as text, in pieces; when followed, until the signal is aborted. */
export type PodLogs = (request: PodLogRequest) => AsyncIterable<string | Uint8Array>;

interface PodPlace {
  readonly store: ObjectStore;
  readonly resource: ServedResource;
  readonly target: ObjectTarget;
}

const CONTAINER_COMMANDS = ['exec', 'attach', 'portforward', 'ephemeralcontainers'];

/** What needs a container to go into; kubectl shows the message. */
export function refuseContainerCommand({ address, subresource }: ResourceRoute): void {
  const isPod = address.plural === 'pods' && address.group === '';
  if (!isPod || !CONTAINER_COMMANDS.includes(subresource)) return;
  const message = `${subresource} is not here, because a pod is a process on this machine: use kubectl logs, or curl the address in its annotation tonearm.dev/http-address`;
  throw new ApiError({ code: 405, reason: 'MethodNotAllowed', message });
}

export async function sendPodLog(
  request: ApiRequest,
  place: PodPlace,
  podLogs: PodLogs | undefined,
): Promise<void> {
  const { query, response } = request;
  const { store, resource, target } = place;
  const pod = store.get(resource, target);
  if (podLogs === undefined) throw internalError('this server keeps no pod logs');
  const names = listAt(pod, 'spec', 'containers').map((item) => textAt(item, 'name'));
  const container = query.get('container') ?? names[0] ?? '';
  if (!names.includes(container)) {
    throw badRequest(`container ${container} is not valid for pod ${target.name}`);
  }
  refuseLineTimes(query);
  const abort = new AbortController();
  response.on('close', () => abort.abort());
  const log = podLogs({
    namespace: target.namespace,
    pod: target.name,
    container,
    isFollowed: query.get('follow') === 'true',
    isPrevious: query.get('previous') === 'true',
    tailLines: numberIn(query.get('tailLines')),
    signal: abort.signal,
  });
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.flushHeaders();
  for await (const piece of log) {
    if (abort.signal.aborted) return;
    response.write(piece);
  }
  response.end();
}

/** A container writes into its log file itself, so nobody notes when. */
function refuseLineTimes(query: URLSearchParams): void {
  const asked = ['timestamps', 'sinceSeconds', 'sinceTime'].find(
    (name) => !['', 'false'].includes(query.get(name) ?? ''),
  );
  if (asked === undefined) return;
  throw badRequest(
    `${asked} is not here, because the time of a line is not kept: leave it out, and use --tail for the last lines`,
  );
}

function numberIn(text: string | null): number | undefined {
  return text === null || text === '' ? undefined : Number(text);
}

/** Deletes the pod with the preconditions of the eviction; budgets are counted by their owner. */
export async function evictPod(request: ApiRequest, place: PodPlace): Promise<void> {
  const { store, resource, target } = place;
  const eviction = await readObject(request);
  const options = objectAt(eviction, 'deleteOptions');
  const budget = blockingBudget(place);
  if (budget !== undefined) {
    sendJson(request.response, 429, tooManyDisruptions(budget));
    return;
  }
  store.delete(resource, target, parseDeleteOptions(options, request.query));
  sendJson(request.response, 201, {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    code: 201,
  });
}

/** The budget that covers this pod and has no disruption left, according to its status. */
function blockingBudget({ store, resource, target }: PodPlace): string | undefined {
  const pod = store.find(resource, target);
  if (pod === undefined) throw notFound(resource, target.name);
  const address = { group: 'policy', version: 'v1', plural: 'poddisruptionbudgets' };
  const budgets = store.list(store.resource(address), { namespace: target.namespace }).items;
  const covering = budgets.find((budget) => {
    const wanted = Object.entries(objectAt(budget, 'spec', 'selector', 'matchLabels'));
    const labels = pod.metadata.labels ?? {};
    return wanted.length > 0 && wanted.every(([name, value]) => labels[name] === value);
  });
  if (covering === undefined || !hasObservedPods(objectAt(covering, 'status'))) return undefined;
  const allowed = objectAt(covering, 'status')['disruptionsAllowed'];
  return typeof allowed === 'number' && allowed > 0 ? undefined : covering.metadata.name;
}

/** A budget that nobody has counted for does not stop anything on this server. */
function hasObservedPods(status: JsonObject): boolean {
  return isObject(status) && status['observedGeneration'] !== undefined;
}

function tooManyDisruptions(budget: string): JsonObject {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: "Cannot evict pod as it would violate the pod's disruption budget.",
    reason: 'TooManyRequests',
    details: {
      causes: [
        {
          reason: 'DisruptionBudget',
          message: `The disruption budget ${budget} does not allow an eviction now`,
        },
      ],
    },
    code: 429,
  };
}
