/**
 * The same writes, made by a role in the process of the router: what a small machine spends on making thousands of
 * requests a second over HTTP is left for the cluster. Whatever lies behind the router is as it is for any client.
 */
import type { LocalCluster } from '../../support/local-cluster.ts';
import type { Acknowledged } from './steady-writes.ts';
import type { Load, WriteLoadOptions } from './write-load.ts';

export const LOAD_PATH = '/bench/load';

/** Times are those of the system's clock, which all processes share. */
export interface LoadReport {
  readonly acknowledged: readonly Acknowledged[];
  readonly failed: readonly (readonly [status: number, count: number])[];
  readonly reasons: readonly string[];
  readonly ranMs: number;
}

export interface RouterLoadOptions extends WriteLoadOptions {
  readonly rowsPerCall: number;
}

const STOP_LIMIT_MS = 30_000;

export class RouterLoad implements Load {
  acknowledged: readonly Acknowledged[] = [];
  failed: ReadonlyMap<number, number> = new Map();
  reasons: ReadonlySet<string> = new Set();
  ranMs = 0;
  readonly #cluster: LocalCluster;

  private constructor(cluster: LocalCluster) {
    this.#cluster = cluster;
  }

  static async start({ cluster, ...options }: RouterLoadOptions): Promise<RouterLoad> {
    const body = { ...options, bucketsPerSet: cluster.bucketsPerSet };
    const answer = await cluster.router.request('POST', LOAD_PATH, body);
    if (answer.status !== 200) throw new Error(`no load: ${JSON.stringify(answer)}`);
    return new RouterLoad(cluster);
  }

  async stop(): Promise<void> {
    const { router } = this.#cluster;
    const answer = await router.request('DELETE', LOAD_PATH, undefined, STOP_LIMIT_MS);
    if (answer.status !== 200) throw new Error(`no end of the load: ${JSON.stringify(answer)}`);
    const report = answer.body as LoadReport;
    const { timeOrigin } = performance;
    this.acknowledged = report.acknowledged.map((row) => ({ ...row, atMs: row.atMs - timeOrigin }));
    this.failed = new Map(report.failed);
    this.reasons = new Set(report.reasons);
    this.ranMs = report.ranMs;
  }
}
