/** Asks one running container again and again: first whether it has started, then whether it lives and is ready. */
import type { Clock } from '@tonearm/runtime/foundation';
import type { NodeEvent } from '../event-recorder.ts';
import type { Container, LocalPorts, Probe } from '../objects.ts';
import { portKey } from '../objects.ts';
import { probeHttp } from './http-probe.ts';
import { nextProbeDelayMs, type ProbeState, recordAnswer, UNPROBED } from './probe-state.ts';

export interface ProbesSubject {
  readonly container: Container;
  readonly ports: LocalPorts;
  readonly clock: Clock;
  /** Called when the container must be ended, because it did not start or does not live. */
  onCondemned(): void;
}

export interface ProbesVerdict {
  readonly isStarted: boolean;
  readonly isReady: boolean;
  readonly event?: NodeEvent;
}

type Report = (verdict: ProbesVerdict) => void;

export class ContainerProbes {
  readonly #subject: ProbesSubject;
  readonly #startedMs: number;
  readonly #stop = new AbortController();
  #failedMs: number | undefined;

  constructor(subject: ProbesSubject) {
    this.#subject = subject;
    this.#startedMs = subject.clock.monotonicMs();
  }

  /** The time by which a container whose probe failed must have ended; nothing for one that is well. */
  condemned(graceMs: number): number | undefined {
    return this.#failedMs === undefined ? undefined : this.#failedMs + graceMs;
  }

  stop(): void {
    this.#stop.abort();
  }

  async run(report: Report): Promise<void> {
    const { startupProbe, livenessProbe, readinessProbe } = this.#subject.container;
    if (startupProbe?.httpGet !== undefined) await this.#untilStarted(startupProbe, report);
    if (this.#isOver()) return;
    if (readinessProbe?.httpGet === undefined) report({ isStarted: true, isReady: true });
    else report({ isStarted: true, isReady: false });
    await Promise.all([
      readinessProbe?.httpGet === undefined ? undefined : this.#whileReady(readinessProbe, report),
      livenessProbe?.httpGet === undefined ? undefined : this.#whileAlive(livenessProbe, report),
    ]);
  }

  #isOver(): boolean {
    return this.#stop.signal.aborted || this.#failedMs !== undefined;
  }

  async #untilStarted(probe: Probe, report: Report): Promise<void> {
    await this.#repeat(probe, (state, message) => {
      if (state.outcome !== 'failing') return state.outcome === 'passing';
      report({ isStarted: false, isReady: false, event: unhealthy('Startup', message) });
      this.#condemn();
      return true;
    });
  }

  async #whileAlive(probe: Probe, report: Report): Promise<void> {
    await this.#repeat(probe, (state, message) => {
      if (state.outcome !== 'failing') return false;
      report({ isStarted: true, isReady: false, event: unhealthy('Liveness', message) });
      this.#condemn();
      return true;
    });
  }

  async #whileReady(probe: Probe, report: Report): Promise<void> {
    let wasReady = false;
    await this.#repeat(probe, (state, message) => {
      const isReady = state.outcome === 'passing';
      if (isReady !== wasReady) {
        const event = isReady ? {} : { event: unhealthy('Readiness', message) };
        report({ isStarted: true, isReady, ...event });
      }
      wasReady = isReady;
      return false;
    });
  }

  /** Asks until `isDone` says so, or the container is over. */
  async #repeat(
    probe: Probe,
    isDone: (state: ProbeState, message: string) => boolean,
  ): Promise<void> {
    const { clock } = this.#subject;
    const { signal } = this.#stop;
    let state = UNPROBED;
    await this.#sleep((probe.initialDelaySeconds ?? 0) * 1000);
    while (!this.#isOver()) {
      const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
      const target = { port: this.#portOf(probe), path: probe.httpGet?.path ?? '/', timeoutMs };
      const answer = await probeHttp(target, signal);
      if (this.#isOver()) return;
      const nowMs = clock.monotonicMs();
      state = recordAnswer(state, { isOk: answer.isOk, nowMs }, probe);
      if (isDone(state, answer.message)) return;
      await this.#sleep(nextProbeDelayMs(state, probe, nowMs - this.#startedMs));
    }
  }

  #portOf(probe: Probe): number {
    const { container, ports } = this.#subject;
    const wanted = probe.httpGet?.port;
    const declared = container.ports?.find(
      (port) => port.name === wanted || port.containerPort === wanted,
    );
    return (declared === undefined ? undefined : ports[portKey(declared)]) ?? Number(wanted);
  }

  #condemn(): void {
    this.#failedMs = this.#subject.clock.monotonicMs();
    this.#subject.onCondemned();
  }

  async #sleep(delayMs: number): Promise<void> {
    try {
      await this.#subject.clock.sleep(delayMs, this.#stop.signal);
    } catch {
      // Stopped: the caller looks.
    }
  }
}

function unhealthy(kind: string, message: string): NodeEvent {
  return { type: 'Warning', reason: 'Unhealthy', message: `${kind} probe failed: ${message}` };
}
