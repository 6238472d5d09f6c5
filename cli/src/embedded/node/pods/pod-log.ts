/** Reads the log of a pod's container as it grows: what `kubectl logs` shows. */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { PodLogRequest } from '../../api/pod-subresources.ts';

export interface LogPlace {
  logFile(pod: { readonly namespace: string; readonly name: string }): string;
  hasPod(pod: { readonly namespace: string; readonly name: string }): boolean;
}

const POLL_MS = 150;
const CHUNK_BYTES = 64 * 1024;

/** Followed, it ends with the container, as on any Kubernetes: the next one has a log of its own. */
export async function* readPodLog(place: LogPlace, request: PodLogRequest): AsyncGenerator<Buffer> {
  const pod = { namespace: request.namespace, name: request.pod };
  const current = place.logFile(pod);
  const file = request.isPrevious ? current.replace(/\.log$/, '.previous.log') : current;
  const handle = await openIfThere(file);
  if (handle === undefined) return;
  try {
    let position = await startOf(handle, request.tailLines);
    for (;;) {
      const { bytesRead, buffer } = await handle.read({
        buffer: Buffer.alloc(CHUNK_BYTES),
        position,
      });
      position += bytesRead;
      if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
      else if (!request.isFollowed || request.signal.aborted) return;
      else if (!place.hasPod(pod) || !(await isSameFile(handle, file))) return;
      else await pause(request.signal);
    }
  } finally {
    await handle.close();
  }
}

async function openIfThere(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, 'r');
  } catch (error) {
    // A container that never started has written nothing.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Where the last lines begin. */
async function startOf(handle: FileHandle, tailLines: number | undefined): Promise<number> {
  if (tailLines === undefined) return 0;
  const { size } = await handle.stat();
  // A final newline ends the last line and begins no other.
  let linesLeft = tailLines + 1;
  for (let end = size; end > 0; end -= CHUNK_BYTES) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const buffer = Buffer.alloc(end - start);
    await handle.read({ buffer, position: start });
    for (let at = buffer.length - 1; at >= 0; at -= 1) {
      if (buffer[at] === 10) linesLeft -= 1;
      if (linesLeft === 0) return start + at + 1;
    }
  }
  return 0;
}

async function isSameFile(handle: FileHandle, file: string): Promise<boolean> {
  try {
    return (await handle.stat()).ino === (await stat(file)).ino;
  } catch {
    // Removed or renamed: the container that wrote it is gone.
    return false;
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  try {
    await delay(POLL_MS, undefined, { signal });
  } catch {
    // The client is gone: the caller looks.
  }
}
