/**
 * One watch on its own gRPC stream. The package's watcher subscribes again by itself after a disconnect and may then
 * skip changes; here any doubt ends the watch with an error, and the caller lists again.
 */
import type { Etcd3 } from 'etcd3';
import type { IWatchResponse } from 'etcd3/lib/rpc.js';
import type { WatchListener } from '../ports/provider-store.ts';

export interface EtcdWatch {
  readonly key: Buffer;
  readonly rangeEnd: Buffer;
  readonly fromRevision: number;
  readonly listener: WatchListener;
  readonly relative: (key: Buffer) => string;
  /** A silence of this length is probed. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
  /** The endpoint failed elsewhere. */
  readonly givenUp: AbortSignal;
}

type Stream = Awaited<ReturnType<Etcd3['watchClient']['watch']>>;

/** A server that lives answers a probe at once. */
const PROBE_ANSWER_MS = 1000;

/** Resolves when the signal aborts, rejects when the watch is lost. */
export async function watchEtcd(client: Etcd3, watch: EtcdWatch): Promise<void> {
  if (watch.signal.aborted) return;
  const over = new AbortController();
  const ended = new Promise<void>((resolve, reject) => {
    const end = { signal: over.signal, once: true };
    watch.signal.addEventListener('abort', () => resolve(), end);
    watch.givenUp.addEventListener('abort', () => reject(watch.givenUp.reason as Error), end);
    if (watch.givenUp.aborted) reject(watch.givenUp.reason as Error);
    // With a user, opening it asks the server for a token; the stream itself opens without an answer.
    client.watchClient.watch().then(
      (stream) => {
        follow(stream, watch, over.signal, reject);
      },
      (error: unknown) => reject(error instanceof Error ? error : new Error(String(error))),
    );
  });
  try {
    await ended;
  } finally {
    over.abort();
  }
}

function follow(
  stream: Stream,
  watch: EtcdWatch,
  over: AbortSignal,
  lose: (error: Error) => void,
): void {
  // Before anything else: an error that nobody listens to would end the process.
  stream.on('error', (error) => lose(new Error(`the stream failed: ${error.message}`)));
  stream.on('end', () => lose(new Error('the server ended the stream')));
  if (over.aborted) {
    stream.cancel();
    return;
  }
  let timer: NodeJS.Timeout;
  const silent = (): void => lose(new Error('the server fell silent'));
  const probe = (): void => {
    stream.write({ progress_request: {} });
    timer = setTimeout(silent, Math.min(watch.idleMs, PROBE_ANSWER_MS));
  };
  stream.on('data', (response) => {
    clearTimeout(timer);
    if (watch.signal.aborted || over.aborted) return;
    timer = setTimeout(probe, watch.idleMs);
    try {
      const lost = deliver(watch, response);
      if (lost !== undefined) lose(new Error(lost));
    } catch (error) {
      lose(error instanceof Error ? error : new Error(String(error)));
    }
  });
  over.addEventListener('abort', () => {
    clearTimeout(timer);
    stream.cancel();
  });
  stream.write({
    create_request: {
      key: watch.key,
      range_end: watch.rangeEnd,
      start_revision: watch.fromRevision,
      progress_notify: true,
    },
  });
  timer = setTimeout(silent, Math.max(watch.idleMs, PROBE_ANSWER_MS));
}

/** Says why the watch is lost, if it is. */
function deliver(watch: EtcdWatch, response: IWatchResponse): string | undefined {
  const revision = Number(response.header.revision);
  if (response.canceled) {
    const compacted = Number(response.compact_revision);
    return compacted > 0
      ? `revision ${watch.fromRevision} was compacted, the oldest is ${compacted}`
      : `the server cancelled it: ${response.cancel_reason}`;
  }
  if (response.created && revision < watch.fromRevision - 1) {
    return `revision ${watch.fromRevision} is ahead of the server, which is at ${revision}`;
  }
  if (response.created) watch.listener.onOpen();
  const changes = response.events.map((event) => ({
    key: watch.relative(event.kv.key),
    value: isDelete(event.type) ? null : event.kv.value.toString(),
    revision: Number(event.kv.mod_revision),
  }));
  if (changes.length > 0) watch.listener.onChanges(changes);
  return undefined;
}

/** The package's types say `Delete`, the wire says `DELETE`. */
function isDelete(type: string): boolean {
  return type.toLowerCase() === 'delete';
}
