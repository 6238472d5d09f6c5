/**
 * Which instance a command talks to, and with which cookie: the one of `--url`, or any of a cluster that `tonearm up`
 * runs here, whose cookie is in its Secret. Every instance takes every command of the admin API.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { CommandError } from '../command-error.ts';
import { localServer, readLocal } from './local-api.ts';

export interface TargetOptions {
  readonly url?: string;
  readonly cookieFile?: string;
  readonly cluster?: string;
  readonly state: string;
}

export interface AdminTarget {
  /** Without a slash at its end. */
  readonly url: string;
  readonly cookie: string;
}

const USAGE = 2;
const COOKIE_VARIABLE = 'TONEARM_CLUSTER_COOKIE';
const PROBE_TIMEOUT_MS = 2000;

const podsSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({
        namespace: z.string(),
        labels: z.record(z.string(), z.string()).default({}),
        annotations: z.record(z.string(), z.string()).default({}),
      }),
    }),
  ),
});
const secretSchema = z.object({ data: z.object({ cookie: z.string() }) });

interface LocalInstance {
  readonly cluster: string;
  readonly namespace: string;
  readonly address: string;
}

export async function findTarget(
  options: TargetOptions,
  environment: NodeJS.ProcessEnv,
): Promise<AdminTarget> {
  if (options.url !== undefined) {
    return { url: checkedUrl(options.url), cookie: cookieOf(options, environment) };
  }
  const server = localServer(options.state);
  if (server === undefined) {
    throw new CommandError(
      `"tonearm up" does not run in ${options.state}: name an instance with --url http://HOST:8081, on Kubernetes behind "kubectl port-forward"`,
      USAGE,
    );
  }
  const instances = await instancesOf(server);
  const { cluster, namespace } = pickCluster(instances, options.cluster);
  const secret = `${server}/api/v1/namespaces/${namespace}/secrets/${cluster}-cookie`;
  const { data } = secretSchema.parse(await readLocal(secret));
  const cookie = Buffer.from(data.cookie, 'base64').toString();
  const own = instances.filter((one) => one.cluster === cluster && one.namespace === namespace);
  return { url: await firstThatAnswers(own, cluster), cookie };
}

function checkedUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new CommandError(
      `--url is an address such as http://127.0.0.1:8081, not "${text}"`,
      USAGE,
    );
  }
  return text.replace(/\/+$/, '');
}

function cookieOf({ cookieFile }: TargetOptions, environment: NodeJS.ProcessEnv): string {
  const given = environment[COOKIE_VARIABLE] ?? '';
  if (cookieFile === undefined && given !== '') return given;
  if (cookieFile === undefined) {
    throw new CommandError(
      `an instance at --url wants the cookie of its cluster: give its file with --cookie-file, or itself in ${COOKIE_VARIABLE}`,
      USAGE,
    );
  }
  try {
    return readFileSync(cookieFile, 'utf8').trim();
  } catch (error) {
    throw new CommandError(`--cookie-file cannot be read: ${(error as Error).message}`, USAGE);
  }
}

async function instancesOf(server: string): Promise<readonly LocalInstance[]> {
  const { items } = podsSchema.parse(await readLocal(`${server}/api/v1/pods`));
  return items.flatMap(({ metadata: { namespace, labels, annotations } }) => {
    const cluster = labels['tonearm.dev/cluster'];
    const address = annotations['tonearm.dev/http-address'];
    return cluster === undefined || address === undefined ? [] : [{ cluster, namespace, address }];
  });
}

/** `NAME`, or `NAMESPACE/NAME`; left out: the only one. */
export function pickCluster(
  instances: readonly Omit<LocalInstance, 'address'>[],
  wanted: string | undefined,
): { readonly cluster: string; readonly namespace: string } {
  const byName = new Map(instances.map((one) => [`${one.namespace}/${one.cluster}`, one]));
  const names = [...byName.keys()];
  const fits = names.filter(
    (name) => wanted === undefined || name === wanted || name.endsWith(`/${wanted}`),
  );
  const found = fits.length === 1 ? byName.get(fits[0] ?? '') : undefined;
  if (found !== undefined) return found;
  const known = names.length === 0 ? 'no cluster has instances here yet' : names.join(', ');
  if (wanted === undefined || fits.length > 1) {
    throw new CommandError(`name one cluster with --cluster NAMESPACE/NAME: ${known}`, USAGE);
  }
  throw new CommandError(`there is no cluster "${wanted}" here: ${known}`, USAGE);
}

async function firstThatAnswers(
  instances: readonly LocalInstance[],
  cluster: string,
): Promise<string> {
  for (const { address } of instances) {
    const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
    const answer = await fetch(`http://${address}/health/live`, { signal }).catch(() => undefined);
    if (answer?.ok === true) return `http://${address}`;
  }
  throw new CommandError(`no instance of ${cluster} answers: look at "tonearm status"`);
}
