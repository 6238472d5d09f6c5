/**
 * Datagrams: bytes that arrive whole and unchanged, late, twice, in another order or not at all.
 *
 * A place is `host:port`. A name is resolved when it is first sent to, and kept until it is forgotten: whoever sends
 * knows when somebody may have moved. An address that a datagram came from needs no resolving.
 */
export interface Datagrams {
  /**
   * Resolves when they are on their way, which does not mean that they arrive. Rejects when that is not possible: the
   * name is unknown, or is being looked up already.
   */
  send(to: string, bytes: Uint8Array): Promise<void>;
  /** Who gets what arrives, with the place that an answer goes to. The bytes are the listener's own. */
  onDatagram(listener: (bytes: Uint8Array, from: string) => void): void;
  /** The name is resolved anew when it is next sent to [MEM-16]. */
  forget(to: string): void;
  /** Nothing arrives any more. */
  close(): Promise<void>;
}
