/** HTTP to one API server, as narrow as a test can play it. */
export interface TransportRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With the query. */
  readonly path: string;
  readonly contentType?: string;
  readonly body?: string;
  /** Without a byte for this long, the connection counts as broken. */
  readonly idleTimeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface TransportResponse {
  readonly status: number;
  header(name: string): string | undefined;
  text(): Promise<string>;
  chunks(): AsyncIterable<Uint8Array>;
}

export interface KubeTransport {
  /** Throws when there is no answer. */
  send(request: TransportRequest): Promise<TransportResponse>;
}
