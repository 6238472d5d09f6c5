/** Plays an API server, answer by answer, where the bytes on the wire are what a test is about. */
import type {
  KubeTransport,
  TransportRequest,
  TransportResponse,
} from '../adapters/kube-transport.ts';

export interface ScriptedAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Instead of a body. The stream of a watch goes on until the iterable ends or throws. */
  readonly stream?: AsyncIterable<string> | Iterable<string>;
}

export class ScriptedTransport implements KubeTransport {
  readonly requests: TransportRequest[] = [];
  readonly #answer: (request: TransportRequest, index: number) => ScriptedAnswer;

  /** An error thrown by `answer` is a connection that breaks. */
  constructor(answer: (request: TransportRequest, index: number) => ScriptedAnswer) {
    this.#answer = answer;
  }

  async send(request: TransportRequest): Promise<TransportResponse> {
    this.requests.push(request);
    const {
      status = 200,
      headers = {},
      body = {},
      stream,
    } = this.#answer(request, this.requests.length - 1);
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return {
      status,
      header: (name) => headers[name],
      text: async () => text,
      chunks: () => encode(stream ?? [text]),
    };
  }
}

export function failedStatus(
  code: number,
  reason: string,
  details: Readonly<Record<string, unknown>> = {},
): ScriptedAnswer {
  const body = {
    kind: 'Status',
    status: 'Failure',
    code,
    reason,
    message: `it is ${reason}`,
    details,
  };
  return { status: code, body };
}

export function watchLine(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`;
}

async function* encode(
  stream: AsyncIterable<string> | Iterable<string>,
): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  for await (const text of stream) yield encoder.encode(text);
}
