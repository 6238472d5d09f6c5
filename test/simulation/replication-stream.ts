/**
 * What instances tell each other, seen on the wire and where it arrives: whoever says a position together with the
 * promise of a term has that promise on its disk, and rows that come in the name of a leader are that leader's. Answers
 * come a second time, late and out of order, too: none of them may change anything.
 */
import {
  type PullAnswer,
  type PullRequest,
  promiseAnswerSchema,
  pullAnswerSchema,
  pullRequestSchema,
} from '../../runtime/src/core/replication/messages.ts';
import type { Clock } from '../../runtime/src/foundation/clock.ts';
import type { StorageService } from '../../runtime/src/services/storage-service.ts';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import type { SimulatedDisk } from '../../runtime/src/testing/simulated-disk.ts';
import type { Exchange } from '../../runtime/src/testing/simulated-peers.ts';

const LATE_MS_MAX = 300;
const LATE_KEPT = 8;

export interface StreamWatchOptions {
  readonly seed: number;
  readonly violate: (text: string) => void;
  readonly diskOf: (uuid: string) => SimulatedDisk | undefined;
}

export class StreamWatch {
  readonly #options: StreamWatchOptions;
  /** Of its own, so that what it does changes nothing of the faults of a seed. */
  readonly #random: SeededRandom;
  readonly #again: number;
  /** Batches that were given in a term, by their first row: the terms of their rows. */
  readonly #given = new Map<number, Map<number, number>>();
  late = 0;

  constructor(options: StreamWatchOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed + 0x5ca1e);
    this.#again = this.#random.pick([0, 0.05, 0.3]);
  }

  /** Sees an answer when it is made. */
  answered({ to, method, body, answer }: Exchange): void {
    if (method === 'leadership.promise') this.#promised(to, answer);
    if (method !== 'replication.pull') return;
    const { term } = pullRequestSchema.parse(body);
    const rows = pullAnswerSchema.parse(answer);
    if (rows.kind !== 'rows') return;
    const given = this.#given.get(term) ?? new Map<number, number>();
    this.#given.set(term, given);
    for (const batch of rows.batches) given.set(batch.firstSequence, batch.term);
  }

  /** Sees what a follower takes; `clock` is that of its process. */
  follow(uuid: string, storage: StorageService, clock: Clock): void {
    const receive = storage.receive.bind(storage);
    const recent: (readonly [PullRequest, PullAnswer])[] = [];
    const again = async (): Promise<void> => {
      const [request, answer] = this.#random.pick(recent);
      await clock.sleep(this.#random.fraction() * LATE_MS_MAX);
      this.late += 1;
      this.#received(uuid, answer, await receive(request, answer));
    };
    storage.receive = async (request, answer) => {
      recent.push([request, answer]);
      if (recent.length > LATE_KEPT) recent.shift();
      // That its process has ended meanwhile is no matter.
      if (this.#random.chance(this.#again)) again().catch(() => undefined);
      const isReceived = await receive(request, answer);
      this.#received(uuid, answer, isReceived);
      return isReceived;
    };
  }

  #promised(uuid: string, answer: unknown): void {
    const { promisedTerm } = promiseAnswerSchema.parse(answer);
    const bytes = this.#options.diskOf(uuid)?.peek('promised.json');
    const text = new TextDecoder().decode(bytes);
    const record = (bytes === undefined ? {} : JSON.parse(text)) as { promisedTerm?: number };
    if ((record.promisedTerm ?? 0) >= promisedTerm) return;
    this.#options.violate(
      `${uuid} told its position before its promise of ${promisedTerm} was durable`,
    );
  }

  #received(uuid: string, answer: PullAnswer, isReceived: boolean): void {
    if (!isReceived || answer.kind !== 'rows') return;
    const given = this.#given.get(answer.term);
    const strange = answer.batches.find(
      ({ firstSequence, term }) => given?.get(firstSequence) !== term,
    );
    if (strange === undefined) return;
    const { firstSequence, term } = strange;
    this.#options.violate(
      `${uuid} took row ${firstSequence} of term ${term}, which no leader of ${answer.term} gave`,
    );
  }
}
