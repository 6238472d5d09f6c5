/**
 * Gossip under faults: clusters of 3 to 12 instances, on a network that loses, delays and repeats datagrams, with cuts,
 * killed and paused processes, and such that come back at another address, with or without their disk.
 *
 * While the network is calm, nobody thinks worse of a running instance, even where a single link is broken; who was
 * killed is dead for everybody within a bound. When all faults have ended, everybody agrees on the truth within a bound
 * and stays with it.
 */
import type { GossipEntry } from '../../runtime/src/core/membership/entry.ts';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { SimulatedClock } from '../../runtime/src/testing/simulated-clock.ts';
import {
  CALM_DATAGRAMS,
  SimulatedDatagramNetwork,
} from '../../runtime/src/testing/simulated-datagrams.ts';
import type { MembershipBug } from './membership-bugs.ts';
import { MembershipProcess, SUSPECT_TIMEOUT_MS } from './membership-process.ts';
import type { Scenario, ScenarioRun } from './scenario.ts';

const SETTLE_MS = 3000;
const CUT_MS = 6000;
const FAULTS_MS = 20_000;
const STAYS_MS = 5000;
const PERIOD_MS = 1000;

class World {
  readonly clock = new SimulatedClock({ isAlone: true });
  readonly random: SeededRandom;
  readonly network: SimulatedDatagramNetwork;
  readonly uris: readonly string[];
  readonly processes = new Map<string, MembershipProcess>();
  readonly violations: string[] = [];
  readonly trace: string[] = [];
  readonly counts: Record<string, number> = {};
  /** No fault but a broken link, and no process that is paused. */
  isCalm = true;
  readonly #bug: MembershipBug | undefined;
  readonly #starts = new Map<string, number>();
  readonly #incarnations = new Map<string, number>();
  /** Starts that came with a disk, or that all have agreed on: nothing that was said before is as new as they. */
  readonly #certain = new Set<string>();
  readonly #seen = new Map<string, string>();

  constructor(seed: number, bug: MembershipBug | undefined) {
    this.random = new SeededRandom(seed);
    this.#bug = bug;
    const { clock, random } = this;
    this.network = new SimulatedDatagramNetwork({ clock, random });
    const size = 3 + random.integer(10);
    this.uris = Array.from({ length: size }, (_, index) => `instance-${index}.test:3301`);
  }

  /** Every round of questions of each instance is over, and what came of it has spread. */
  get boundMs(): number {
    return 2 * this.uris.length * PERIOD_MS + SUSPECT_TIMEOUT_MS + 4 * PERIOD_MS;
  }

  get running(): readonly MembershipProcess[] {
    return [...this.processes.values()].filter(({ isRunning }) => isRunning);
  }

  note(line: string): void {
    this.trace.push(`${this.clock.monotonicMs().toFixed(0)} ${line}`);
  }

  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  violate(what: string): void {
    this.violations.push(`at ${this.clock.monotonicMs().toFixed(0)} ms: ${what}`);
  }

