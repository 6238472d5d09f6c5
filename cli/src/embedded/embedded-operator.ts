/** The operator, unchanged, in this process: the one place where `tonearm up` starts it. */
import type { Logger } from '@tonearm/runtime/foundation';
import type { LocalStateProvider } from './state-provider-process.ts';

export interface EmbeddedOperatorOptions {
  readonly url: string;
  readonly kubeconfigFile: string;
  readonly provider: LocalStateProvider;
  /** Its signing key is kept here. */
  readonly directory: string;
  readonly logger: Logger;
  onFailure(error: unknown): void;
}

export interface EmbeddedOperator {
  stop(): Promise<void>;
}

export async function startEmbeddedOperator(
  options: EmbeddedOperatorOptions,
): Promise<EmbeddedOperator> {
  options.logger.info({ url: options.url }, 'no operator is started');
  return { stop: async () => undefined };
}
