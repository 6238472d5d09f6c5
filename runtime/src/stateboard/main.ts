/**
 * `tonearm-stateboard --workdir FOLDER [--listen HOST:PORT] [--password-file FILE]`: a small state provider for
 * clusters without etcd. It keeps everything in its working directory, and serves any number of clusters.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { lockDirectory } from '../adapters/directory-lock.ts';
import { createLogger } from '../foundation/logger.ts';
import { StateboardServer } from './server.ts';
import { StateboardStore } from './store.ts';

interface Options {
  readonly host: string;
  readonly port: number;
  readonly workdir: string;
  readonly password: string;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      listen: { type: 'string' },
      workdir: { type: 'string' },
      'password-file': { type: 'string' },
    },
  });
  const { env } = process;
  const workdir = values.workdir ?? env['TONEARM_STATEBOARD_WORKDIR'];
  if (workdir === undefined || workdir === '') {
    throw new Error('--workdir is required: the folder in which the stateboard keeps its data');
  }
  const listen = values.listen ?? env['TONEARM_STATEBOARD_LISTEN'] ?? 'localhost:4401';
  const file = values['password-file'] ?? env['TONEARM_STATEBOARD_PASSWORD_FILE'];
  const password =
    file === undefined
      ? (env['TONEARM_STATEBOARD_PASSWORD'] ?? '')
      : readFileSync(file, 'utf8').trim();
  return { ...readAddress(listen), workdir, password };
}

function readAddress(listen: string): { readonly host: string; readonly port: number } {
  const address = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(listen);
  const host = address?.[1] ?? address?.[2];
  if (host === undefined) throw new Error(`--listen must be HOST:PORT, it is "${listen}"`);
  return { host, port: Number(address?.[3]) };
}

async function main(): Promise<void> {
  const logger = createLogger({ level: 'info', fields: { service: 'stateboard' } });
  const options = readOptions();
  mkdirSync(options.workdir, { recursive: true });
  const lock = await lockDirectory(options.workdir);
  const store = await StateboardStore.open({ workdir: options.workdir });
  const server = new StateboardServer({ store, password: options.password, logger });
  const port = await server.listen(options.host, options.port);
  logger.info({ host: options.host, port, workdir: options.workdir }, 'the stateboard listens');

  await new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
  await server.close();
  await store.close();
  await lock.release();
  logger.info({}, 'the stateboard has ended');
}

try {
  await main();
} catch (error) {
  process.stderr.write(`tonearm-stateboard: ${error instanceof Error ? error.message : ''}\n`);
  process.exitCode = 1;
}
