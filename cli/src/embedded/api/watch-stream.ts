/**
 * A watch over HTTP: one JSON document per line. It begins with the present objects if the client
 * named no version, and ends when its time is over; a bookmark tells how far the client has seen.
 */
import type { ServerResponse } from 'node:http';
import { ApiError, badRequest, expired } from './api-error.ts';
import type { JsonObject } from './json.ts';
import { groupVersion, type KubernetesObject } from './kubernetes-object.ts';
import type { ObjectStore } from './object-store.ts';
import { type ApiRequest, wantedForm } from './requests.ts';
import { renderObject } from './responses.ts';
import { type Predicate, parseSelectors } from './selectors.ts';
import type { ServedResource } from './served-resource.ts';
import { fieldsOf } from './store-operations.ts';
import { buildTable } from './tables.ts';
import type { Change } from './watch-hub.ts';

const BOOKMARK_INTERVAL_MS = 60_000;
/** A client should learn its position before its watch ends, so the last bookmark comes earlier. */
const LAST_BOOKMARK_LEAD_MS = 1000;
const DEFAULT_TIMEOUT_SECONDS = 1800;
/** A client that does not read would make the process keep everything it has not read. */
const UNREAD_BYTES_MAX = 32 * 1024 * 1024;

export interface WatchedCollection {
  readonly resource: ServedResource;
  readonly namespace: string;
  /** Set when a single object is watched by its path. */
  readonly name: string;
}

interface Stream {
  readonly request: ApiRequest;
  readonly store: ObjectStore;
  readonly collection: WatchedCollection;
  readonly matches: Predicate;
}

export function streamWatch(
  request: ApiRequest,
  store: ObjectStore,
  collection: WatchedCollection,
): void {
  const { query, response } = request;
  const stream = { request, store, collection, matches: predicateOf(request, collection) };
  const timeoutMs = (positive(query.get('timeoutSeconds')) ?? DEFAULT_TIMEOUT_SECONDS) * 1000;
  response.writeHead(200, {
    'content-type': 'application/json',
    'cache-control': 'no-cache, private',
  });
  response.flushHeaders();
  try {
    const from = sendInitial(stream);
    const subscription = store.watch(collection.resource, from, (change) => {
      sendChange(stream, change);
    });
    const bookmark = (): void => {
      if (query.get('allowWatchBookmarks') === 'true') sendBookmark(stream, {});
    };
    const timers = [
      setInterval(bookmark, BOOKMARK_INTERVAL_MS),
      setTimeout(bookmark, Math.max(0, timeoutMs - LAST_BOOKMARK_LEAD_MS)),
      setTimeout(() => response.end(), timeoutMs),
    ];
    response.on('close', () => {
      subscription.close();
      for (const timer of timers) clearTimeout(timer);
    });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    send(response, 'ERROR', error.status());
    response.end();
  }
}

function predicateOf(
  request: ApiRequest,
  { resource, namespace, name }: WatchedCollection,
): Predicate {
  const labelSelector = request.query.get('labelSelector') ?? '';
  const fieldSelector = request.query.get('fieldSelector') ?? '';
  const matches = parseSelectors({ labelSelector, fieldSelector }, fieldsOf(resource));
  return (object) =>
    (namespace === '' || object.metadata.namespace === namespace) &&
    (name === '' || object.metadata.name === name) &&
    matches(object);
}

/** Sends the present objects where they are asked for; returns the version to go on from. */
function sendInitial(stream: Stream): number {
  const { query } = stream.request;
  const version = query.get('resourceVersion') ?? '';
  const wish = query.get('sendInitialEvents');
  if (wish === 'true') checkInitialWish(query, version, stream.store.resourceVersion);
  else if (version !== '' && version !== '0') return parseVersion(version);
  if (wish !== 'false') sendPresent(stream);
  // A watch that names no version gets the mark as well, as from a real server.
  const wantsMark = wish === 'true' || (wish === null && version === '');
  if (wantsMark && query.get('allowWatchBookmarks') === 'true') {
    sendBookmark(stream, { 'k8s.io/initial-events-end': 'true' });
  }
  return stream.store.resourceVersion;
}

function checkInitialWish(query: URLSearchParams, version: string, current: number): void {
  if (query.get('resourceVersionMatch') !== 'NotOlderThan') {
    throw badRequest('sendInitialEvents needs resourceVersionMatch=NotOlderThan');
  }
  if (version !== '' && parseVersion(version) > current) {
    throw expired(`Too large resource version: ${version}, current: ${current}`);
  }
}

function sendPresent(stream: Stream): void {
  const { store, collection } = stream;
  const { items } = store.list(collection.resource, { namespace: collection.namespace });
  for (const object of items.filter(stream.matches)) sendObject(stream, 'ADDED', object);
}

/** An object that comes into or leaves the selection is one that appears or disappears. */
function sendChange(stream: Stream, change: Change): void {
  const { resource } = stream.collection;
  const object = resource.toServed(change.object);
  const before = change.previous === undefined ? undefined : resource.toServed(change.previous);
  const wasSelected = before !== undefined && stream.matches(before);
  const isSelected = change.kind !== 'deleted' && stream.matches(object);
  if (isSelected) sendObject(stream, wasSelected ? 'MODIFIED' : 'ADDED', object);
  else if (wasSelected) sendObject(stream, 'DELETED', object);
}

function sendObject(stream: Stream, type: string, object: KubernetesObject): void {
  const { request, collection, store } = stream;
  send(request.response, type, renderObject(request, collection.resource, object, store.nowMs()));
}

function sendBookmark({ request, store, collection }: Stream, annotations: JsonObject): void {
  const { resource } = collection;
  const metadata: JsonObject = { resourceVersion: String(store.resourceVersion) };
  if (Object.keys(annotations).length > 0) metadata['annotations'] = annotations;
  const apiVersion = groupVersion(resource.group, resource.version);
  const bookmark =
    wantedForm(request) === 'table'
      ? buildTable(resource, [], { nowMs: store.nowMs(), include: 'None', metadata })
      : { kind: resource.kind, apiVersion, metadata: { ...metadata, creationTimestamp: null } };
  send(request.response, 'BOOKMARK', bookmark);
}

function send(response: ServerResponse, type: string, object: unknown): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
  if (response.writableLength > UNREAD_BYTES_MAX) response.destroy();
}

function parseVersion(text: string): number {
  const version = Number(text);
  if (Number.isSafeInteger(version) && version >= 0) return version;
  throw badRequest(`resourceVersion: Invalid value: ${JSON.stringify(text)}: must be a number`);
}

function positive(text: string | null): number | undefined {
  const number = Number(text ?? '');
  return number > 0 ? number : undefined;
}
