/** `npm start` in a folder of its own, and the first write to its router. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const root = path.resolve(import.meta.dirname, '../..');
/** Often enough for the figures, seldom enough not to be part of them. */
const LOOK_EVERY_MS = 20;
const PATIENCE_MS = 120_000;
const JANE = {
  employee_id: 'jane',
  name: 'Jane Doe',
  department: 'Delivery',
  position: 'Developer',
  salary: 20_000,
};

export class Started {
  readonly state: string;
  readonly beganAtMs = Date.now();
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(state: string, child: ChildProcess) {
    this.state = state;
    this.#child = child;
    this.#ended = once(child, 'exit');
  }

  static start(state: string, compileCache: string): Started {
    const child = spawn('npm', ['start', '--', '--state', state], {
      cwd: root,
      stdio: 'ignore',
      detached: true,
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
    });
    return new Started(state, child);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** When it was accepted. */
  async firstWrite(): Promise<number> {
    const endMs = Date.now() + PATIENCE_MS;
    let router: string | undefined;
    while (Date.now() < endMs) {
      router ??= await this.#router();
      if (router !== undefined && (await post(router))) return Date.now();
      await delay(LOOK_EVERY_MS);
    }
    throw new Error(`no write was accepted in ${PATIENCE_MS / 1000} s; see ${this.state}/logs`);
  }

  /** As Ctrl-C in a terminal, which reaches all of them. */
  async stop(): Promise<void> {
    if (this.#child.exitCode === null) process.kill(-this.pid, 'SIGINT');
    await this.#ended;
  }

  /** Where `tonearm up` has put the router. */
  async #router(): Promise<string | undefined> {
    const file = path.join(this.state, 'kubeconfig');
    const server = existsSync(file) && /server: (\S+)/.exec(readFileSync(file, 'utf8'))?.[1];
    if (!server) return undefined;
    const url = `${server}/api/v1/namespaces/default/services/employees-router`;
    const answer = await fetch(url).catch(() => undefined);
    const service = (await answer?.json()) as
      | { metadata?: { annotations?: Record<string, string> } }
      | undefined;
    const addresses = service?.metadata?.annotations?.['tonearm.dev/local-address'] ?? '';
    const address = /http=([^,]+)/.exec(addresses)?.[1];
    return address === undefined ? undefined : `http://${address}`;
  }
}

async function post(router: string): Promise<boolean> {
  try {
    const response = await fetch(`${router}/employee`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(JANE),
      signal: AbortSignal.timeout(2000),
    });
    await response.text();
    return response.status === 201;
  } catch {
    return false; // Nobody serves there yet.
  }
}
