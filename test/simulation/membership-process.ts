/** One process of an instance that gossips: it can be killed, paused, and started again somewhere else. */
import type { GossipEntry } from '../../runtime/src/core/membership/entry.ts';
import { silentLogger } from '../../runtime/src/foundation/logger.ts';
import { TaskRegistry } from '../../runtime/src/foundation/task-registry.ts';
import type { Datagrams } from '../../runtime/src/ports/datagrams.ts';
import { MembershipService } from '../../runtime/src/services/membership-service.ts';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import type { SimulatedClock } from '../../runtime/src/testing/simulated-clock.ts';
import type { SimulatedDatagramNetwork } from '../../runtime/src/testing/simulated-datagrams.ts';
import { Gate, gatedClock } from './gate.ts';
import { type MembershipBug, withBug } from './membership-bugs.ts';

export const CLUSTER = '00000000-0000-4000-8000-0000000000cc';
export const SUSPECT_TIMEOUT_MS = 2000;

export interface MembershipProcessOptions {
  readonly uri: string;
  readonly all: readonly string[];
  /** Of the process; 1 again when the disk was lost. */
  readonly incarnation: number;
  /** Tells its starts apart, whatever their incarnations are. */
  readonly start: string;
  readonly clock: SimulatedClock;
  readonly random: SeededRandom;
  readonly network: SimulatedDatagramNetwork;
  readonly bug: MembershipBug | undefined;
  readonly onChange: (process: MembershipProcess) => void;
  readonly onFailure: (error: unknown) => void;
}

export class MembershipProcess {
  readonly uri: string;
  readonly start: string;
  readonly service: MembershipService;
  readonly gate = new Gate();
  hasLeft = false;
  readonly #datagrams: Datagrams;

  constructor(options: MembershipProcessOptions) {
    const { uri, all, clock, random, network, bug } = options;
    this.uri = uri;
    this.start = options.start;
    this.#datagrams = this.#gated(network.bind(uri));
    this.service = new MembershipService({
      ...{ uri, incarnation: options.incarnation, clusterUuid: CLUSTER, random },
      clock: gatedClock(clock, this.gate),
      logger: silentLogger,
      datagrams: withBug({
        ...{ uri, bug, datagrams: this.#datagrams },
        known: (of) => this.service.entries().find((entry) => entry.uri === of),
      }),
    });
    this.service.onChange(() => options.onChange(this));
    this.service.setPayload('start', options.start);
    this.service.configure(all, SUSPECT_TIMEOUT_MS);
    const tasks = new TaskRegistry(silentLogger, (_name, error) => options.onFailure(error));
    tasks.run('gossip', (signal) => this.service.run(signal));
  }

  get isRunning(): boolean {
    return this.gate.isOpen && !this.hasLeft;
  }

  entries(): readonly GossipEntry[] {
    return this.service.entries();
  }

  kill(): void {
    this.gate.kill();
    this.#datagrams.close().catch(() => undefined);
  }

  /** In order: it says goodbye, and is no more. */
  async leave(): Promise<void> {
    this.hasLeft = true;
    await this.service.leave();
    this.kill();
  }

  /** What comes while it is paused waits in the socket. */
  #gated(datagrams: Datagrams): Datagrams {
    return {
      send: (to, bytes) => datagrams.send(to, bytes),
      forget: (to) => datagrams.forget(to),
      close: () => datagrams.close(),
      onDatagram: (listener) => {
        datagrams.onDatagram((bytes, from) => {
          if (this.gate.isOpen) return listener(bytes, from);
          this.gate.pass().then(
            () => listener(bytes, from),
            () => undefined,
          );
        });
      },
    };
  }
}
