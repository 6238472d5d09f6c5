/** The operator, unchanged, in this process: the one place where `tonearm up` starts it. */
import { type DefaultStateProvider, readSettings, startOperator } from '@tonearm/operator';
import { type Logger, systemClock } from '@tonearm/runtime/foundation';

export interface EmbeddedOperatorOptions {
  /** Of the API, on this machine. */
  readonly url: string;
  readonly provider: DefaultStateProvider;
  readonly logger: Logger;
  /** It has ended without being told to. */
  onFailure(error: unknown): void;
}

export interface EmbeddedOperator {
  stop(): Promise<void>;
}

const SETTINGS = {
  // Its keys stay out of the way of what users make.
  TONEARM_NAMESPACE: 'kube-system',
  // There is no second one to share the work with.
  TONEARM_LEADER_ELECTION: 'false',
  TONEARM_HTTP_PORT: '0',
};

export function startEmbeddedOperator(options: EmbeddedOperatorOptions): EmbeddedOperator {
  const verdict = readSettings([], SETTINGS);
  if (verdict.kind === 'invalid') throw new Error(verdict.problems.join('; '));
  const operator = startOperator({
    settings: verdict.settings,
    kubeConfig: { kind: 'loopback', url: options.url },
    defaultStateProvider: options.provider,
    logger: options.logger,
    clock: systemClock,
  });
  operator.ended.catch((error: unknown) => options.onFailure(error));
  return { stop: () => operator.close() };
}