  start(uri: string, hasDisk = true): void {
    const starts = (this.#starts.get(uri) ?? 0) + 1;
    const incarnation = hasDisk ? (this.#incarnations.get(uri) ?? 0) + 1 : 1;
    this.#starts.set(uri, starts);
    this.#incarnations.set(uri, incarnation);
    this.note(`${uri} starts, incarnation ${incarnation}`);
    if (hasDisk) this.#certain.add(`${uri}#${starts}`);
    const { clock, random, network, uris } = this;
    const process = new MembershipProcess({
      ...{ uri, incarnation, clock, random, network, all: uris, bug: this.#bug },
      start: `${uri}#${starts}`,
      onChange: (changed) => this.#changed(changed),
      onFailure: (error) => this.violate(String(error)),
    });
    this.processes.set(uri, process);
  }

  kill(uri: string): void {
    this.note(`${uri} is killed`);
    this.count('killed');
    this.processes.get(uri)?.kill();
  }

  /** What keeps everybody's view from being the truth; undefined when nothing does. */
  disagreement(): string | undefined {
    for (const viewer of this.running) {
      if (viewer.entries().length !== this.uris.length) return `${viewer.uri} misses somebody`;
      for (const entry of viewer.entries()) {
        const [view, truth] = this.#compare(entry);
        if (view !== truth) return `${viewer.uri} thinks of ${entry.uri}: ${view}; it is ${truth}`;
      }
    }
    return undefined;
  }

  #compare({ uri, status, payload }: GossipEntry): readonly [string, string] {
    const process = this.processes.get(uri);
    const truth = process?.isRunning === true ? 'alive' : 'dead';
    // A goodbye may go to where nobody is any more: then it is missed like anybody else.
    const view = process?.hasLeft === true && status === 'left' ? 'dead' : status;
    return [`${view}, ${payload['start'] ?? ''}`, `${truth}, ${process?.start ?? ''}`];
  }

  /** All agree with the truth within the bound. */
  async agree(what: string): Promise<void> {
    const endMs = this.clock.monotonicMs() + this.boundMs;
    while (this.disagreement() !== undefined && this.clock.monotonicMs() < endMs)
      await this.clock.sleep(50);
    const why = this.disagreement();
    if (why !== undefined) this.violate(`${what}: ${why}`);
    for (const { start } of this.running) this.#certain.add(start);
    this.note(`agreed: ${what}`);
  }

  #changed(viewer: MembershipProcess): void {
    for (const { uri, status, incarnation, payload } of viewer.entries()) {
      const key = `${viewer.uri}|${uri}`;
      const view = `${status} ${incarnation}`;
      if (this.#seen.get(key) === view) continue;
      this.#seen.set(key, view);
      if (viewer.uri === uri) continue;
      this.note(`${viewer.uri} sees ${uri} ${view}`);
      this.count(status);
      const process = this.processes.get(uri);
      const isTold =
        process?.isRunning === true &&
        payload['start'] === process.start &&
        this.#certain.has(process.start);
      if (this.isCalm && isTold && status !== 'alive')
        this.violate(`${viewer.uri} takes ${uri}, which runs and is reached, for ${status}`);
    }
  }

  // Faults.

  async calm(): Promise<void> {
    await this.agree('all have started');
    const [a = '', b = ''] = this.#some(2);
    this.note(`the link between ${a} and ${b} is broken`);
    if (this.random.chance(0.5)) this.network.cut(a, b);
    else this.network.cutOneWay(a, b);
    await this.clock.sleep(CUT_MS);
    this.network.healCuts();
    const [victim = ''] = this.#some(1);
    this.kill(victim);
    // It may be back before anybody has missed it.
    if (this.random.chance(0.7)) await this.agree('one was killed');
    else await this.clock.sleep(this.random.fraction() * 2000);
    this.start(victim, this.random.chance(0.7));
    await this.agree('one came back');
  }

  async faults(): Promise<void> {
    this.isCalm = false;
    const { random, clock } = this;
    this.network.faults = {
      latencyMinMs: 1,
      latencyMaxMs: 5 + random.fraction() * 150,
      loss: random.fraction() * 0.4,
      duplicate: random.fraction() * 0.2,
      heldBack: random.fraction() * 0.2,
    };
    const endMs = clock.monotonicMs() + FAULTS_MS;
    while (clock.monotonicMs() < endMs) {
      await clock.sleep(random.fraction() * 3000);
      const [a = '', b = ''] = this.#some(2);
      const forMs = random.fraction() * 8000;
      const happens = random.pick(['kill', 'kill', 'pause', 'cut', 'one way', 'part', 'leave']);
      this.note(`${happens}: ${a}, ${b} for ${forMs.toFixed(0)}`);
      this.count(happens);
      this.#happen(happens, [a, b], forMs);
    }
  }

  #happen(what: string, [a, b]: readonly [string, string], forMs: number): void {
    const process = this.processes.get(a);
    if (what === 'cut') this.network.cut(a, b);
    else if (what === 'one way') this.network.cutOneWay(a, b);
    else if (what === 'part') this.#part(forMs);
    else if (process?.isRunning !== true) return;
    else if (what === 'pause') {
      process.gate.pause();
      this.#after(forMs, () => process.gate.resume());
    } else {
      if (what === 'kill') this.kill(a);
      else process.leave().catch((error: unknown) => this.violate(String(error)));
      const hasDisk = this.random.chance(0.7);
      this.#after(forMs, () => this.processes.get(a) === process && this.start(a, hasDisk));
    }
  }

  #part(forMs: number): void {
    const sides = this.uris.map((uri) => [uri, this.random.chance(0.5)] as const);
    for (const [a, side] of sides) {
      for (const [b, other] of sides) if (side !== other) this.network.cut(a, b);
    }
    this.#after(forMs, () => this.network.healCuts());
  }

  #after(delayMs: number, happen: () => void): void {
    this.clock.sleep(delayMs).then(
      () => {
        if (!this.isCalm) happen();
      },
      () => undefined,
    );
  }

  /** All faults end; some processes end with them. */
  async heal(): Promise<void> {
    this.network.faults = CALM_DATAGRAMS;
    this.network.healCuts();
    for (const uri of this.uris) {
      const process = this.processes.get(uri);
      process?.gate.resume();
      if (process?.isRunning !== true) this.start(uri, this.random.chance(0.7));
    }
    // Questions of before are still without an answer.
    await this.clock.sleep(2 * PERIOD_MS);
    await this.agree('all faults have ended');
    this.isCalm = true;
    const [dead = '', leaving = ''] = this.#some(2);
    this.kill(dead);
    if (this.random.chance(0.5)) {
      this.note(`${leaving} leaves`);
      await this.processes.get(leaving)?.leave();
    }
    await this.agree('some have gone');
    await this.clock.sleep(STAYS_MS);
    const why = this.disagreement();
    if (why !== undefined) this.violate(`they do not stay with the truth: ${why}`);
  }

  #some(count: number): readonly string[] {
    const left = [...this.uris];
    return Array.from({ length: count }, () => {
      const [uri = ''] = left.splice(this.random.integer(left.length), 1);
      return uri;
    });
  }
}

export function membershipScenario(bug?: MembershipBug): Scenario {
  return { name: 'membership', run: (seed) => run(seed, bug) };
}

async function run(seed: number, bug: MembershipBug | undefined): Promise<ScenarioRun> {
  const world = new World(seed, bug);
  const { clock, violations, trace, counts } = world;
  const story = async (): Promise<void> => {
    for (const uri of world.uris) {
      world.start(uri);
      await clock.sleep((world.random.fraction() * SETTLE_MS) / world.uris.length);
    }
    await world.calm();
    await world.faults();
    await world.heal();
  };
  const ended = new AbortController();
  story().then(
    () => ended.abort(),
    (error: unknown) => world.violate(String(error)),
  );
  while (!ended.signal.aborted && violations.length === 0) await clock.next();
  return { violations, trace, counts };
}
