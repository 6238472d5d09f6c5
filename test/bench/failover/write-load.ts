/** Writes employees over HTTP through one router, at a steady rate; and what can be said of any load. */
import { Agent, request } from '../../../runtime/src/foundation/http-client.ts';
import type { LocalCluster } from '../../support/local-cluster.ts';
import { COOKIE } from '../../support/local-instance.ts';
import { type Acknowledged, type Employee, type Outcome, SteadyWrites } from './steady-writes.ts';

export interface WriteLoadOptions {
  readonly cluster: LocalCluster;
  readonly perSecond: number;
  readonly sets: readonly number[];
  readonly salary: number;
}

export interface Load {
  readonly acknowledged: readonly Acknowledged[];
  readonly failed: ReadonlyMap<number, number>;
  readonly reasons: ReadonlySet<string>;
  readonly ranMs: number;
  stop(): Promise<void>;
}

const HEADERS = {
  'content-type': 'application/json',
  authorization: `Basic ${Buffer.from(`admin:${COOKIE}`).toString('base64')}`,
};

export class WriteLoad extends SteadyWrites implements Load {
  readonly #agent: Agent;

  constructor({ cluster, ...options }: WriteLoadOptions) {
    const agent = new Agent({ connections: null, pipelining: 1 });
    const address = `http://127.0.0.1:${cluster.router.httpPort}/employee`;
    super({
      ...options,
      setOf: (id) => cluster.setOf(id),
      write: ([employee]) => post(agent, address, employee),
    });
    this.#agent = agent;
  }

  override async stop(): Promise<void> {
    await super.stop();
    await this.#agent.close();
  }
}

async function post(
  agent: Agent,
  address: string,
  employee: Employee | undefined,
): Promise<Outcome> {
  try {
    const body = JSON.stringify(employee);
    const options = { method: 'POST', dispatcher: agent, headers: HEADERS, body } as const;
    const answer = await request(address, options);
    return { status: answer.statusCode, reason: await answer.body.text() };
  } catch (error) {
    return { status: 0, reason: String(error) };
  }
}

/** The longest time without an acknowledgement after a moment, and when it ended. */
export function longestSilence(
  timesMs: readonly number[],
  afterMs: number,
): { readonly ms: number; readonly endedMs: number } {
  let longest = { ms: 0, endedMs: afterMs };
  let lastMs = timesMs.findLast((atMs) => atMs <= afterMs) ?? afterMs;
  for (const atMs of timesMs) {
    if (atMs <= afterMs) continue;
    if (atMs - lastMs > longest.ms) longest = { ms: atMs - lastMs, endedMs: atMs };
    lastMs = atMs;
  }
  return longest;
}
