/**
 * How long the main loop of an instance stands still at most while it does what takes long: seen from within, and by
 * another process that pings its binary port every millisecond.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { buildLeader } from './build-target.ts';
import { describe, type Session } from './session.ts';
import type { Subject } from './subject.ts';
import type { Tonearm } from './targets/tonearm.ts';

export interface Pause {
  readonly during: string;
  readonly seconds: number;
  readonly loopMaxMs: number;
  readonly loopP999Ms: number;
  /** Null where nobody pings. */
  readonly pingMaxMs: number | null;
  readonly pingP999Ms: number | null;
}

/** What went before is over, and what is measured has been seen, after so long. */
const SETTLE_MS = 100;
const FOLLOWER = 1;
const seenSchema = z.object({ maxMs: z.number(), p999Ms: z.number() });
type Seen = z.infer<typeof seenSchema>;

export async function runPauses(session: Session): Promise<readonly Pause[]> {
  const target = await buildLeader(session, 'pauses-application.ts');
  const subject = await session.open(target);
  if (subject === undefined) return [];
  await subject.load(session.options.rows);
  const pinger = new Pings(target.address.port);
  try {
    return await new Measurement(session, subject, target, pinger).run();
  } finally {
    pinger.stop();
    await session.close(subject);
  }
}

class Measurement {
  readonly #session: Session;
  readonly #subject: Subject;
  readonly #target: Tonearm;
  readonly #pings: Pings;
  readonly #found: Pause[] = [];

  constructor(session: Session, subject: Subject, target: Tonearm, pings: Pings) {
    this.#session = session;
    this.#subject = subject;
    this.#target = target;
    this.#pings = pings;
  }

  async run(): Promise<readonly Pause[]> {
    const { seconds, rows } = this.#session.options;
    const idle = (): Promise<void> => delay(seconds * 1000);
    const write = async (): Promise<void> => {
      await this.#subject.measure({ operation: 'insert', connections: 4, depth: 4 }, seconds);
    };
    const snapshot = (): Promise<void> => this.#target.snapshot();
    const ask = async (url: string, body: unknown = {}): Promise<void> => {
      await this.#target.request('POST', url, body);
    };
    await this.#during('nothing', idle);
    await this.#during('writes, the log going on in new files', write);
    await this.#during('a snapshot', snapshot);
    await this.#during('a snapshot with writes, and old log removed', () => both(snapshot, write));
    await this.#during('a count', () => ask('/bench/count'));
    await this.#during('a select of 100000 rows by a role', () => ask('/bench/select'));
    await this.#during('a new unique index', () => ask('/bench/index'));
    for (const how of ['drop', 'truncate'] as const) {
      const what = `${how} of a space`;
      if (this.#isWanted(what)) await ask('/bench/fill', { rows });
      await this.#during(what, () => ask('/bench/end', { how }));
    }
    await this.#during('a join served', () => this.#target.addFollowers());
    if (this.#isWanted('a join served')) {
      this.#add('loading by a follower that joins', 0, await this.#seen(FOLLOWER), undefined);
    }
    return this.#found;
  }

  /** What fails is left out, with a note. */
  async #during(what: string, work: () => Promise<unknown>): Promise<void> {
    if (!this.#isWanted(what)) return;
    await delay(SETTLE_MS);
    await this.#seen();
    await this.#pings.reset();
    const beganAtMs = performance.now();
    try {
      await work();
      await delay(SETTLE_MS);
      const seconds = (performance.now() - beganAtMs - SETTLE_MS) / 1000;
      this.#add(what, seconds, await this.#seen(), await this.#pings.report());
    } catch (error) {
      this.#session.note(`${what} was not measured: ${describe(error)}`);
    }
  }

  #isWanted(what: string): boolean {
    const { only } = this.#session.options;
    return only.length === 0 || only.some((text) => what.includes(text));
  }

  #add(during: string, seconds: number, loop: Seen, pings: Seen | undefined): void {
    this.#found.push({
      ...{ during, seconds, loopMaxMs: loop.maxMs, loopP999Ms: loop.p999Ms },
      pingMaxMs: pings?.maxMs ?? null,
      pingP999Ms: pings?.p999Ms ?? null,
    });
    this.#session.say(`${during}: ${loop.maxMs.toFixed(1)} ms`);
  }

  async #seen(instance = 0): Promise<Seen> {
    return seenSchema.parse(await this.#target.request('POST', '/bench/pauses', {}, instance));
  }
}

class Pings {
  readonly #child: ChildProcess;

  constructor(port: number) {
    this.#child = fork(path.join(import.meta.dirname, 'pinger.ts'), [String(port)]);
  }

  async reset(): Promise<void> {
    await this.#tell('reset');
  }

  async report(): Promise<Seen> {
    return seenSchema.parse(await this.#tell('report'));
  }

  stop(): void {
    this.#child.disconnect();
  }

  async #tell(what: string): Promise<unknown> {
    const answered = once(this.#child, 'message');
    this.#child.send(what);
    const [answer] = (await answered) as [unknown];
    return answer;
  }
}

async function both(one: () => Promise<unknown>, other: () => Promise<unknown>): Promise<void> {
  await Promise.all([one(), other()]);
}
