/**
 * Calls to other instances. `address` is a peer's `http_uri`; `method` names a handler of `InternalHandlers`.
 *
 * Rejects with `ClusterError` when the peer refused, and with `PeerError` when the network failed: `not-sent` proves
 * that nothing was executed, so that the call may be sent again; `unknown` proves nothing.
 */
export interface Peers {
  call(address: string, method: string, body: unknown, options: PeerCallOptions): Promise<unknown>;
}

export interface PeerCallOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export class PeerError extends Error {
  override readonly name = 'PeerError';
  readonly kind: 'not-sent' | 'unknown';

  constructor(
    kind: 'not-sent' | 'unknown',
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
    this.kind = kind;
  }
}

/** What this instance answers to its peers, by method name. Bodies are validated by the handler. */
export type InternalHandler = (body: unknown) => Promise<unknown>;
export type InternalHandlers = ReadonlyMap<string, InternalHandler>;
