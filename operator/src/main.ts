#!/usr/bin/env node
/** The process: read the settings, start the operator, obey signals. */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createLogger, systemClock } from '@tonearm/runtime/foundation';
import { startOperator } from './manager.ts';
import type { OperatorKeys } from './ports/operator-keys.ts';
import { readSettings, type Settings } from './settings.ts';

const verdict = readSettings(process.argv.slice(2), process.env);
if (verdict.kind === 'invalid') {
  process.stderr.write(`${verdict.problems.join('\n')}\n`);
  process.exitCode = 2;
} else {
  await run(verdict.settings);
}

async function run(settings: Settings): Promise<void> {
  const logger = createLogger({ level: settings.logLevel, fields: { component: 'operator' } });
  const keys = readKeys(settings);
  const operator = startOperator({
    settings,
    logger,
    clock: systemClock,
    ...(keys === undefined ? {} : { keys }),
    ...stateboardOf(settings),
  });
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      logger.info({ signal: name }, 'stopping');
      void operator.close();
    });
  }
  try {
    await operator.ended;
  } catch (error) {
    logger.error({ error }, 'the operator has failed');
    process.exitCode = 1;
  }
}

function readKeys({ keyFile }: Settings): OperatorKeys | undefined {
  if (keyFile === undefined) return undefined;
  const privateKey = readFileSync(keyFile, 'utf8');
  const publicKey = createPublicKey(createPrivateKey(privateKey));
  return { privateKey, publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
}

function stateboardOf(
  settings: Settings,
): Pick<Parameters<typeof startOperator>[0], 'defaultStateProvider'> {
  const { defaultStateProvider, stateboardUrl, stateboardPasswordFile } = settings;
  if (defaultStateProvider !== 'stateboard' || stateboardUrl === undefined) return {};
  const password =
    stateboardPasswordFile === undefined ? '' : readFileSync(stateboardPasswordFile, 'utf8').trim();
  const { host } = new URL(stateboardUrl);
  return { defaultStateProvider: { kind: 'Stateboard', uri: host, password } };
}
