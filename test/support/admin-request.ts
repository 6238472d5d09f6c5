/** Requests to the HTTP port of an instance, on loopback unless a host is named, as its administrator. */
export interface AdminRequest {
  readonly method: string;
  readonly url: string;
  /** Sent as JSON, or as it is when it is a text of a type. */
  readonly body?: unknown;
  readonly text?: { readonly type: string; readonly content: string };
  readonly timeoutMs?: number;
}

export interface AdminAnswer {
  readonly status: number;
  readonly body: unknown;
}

const TIMEOUT_MS = 20_000;

export async function adminRequest(
  instance: { readonly host?: string; readonly httpPort: number; readonly cookie: string },
  { method, url, body, text = textOf(body), timeoutMs = TIMEOUT_MS }: AdminRequest,
): Promise<AdminAnswer> {
  const { host = '127.0.0.1', httpPort, cookie } = instance;
  const response = await fetch(`http://${host}:${httpPort}${url}`, {
    method,
    signal: AbortSignal.timeout(timeoutMs),
    headers: {
      authorization: `Basic ${Buffer.from(`admin:${cookie}`).toString('base64')}`,
      ...(text === undefined ? {} : { 'content-type': text.type }),
    },
    ...(text === undefined ? {} : { body: text.content }),
  });
  const answer = await response.text();
  return { status: response.status, body: answer === '' ? undefined : JSON.parse(answer) };
}

function textOf(body: unknown): AdminRequest['text'] {
  if (body === undefined) return undefined;
  return { type: 'application/json', content: JSON.stringify(body) };
}
