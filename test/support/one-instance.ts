/** A cluster of one real instance in this process, with roles of the test: for what roles can do to an instance. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { InstanceStatus } from '@tonearm/runtime/contract';
import type { AnyRole } from '@tonearm/runtime/role';
import { silentLogger } from '../../runtime/src/foundation/logger.ts';
import { Instance } from '../../runtime/src/instance.ts';
import { readSettings } from '../../runtime/src/settings.ts';
import { setUuid } from './first-config.ts';
import { freePorts } from './ports.ts';
import { waitUntil } from './wait-until.ts';

/** Also the password of the user `admin` of the binary protocol. */
export const COOKIE = 'test-cookie';

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

type Options = Readonly<Record<string, string | number>>;

export class OneInstance implements AsyncDisposable {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'tonearm-one-'));
  readonly #roles: readonly AnyRole[];
  readonly #options: Options;
  readonly #port: number;
  readonly #httpPort: number;
  #instance: Instance | undefined;
  #stopping: Promise<void> | undefined;
  /** Codes with which it has ended by itself. */
  readonly ended: number[] = [];

  private constructor(roles: readonly AnyRole[], ports: readonly number[], options: Options) {
    this.#roles = roles;
    this.#options = options;
    [this.#port = 0, this.#httpPort = 0] = ports;
  }

  /** Running, with those roles enabled. */
  static async start(
    roles: readonly AnyRole[],
    enabled: readonly string[],
    options: Options = {},
  ): Promise<OneInstance> {
    const one = new OneInstance(roles, await freePorts(2), options);
    try {
      await one.run();
      const answer = await one.enable(enabled);
      if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
      await one.comesTo('RolesConfigured');
      return one;
    } catch (error) {
      await one[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Of the binary protocol. */
  get port(): number {
    return this.#port;
  }

  async run(): Promise<void> {
    const { options } = readSettings({
      argv: [],
      environment: {},
      code: {
        workdir: path.join(this.#folder, 'data'),
        advertise_uri: `127.0.0.1:${this.#port}`,
        http_host: '127.0.0.1',
        http_port: this.#httpPort,
        cluster_cookie: COOKIE,
        ...this.#options,
      },
    });
    this.#instance = await Instance.start({
      settings: options,
      roles: this.#roles,
      logger: silentLogger,
      onEnd: (code) => this.ended.push(code),
    });
  }

  async stop(): Promise<void> {
    const instance = this.#instance;
    this.#instance = undefined;
    if (instance !== undefined) this.#stopping = instance.stop();
    await this.#stopping;
  }

  /** Those roles beside the one that keeps buckets. */
  async enable(asked: readonly string[]): Promise<Answer> {
    const roles = ['vshard-storage', ...asked];
    const { uuid } = await this.status();
    const own = {
      uri: `127.0.0.1:${this.#port}`,
      http_uri: `127.0.0.1:${this.#httpPort}`,
      alias: 'one',
      replicaset_uuid: setUuid(0),
    };
    const topology = {
      servers: { [uuid]: own },
      replicasets: { [setUuid(0)]: { alias: 'set', roles, weight: 1, failover_priority: [uuid] } },
      failover: { mode: 'disabled' },
    };
    const assignment = [{ replicaset_uuid: setUuid(0), first: 1, last: 30 }];
    const group = { bucket_count: 30, bootstrapped: true, assignment };
    return this.patch({ topology, vshard_groups: { default: group } });
  }

  patch(sections: Readonly<Record<string, unknown>>): Promise<Answer> {
    return this.request('PATCH', '/admin/config', { sections });
  }

  request(method: string, url: string, body?: unknown): Promise<Answer> {
    return body === undefined
      ? this.send(method, url)
      : this.send(method, url, JSON.stringify(body), 'application/json');
  }

  async send(method: string, url: string, text?: string, mediaType = ''): Promise<Answer> {
    const authorization = `Basic ${Buffer.from(`admin:${COOKIE}`).toString('base64')}`;
    const signal = AbortSignal.timeout(20_000);
    const request =
      text === undefined
        ? { method, signal, headers: { authorization } }
        : { method, signal, headers: { authorization, 'content-type': mediaType }, body: text };
    const response = await fetch(`http://127.0.0.1:${this.#httpPort}${url}`, request);
    const answer = await response.text();
    return { status: response.status, body: answer === '' ? undefined : JSON.parse(answer) };
  }

  async status(): Promise<InstanceStatus> {
    return (await this.request('GET', '/admin/status')).body as InstanceStatus;
  }

  async comesTo(state: InstanceStatus['state']): Promise<InstanceStatus> {
    return waitUntil(`the instance is in state ${state}`, async () => {
      const status = await this.status();
      return status.state === state ? status : undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
