/** The entry point of an application: `await runCluster({ roles })` in its `main.ts`. */

import { ClusterError } from './core/errors.ts';
import { OptionError } from './core/options/cast-option.ts';
import type { OptionValue } from './core/options/parse-options.ts';
import { createLogger, type Logger } from './foundation/logger.ts';
import { Instance } from './instance.ts';
import type { AnyRole } from './role/define-role.ts';
import { readSettings, type Settings } from './settings.ts';

export interface ClusterOptions {
  /** Every role that the cluster may use; built-in ones need not be listed (CFG-04). */
  readonly roles: readonly AnyRole[];
  /** Names the application in `instances.yml` and in logs. Default: none. */
  readonly appName?: string;
  /** Options of lowest rank, by name, e.g. `{ http_port: 8082 }`; the table in `core/options/instance-options.ts` has them. */
  readonly options?: Readonly<Record<string, OptionValue>>;
}

let isRunning = false;

/**
 * Makes this process an instance: reachable at once, with roles as soon as it has joined a cluster.
 *
 * Resolves when the instance answers. Throws a `TypeError` when the roles do not fit (ROLE-02 … ROLE-04) or when called
 * twice (CFG-02). A wrong option, from wherever it comes, ends the process with code 2 and a message that names it.
 * SIGTERM and SIGINT stop the instance in order: leadership is handed over, roles stop, the disk is closed.
 */
export async function runCluster(options: ClusterOptions): Promise<void> {
  if (isRunning)
    throw new TypeError('runCluster was called twice in this process: one process is one instance');
  isRunning = true;
  const settings = readOrExit(options);
  const logger = createLogger({
    level: settings.options.logLevel,
    fields: { instance: settings.options.instanceName },
  });
  for (const warning of settings.warnings) logger.warn({ warning }, 'a setting was passed over');
  const starting = Instance.start({
    settings: settings.options,
    roles: options.roles,
    logger,
    onEnd: (code) => process.exit(code),
  });
  const instance = await starting.catch((error: unknown) => {
    // Anything else is a bug, whose stack tells more.
    if (!(error instanceof ClusterError)) throw error;
    logger.error({ error }, 'the instance cannot start');
    process.exit(1);
  });
  stopOnSignals(instance, logger);
}

function readOrExit(options: ClusterOptions): Settings {
  try {
    return readSettings({
      argv: process.argv.slice(2),
      environment: process.env,
      code: {
        ...(options.appName === undefined ? {} : { app_name: options.appName }),
        ...options.options,
      },
    });
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}

function stopOnSignals(instance: Instance, logger: Logger): void {
  let isStopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // A second signal means that the first takes too long.
      if (isStopping) process.exit(1);
      isStopping = true;
      logger.info({ signal }, 'the instance stops');
      instance.stop().then(
        () => process.exit(0),
        (error: unknown) => {
          logger.error({ error }, 'the instance did not stop in order');
          process.exit(1);
        },
      );
    });
  }
}
