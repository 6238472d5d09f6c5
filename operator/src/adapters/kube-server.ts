/**
 * Where the API server is, and with which credentials it is asked.
 *
 * client-node reads kubeconfig files and credentials. It takes most of a second to load, and is loaded only for them:
 * a server on the own machine that asks for no credentials is named by its address.
 */
import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';

export type KubeConfigSource =
  /** KUBECONFIG, else ~/.kube/config, else the service account of the pod. */
  | { readonly kind: 'default' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'text'; readonly text: string }
  /** Of a server on the own machine, without credentials. */
  | { readonly kind: 'loopback'; readonly url: string };

export interface KubeServer {
  /** Without a slash at the end; it may have a path. */
  readonly url: string;
  readonly proxyUrl: string | undefined;
  /** Adds the credentials of now. */
  authorize(options: RequestOptions): Promise<void>;
}

const LOOPBACK = /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])[:/]/;

/** Throws when there is no server to use. */
export async function openKubeServer(source: KubeConfigSource): Promise<KubeServer> {
  if (source.kind === 'loopback') {
    if (!LOOPBACK.test(source.url)) throw new Error(`${source.url} is not on this machine`);
    return { url: trimmed(source.url), proxyUrl: undefined, authorize: async () => undefined };
  }
  const config = await loadKubeConfig(source);
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new Error(
      'the kubeconfig has no current context: choose one with kubectl config use-context',
    );
  }
  return {
    url: trimmed(cluster.server),
    proxyUrl: cluster.proxyUrl,
    authorize: (options) => config.applyToHTTPSOptions(options),
  };
}

async function loadKubeConfig(
  source: Exclude<KubeConfigSource, { readonly kind: 'loopback' }>,
): Promise<KubeConfig> {
  const client = await import('@kubernetes/client-node');
  const config = new client.KubeConfig();
  if (source.kind === 'file') config.loadFromFile(source.path);
  else if (source.kind === 'text') config.loadFromString(source.text);
  else config.loadFromDefault();
  return allowPlainLoopback(config);
}

/**
 * client-node refuses http:// unless the kubeconfig waives verification. On the own machine there is nothing to verify;
 * anywhere else a token would travel in the clear.
 */
function allowPlainLoopback(config: KubeConfig): KubeConfig {
  const { users, contexts, currentContext } = config;
  const clusters = config.clusters.map((cluster) =>
    LOOPBACK.test(cluster.server) ? { ...cluster, skipTLSVerify: true } : cluster,
  );
  config.loadFromOptions({ clusters, users, contexts, currentContext });
  return config;
}

function trimmed(url: string): string {
  return url.replace(/\/+$/, '');
}
