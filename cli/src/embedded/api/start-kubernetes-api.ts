/** Starts the embedded Kubernetes API: the store, its file, and the server on loopback. */
import { newApiSecret } from './api-secret.ts';
import type { CustomValidation } from './custom-resources.ts';
import { createApiServer } from './http-server.ts';
import { listenOnLoopback } from './listen.ts';
import { ObjectStore } from './object-store.ts';
import { readStoreFile, StoreFile } from './persistence.ts';
import type { PodLogs } from './pod-subresources.ts';

export interface KubernetesApiOptions {
  /** 0 takes any free port; a taken port is stepped over. */
  readonly port?: number;
  /** Where the objects are kept; without it they end with the process. */
  readonly file?: string;
  /**
   * The first part of every path, which others cannot guess; left out, a new one. Whoever knows it may do everything.
   */
  readonly secret?: string;
  readonly podLogs?: PodLogs;
  /** The verdicts on custom resources that a real server would get from CEL rules. */
  readonly validate?: CustomValidation;
  readonly watchHistory?: number;
  readonly nowMs?: () => number;
  readonly newUid?: () => string;
  /** Told when the file cannot be written; the next change tries again. */
  readonly onFileError?: (error: unknown) => void;
}

export interface KubernetesApi {
  /** With the secret in its path. */
  readonly url: string;
  readonly port: number;
  readonly store: ObjectStore;
  close(): Promise<void>;
}

export async function startKubernetesApi(
  options: KubernetesApiOptions = {},
): Promise<KubernetesApi> {
  const initial = options.file === undefined ? undefined : await readStoreFile(options.file);
  const store = new ObjectStore({ ...options, ...(initial === undefined ? {} : { initial }) });
  const file =
    options.file === undefined
      ? undefined
      : new StoreFile(options.file, store, options.onFileError ?? (() => undefined));
  const secret = options.secret ?? newApiSecret();
  const server = createApiServer({ store, secret, podLogs: options.podLogs });
  const port = await listenOnLoopback(server, options.port ?? 0);
  return {
    url: `http://127.0.0.1:${port}/${secret}`,
    port,
    store,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await file?.close();
    },
  };
}
