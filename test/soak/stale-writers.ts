/**
 * Writers of the rounds with stale leaders: each inserts rows of its own through one connection that it keeps, without
 * waiting for answers, so that requests lie in the buffers of an instance that stands still.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { errorNumber } from '../../runtime/src/core/iproto/error-numbers.ts';
import { key, requestType } from '../../runtime/src/core/iproto/protocol.ts';
import type { IprotoClient, IprotoReply } from '../support/iproto-client.ts';

export interface StaleWrite {
  readonly row: RowKey;
  /** Not later than the kernel has it. */
  readonly sentMs: number;
  outcome: 'open' | 'acknowledged' | 'refused';
  answeredMs?: number;
}

export type RowKey = readonly [round: number, writer: number, number: number];

const EVERY_MS = 8;
const BURST = 4;
const OUTSTANDING_MAX = 2000;
/** Of an instance that does not lead: it did nothing. */
const REFUSALS: ReadonlySet<number> = new Set<number>([
  errorNumber.READONLY,
  errorNumber.NONMASTER,
  errorNumber.LOADING,
]);

export class StaleWriter {
  readonly writes: StaleWrite[] = [];
  readonly surprises: string[] = [];
  readonly #client: IprotoClient;
  readonly #place: { readonly round: number; readonly writer: number; readonly space: number };
  readonly #running: Promise<void>;
  #isStopping = false;

  constructor(
    client: IprotoClient,
    place: { readonly round: number; readonly writer: number; readonly space: number },
  ) {
    this.#client = client;
    this.#place = place;
    this.#running = this.#run();
  }

  /** Everything that was sent is answered, or never will be. */
  get isQuiet(): boolean {
    return !this.#client.isOpen || this.#client.outstanding === 0;
  }

  /** Sends nothing more. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
  }

  close(): void {
    this.#client.close();
  }

  async #run(): Promise<void> {
    while (!this.#isStopping && this.#client.isOpen) {
      const room = OUTSTANDING_MAX - this.#client.outstanding;
      for (let sent = 0; sent < Math.min(BURST, room); sent++) this.#insert();
      await sleep(EVERY_MS);
    }
  }

  #insert(): void {
    const { round, writer, space } = this.#place;
    const row: RowKey = [round, writer, this.writes.length];
    const write: StaleWrite = { row, sentMs: performance.now(), outcome: 'open' };
    this.writes.push(write);
    const body = [
      [key.SPACE_ID, space],
      [key.TUPLE, row],
    ] as const;
    this.#client.send(requestType.INSERT, body, (reply) => this.#answered(write, reply));
  }

  #answered(write: StaleWrite, { error, message }: IprotoReply): void {
    write.answeredMs = performance.now();
    if (error === 0) write.outcome = 'acknowledged';
    else if (REFUSALS.has(error)) write.outcome = 'refused';
    else if (error !== errorNumber.TIMEOUT) this.surprises.push(`error ${error}: ${message}`);
  }
}

/** What an instance has of a round, or of all; also a follower is asked. */
export async function readRowKeys(
  client: IprotoClient,
  space: number,
  round?: number,
): Promise<ReadonlySet<string>> {
  const found = await client.request(requestType.SELECT, [
    [key.SPACE_ID, space],
    [key.INDEX_ID, 0],
    [key.LIMIT, 10_000_000],
    [key.ITERATOR, 0],
    [key.KEY, round === undefined ? [] : [round]],
  ]);
  return new Set((found as readonly RowKey[]).map((row) => row.join('-')));
}
