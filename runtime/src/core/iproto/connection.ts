/** Between the server of the protocol and whatever carries its bytes. */

/** Asked of the transport by a session. */
export interface ByteConnection {
  /** For logs. */
  readonly peer: string;
  /** Given to `send` and not taken by the peer's host yet. */
  readonly unsentBytes: number;
  /** The bytes may be changed as soon as this returns. */
  send(bytes: Uint8Array, start: number, end: number): void;
  /** No more `received` until `resume`. */
  pause(): void;
  resume(): void;
  /** Calls `wake` of the session soon, once for any number of calls before it. */
  wakeSoon(): void;
  /** Closes when everything is sent. */
  end(): void;
  destroy(): void;
}

/** Told to a session by its transport. */
export interface ByteSession {
  /** The bytes from `start` to `end` are only lent until this returns. */
  received(bytes: Uint8Array, start: number, end: number): void;
  /** All of what was sent is on its way, after some of it could not be. */
  drained(): void;
  wake(): void;
  closed(): void;
}

export interface ByteListener {
  /** Resolves with the port. `accept` gives the session of each new connection. */
  listen(accept: (connection: ByteConnection) => ByteSession): Promise<number>;
  /** No more connections are accepted; those that are open stay. */
  stop(): void;
  randomBytes(size: number): Uint8Array;
}
