/** Listens on loopback only; a port that is taken is stepped over, so that two clusters can run. */
import type { Server } from 'node:http';

const PORT_STEPS_MAX = 50;

/** Returns the port: the wanted one, the next free one above it, or any for 0. */
export async function listenOnLoopback(server: Server, wanted: number): Promise<number> {
  for (let step = 0; ; step++) {
    const port = wanted === 0 ? 0 : wanted + step;
    try {
      return await listenOn(server, port);
    } catch (error) {
      if (!isPortTaken(error) || wanted === 0 || step >= PORT_STEPS_MAX) throw error;
    }
  }
}

function listenOn(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

function isPortTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}
