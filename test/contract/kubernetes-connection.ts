/** The plainest client of a Kubernetes API server: what the contract suite says goes out as it is. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createInterface } from 'node:readline';

export type Json = Record<string, unknown>;

export interface KubernetesAnswer {
  readonly code: number;
  readonly body: Json;
  readonly headers: IncomingMessage['headers'];
}

export interface KubernetesConnection {
  request(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<KubernetesAnswer>;
  /** Yields the events of a watch until the server ends it or the loop is left. */
  watch(path: string): AsyncGenerator<Json>;
}

export interface ConnectionOptions {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

export function connectKubernetes(options: ConnectionOptions): KubernetesConnection {
  const open = (
    method: string,
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>>,
  ): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      // The server may live below a path.
      const url = new URL(options.url.replace(/\/$/, '') + path);
      const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
      const text = body === undefined ? undefined : JSON.stringify(body);
      // Without a length, Node would send the body of a DELETE as if it were the next request.
      const length = text === undefined ? {} : { 'content-length': Buffer.byteLength(text) };
      const all = { accept: 'application/json', ...length, ...options.headers, ...headers };
      const request = send(url, { method, headers: all, agent: false, ...options.tls }, resolve);
      request.on('error', reject);
      request.end(text);
    });

  return {
    request: async (method, path, body, headers = {}) => {
      const type = body === undefined ? {} : { 'content-type': 'application/json' };
      const answer = await open(method, path, body, { ...type, ...headers });
      const text = await textOf(answer);
      return {
        code: answer.statusCode ?? 0,
        body: text.startsWith('{') ? (JSON.parse(text) as Json) : { text },
        headers: answer.headers,
      };
    },
    watch: async function* (path) {
      const answer = await open('GET', path, undefined, {});
      try {
        for await (const line of createInterface({ input: answer })) {
          if (line !== '') yield JSON.parse(line) as Json;
        }
      } finally {
        answer.destroy();
      }
    },
  };
}

async function textOf(answer: IncomingMessage): Promise<string> {
  answer.setEncoding('utf8');
  let text = '';
  for await (const piece of answer) text += String(piece);
  return text;
}
