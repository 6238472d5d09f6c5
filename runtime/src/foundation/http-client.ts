/**
 * The part of undici that instances and the operator use: requests over a pool of connections. Its entry file loads
 * four times as much (fetch, WebSocket, caches, mocks), and each process of a cluster would pay for that when it starts.
 */
import { createRequire } from 'node:module';
import type * as Undici from 'undici';

export type { Dispatcher } from 'undici';

type Request = Undici.Dispatcher['request'];

const load = createRequire(import.meta.url);

export const Agent = load('undici/lib/dispatcher/agent.js') as typeof Undici.Agent;
export type Agent = Undici.Agent;

const send = load('undici/lib/api/api-request.js') as (
  this: Undici.Dispatcher,
  ...args: Parameters<Request>
) => Promise<Undici.Dispatcher.ResponseData>;

export interface HttpRequest extends Omit<Undici.Dispatcher.RequestOptions, 'origin' | 'path'> {
  readonly dispatcher: Undici.Dispatcher;
}

/** What `request` of undici does. */
export function request(
  address: string,
  { dispatcher, ...options }: HttpRequest,
): Promise<Undici.Dispatcher.ResponseData> {
  const { origin, pathname, search } = new URL(address);
  return send.call(dispatcher, { ...options, origin, path: `${pathname}${search}` });
}

/** To reach a server through a proxy. */
export function openProxyAgent(options: Undici.ProxyAgent.Options): Undici.Dispatcher {
  const { ProxyAgent } = load('undici') as typeof Undici;
  return new ProxyAgent(options);
}
