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
  /** A silence of this length is probed; a second one ends the watch. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
}

/** Resolves when the signal aborts, rejects when the watch is lost. */
export async function watchEtcd(client: Etcd3, watch: EtcdWatch): Promise<void> {
  if (watch.signal.aborted) return;
  const stream = await client.watchClient.watch();
  let heardAfterProbe = true;
  const ended = new Promise<void>((resolve, reject) => {
    stream.on('error', (error) => reject(new Error(`the stream failed: ${error.message}`)));
    stream.on('end', () => reject(new Error('the server ended the stream')));
    stream.on('data', (response) => {
      heardAfterProbe = true;
      if (watch.signal.aborted) return;
      try {
        const lost = deliver(watch, response);
        if (lost !== undefined) reject(new Error(lost));
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
    watch.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const watchdog = setInterval(() => {
    if (!heardAfterProbe) {
      stream.cancel();
      return;
    }
    heardAfterProbe = false;
    stream.write({ progress_request: {} });
  }, watch.idleMs);
  try {
    stream.write({
      create_request: {
        key: watch.key,
        range_end: watch.rangeEnd,
        start_revision: watch.fromRevision,
        progress_notify: true,
      },
    });
    await ended;
  } finally {
    clearInterval(watchdog);
    stream.cancel();
  }
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
