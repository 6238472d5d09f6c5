/** The process `tonearm-stateboard`; `--help` tells how it is used. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { lockDirectory } from '../adapters/directory-lock.ts';
import { createLogger } from '../foundation/logger.ts';
import { HELP, readStateboardOptions, type StateboardOptions } from './options.ts';
import { StateboardServer } from './server.ts';
import { StateboardStore } from './store.ts';

async function main(options: StateboardOptions): Promise<void> {
  const logger = createLogger({ level: 'info', fields: { service: 'stateboard' } });
  const { workdir, password, pidFile } = options;
  mkdirSync(workdir, { recursive: true });
  const lock = await lockDirectory(workdir);
  const onFailure = (error: Error): void => {
    logger.error({ error, workdir }, 'the stateboard ends: what it would answer could be untrue');
    // After the log line is out; a request that comes meanwhile is refused.
    setImmediate(() => process.exit(1));
  };
  const store = await StateboardStore.open({ workdir, onFailure });
  const server = new StateboardServer({ store, password, logger });
  const port = await server.listen(options.host, options.port);
  process.title = `tonearm-stateboard ${options.host}:${port}`;
  if (pidFile !== undefined) writeFileSync(pidFile, `${process.pid}\n`);
  logger.info({ host: options.host, port, workdir }, 'the stateboard listens');

  await new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
  await server.close();
  await store.close();
  await lock.release();
  if (pidFile !== undefined) rmSync(pidFile, { force: true });
  logger.info({}, 'the stateboard has ended');
}

try {
  const options = readStateboardOptions(process.argv.slice(2), process.env);
  if (options === 'help') process.stdout.write(HELP);
  else await main(options);
} catch (error) {
  process.stderr.write(`tonearm-stateboard: ${error instanceof Error ? error.message : ''}\n`);
  process.exitCode = 1;
}
