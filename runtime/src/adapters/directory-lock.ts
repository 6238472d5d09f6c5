/**
 * Keeps a second process off a working directory.
 *
 * Each process raises a flag, a listening Unix socket in the directory, and only then looks for others: whoever sees
 * another living flag gives up, so of two at once at most one goes on. The kernel takes a flag down when its process
 * dies, however it dies, and keeps it up while the process is stopped; its file alone means nothing.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import path from 'node:path';

const FLAG = /^\.lock-[0-9a-f]{8}$/;
/** Unix sockets have short paths: 104 bytes on some systems, 108 on others. */
const LONGEST_SOCKET_PATH = 100;

export class DirectoryLockedError extends Error {
  override readonly name = 'DirectoryLockedError';
}

export interface DirectoryLock {
  release(): Promise<void>;
}

/** Rejects with `DirectoryLockedError` when a living process holds the directory. */
export async function lockDirectory(folder: string): Promise<DirectoryLock> {
  const real = realpathSync(folder);
  const own = `.lock-${randomUUID().slice(0, 8)}`;
  const reach = reachable(real, own);
  const server = await raise(path.join(reach.folder, own), real);
  const release = async (): Promise<void> => {
    await new Promise<void>((resolve) => server.close(() => resolve()));
    reach.close();
  };
  try {
    const names = readdirSync(real).filter((name) => FLAG.test(name));
    if (!names.includes(own)) {
      throw new DirectoryLockedError(`Another process is starting in ${real}; try again.`);
    }
    for (const name of names) {
      if (name === own) continue;
      if (await alive(path.join(reach.folder, name))) {
        throw new DirectoryLockedError(
          `Another process works in ${real}. End it first, or give this one another directory.`,
        );
      }
      rmSync(path.join(real, name), { force: true });
    }
  } catch (error) {
    await release();
    throw error;
  }
  return { release };
}

interface Reach {
  readonly folder: string;
  close(): void;
}

/** A way to name files of the folder that fits into a socket address. */
function reachable(folder: string, name: string): Reach {
  const fits = Buffer.byteLength(path.join(folder, name)) <= LONGEST_SOCKET_PATH;
  if (fits || process.platform !== 'linux') return { folder, close: () => undefined };
  const descriptor = openSync(folder, 'r');
  return { folder: `/proc/self/fd/${descriptor}`, close: () => closeSync(descriptor) };
}

function raise(address: string, folder: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (cause) =>
      reject(
        new Error(
          `${folder} cannot be locked: ${cause.message}. It must be on a file system that has Unix sockets.`,
          { cause },
        ),
      ),
    );
    server.listen(address, () => {
      server.unref();
      resolve(server);
    });
  });
}

function alive(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // Any other failure, as a full backlog, does not prove that its process is dead.
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}
