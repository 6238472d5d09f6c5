/** The ways on which clients of the chaos rounds reach registers and lists, and what answers mean there. */

import { errorNumber } from '../../runtime/src/core/iproto/error-numbers.ts';
import { key as field, requestType } from '../../runtime/src/core/iproto/protocol.ts';
import type { Value } from '../../runtime/src/core/schema/values.ts';
import type { Fields } from '../../runtime/src/testing/iproto-frames.ts';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { IprotoClient, type IprotoReply } from '../support/iproto-client.ts';
import { COOKIE, type LocalInstance } from '../support/local-instance.ts';

export interface Asked {
  readonly kind: 'read' | 'write' | 'append';
  readonly space: SpaceName;
  readonly key: string;
  readonly value: number;
}

export type SpaceName = 'first' | 'second';

export interface Row {
  readonly value: number;
  /** Numbers, each with a comma behind it. */
  readonly items: string;
}

/** Of what is refused nothing was done, as the documentation promises; of what is unknown anything may be. */
export type Told =
  | { readonly kind: 'answered'; readonly row: Row | null }
  | { readonly kind: 'refused' }
  | { readonly kind: 'unknown' };

export interface ChaosPath {
  readonly surprises: string[];
  /** Also after the caller has lost its patience. */
  ask(asked: Asked): Promise<Told>;
  /** Nothing came for long. */
  impatient(): void;
  close(): void;
}

const HTTP_LIMIT_MS = 6000;
const CONNECT_MS = 500;
const REFUSED: Told = { kind: 'refused' };
const UNKNOWN: Told = { kind: 'unknown' };

/** By HTTP, through the function of a role that calls the leader by bucket. */
export class RouterPath implements ChaosPath {
  readonly surprises: string[] = [];
  readonly #router: LocalInstance;

  constructor(router: LocalInstance) {
    this.#router = router;
  }

  async ask(asked: Asked): Promise<Told> {
    const answer = await this.#router
      .request('POST', '/ask', asked, HTTP_LIMIT_MS)
      .catch((error: unknown) => (wasNotSent(error) ? { status: 503, body: null } : undefined));
    if (answer === undefined || answer.status === 504) return UNKNOWN;
    if (answer.status === 503) return REFUSED;
    if (answer.status === 200)
      return { kind: 'answered', row: (answer.body as { readonly row: Row | null }).row };
    // Its roles are not there while it starts.
    if (answer.status !== 404)
      this.surprises.push(`${answer.status}: ${JSON.stringify(answer.body)}`);
    return UNKNOWN;
  }

  impatient(): void {
    // There is one router.
  }

  close(): void {
    // Nothing is kept.
  }
}

/** Over the binary port of whichever instance took the last write, also long after it leads no more. */
export class DirectPath implements ChaosPath {
  readonly surprises: string[] = [];
  readonly #instances: readonly LocalInstance[];
  readonly #spaces: Readonly<Record<SpaceName, number>>;
  readonly #random: SeededRandom;
  readonly #clients: IprotoClient[] = [];
  #client: Promise<IprotoClient> | undefined;

  constructor(
    instances: readonly LocalInstance[],
    spaces: Readonly<Record<SpaceName, number>>,
    random: SeededRandom,
  ) {
    this.#instances = instances;
    this.#spaces = spaces;
    this.#random = random;
  }

  async ask(asked: Asked): Promise<Told> {
    this.#client ??= this.#connect();
    const client = await this.#client.catch(() => undefined);
    if (client?.isOpen !== true) {
      this.#client = undefined;
      return REFUSED;
    }
    const { type, body } = requestOf(asked, this.#spaces[asked.space]);
    const reply = await Promise.race([
      new Promise<IprotoReply>((resolve) => client.send(type, body, resolve)),
      client.ended.then(() => undefined),
    ]);
    return reply === undefined ? UNKNOWN : this.#judge(reply);
  }

  /** What comes later still counts. */
  impatient(): void {
    if (this.#random.chance(0.5)) this.#client = undefined;
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  async #connect(): Promise<IprotoClient> {
    const { port } = this.#random.pick(this.#instances);
    const login = { user: 'admin', password: COOKIE };
    const client = await IprotoClient.connect(port, login, CONNECT_MS);
    this.#clients.push(client);
    return client;
  }

  #judge(reply: IprotoReply): Told {
    const { error, message } = reply;
    if (error === 0) return { kind: 'answered', row: rowOf(reply.data()) };
    if (error === errorNumber.TIMEOUT) return UNKNOWN;
    this.#client = undefined;
    if (
      ![errorNumber.READONLY, errorNumber.NONMASTER, errorNumber.LOADING].some(
        (one) => one === error,
      )
    )
      this.surprises.push(`error ${error}: ${message}`);
    return REFUSED;
  }
}

function wasNotSent(error: unknown): boolean {
  const { cause } = error as { readonly cause?: { readonly code?: string } };
  return cause?.code === 'ECONNREFUSED';
}

/** A read is a write that changes nothing that counts: any instance answers a read, but only its leader a write. */
function requestOf(
  { kind, key, value }: Asked,
  space: number,
): { readonly type: number; readonly body: Fields } {
  const spaceId = [field.SPACE_ID, space] as const;
  if (kind === 'write')
    return { type: requestType.REPLACE, body: [spaceId, [field.TUPLE, [key, value, '', 0]]] };
  const item = `${value},`;
  if (kind === 'append') {
    const tuple = [field.TUPLE, [key, 0, item, 0]] as const;
    return {
      type: requestType.UPSERT,
      body: [spaceId, tuple, [field.OPS, [[':', 2, -1, 0, item]]]],
    };
  }
  const body: Fields = [
    ...[spaceId, [field.INDEX_ID, 0] as const, [field.KEY, [key]] as const],
    [field.TUPLE, [['+', 3, 1]]],
  ];
  return { type: requestType.UPDATE, body };
}

function rowOf([tuple]: readonly Value[]): Row | null {
  if (tuple === undefined) return null;
  const [, value, items] = tuple as unknown as readonly [string, number, string, number];
  return { value, items };
}
