/**
 * The life of one pod on this machine: give it ports and folders, start its process, watch it, start it again when
 * it ends, and let it go when the pod is deleted. A pod has one container.
 *
 * The pod's object is removed only after its processes have ended, so that two of one name never run at a time.
 */
import type { Clock } from '@tonearm/runtime/foundation';
import { equalJson } from '../../api/json.ts';
import type { EventRecorder, NodeEvent } from '../event-recorder.ts';
import { CONFIG_MAPS, type NodeApi, PODS, SECRETS } from '../node-api.ts';
import {
  isTerminating,
  type LocalPorts as LocalPortsByName,
  type Pod,
  portKey,
  type TerminatedState,
} from '../objects.ts';
import type { LocalPorts } from '../processes/local-ports.ts';
import type {
  HostedProcess,
  ProcessExit,
  ProcessHost,
  ProcessSpec,
} from '../processes/process-host.ts';
import { buildPodStatus, type ContainerView } from './build-pod-status.ts';
import { buildEnvironment } from './container-environment.ts';
import { ContainerProbes } from './container-probes.ts';
import { firstView, terminatedState } from './container-view.ts';
import type { Images } from './images.ts';
import {
  HTTP_ADDRESS_ANNOTATION,
  LOCAL_PORTS_ANNOTATION,
  localOverrides,
} from './local-address.ts';
import type { PodVolumes } from './pod-volumes.ts';
import { planRestart } from './restart-delay.ts';

export interface PodWorkerParts {
  readonly api: NodeApi;
  readonly events: EventRecorder;
  readonly host: ProcessHost;
  readonly images: Images;
  readonly volumes: PodVolumes;
  readonly ports: LocalPorts;
  readonly clock: Clock;
  readonly nodeName: string;
  logFile(pod: Pod): string;
}

/** What a container waits for mostly wakes it; a file that appears does not, so we look this often. */
const RETRY_AFTER_MS = 500;
const GRACE_SECONDS = 30;
/** Everything that matters wakes the watch; this bounds a timer. */
const WATCH_PERIOD_MS = 3_600_000;

type Launch =
  | { readonly kind: 'process'; readonly spec: ProcessSpec }
  | { readonly kind: 'blocked'; readonly reason: string; readonly message: string };

export class PodWorker {
  readonly #parts: PodWorkerParts;
  #pod: Pod;
  #view: ContainerView;
  #ports: LocalPortsByName = {};
  #crashesInARow = 0;
  /** Set once the pod is to end; the time by which its process must. */
  #endByMs: number | undefined;
  #isDeleted = false;
  #wake: () => void = () => undefined;

  constructor(parts: PodWorkerParts, pod: Pod) {
    this.#parts = parts;
    this.#pod = pod;
    this.#view = firstView(pod);
    this.notice(pod);
  }

  get uid(): string {
    return this.#pod.metadata.uid;
  }

  /** By name of the container port; empty until the pod has its ports. */
  get ports(): LocalPortsByName {
    return this.#ports;
  }

  /** Takes note of what became of the pod's object; nothing means that it is gone. */
  notice(pod: Pod | undefined): void {
    if (pod === undefined) {
      this.#isDeleted = true;
      this.#endWithin(0);
      return;
    }
    this.#pod = pod;
    // What a container waits for may have come.
    this.#wake();
    if (!isTerminating(pod)) return;
    this.#isDeleted = true;
    this.#endWithin(graceSecondsOf(pod) * 1000);
  }

  /** Ends the process but keeps the pod: the next start of the node runs it again. */
  stop(graceMs: number): void {
    this.#endWithin(graceMs);
  }

  /** Writes Secrets and ConfigMaps again, which may have changed. */
  renewVolumes(): void {
    if ('running' in this.#view.state) this.#parts.volumes.prepare(this.#pod);
  }

  /** Ends when the pod is gone or the node stops. */
  async run(): Promise<void> {
    if (!this.#isEnding()) await this.#moveIn();
    while (!this.#isEnding()) {
      const launch = this.#tryPlanLaunch();
      if (launch.kind === 'blocked') {
        this.#publish({ state: { waiting: { reason: launch.reason, message: launch.message } } });
        await this.#pause(RETRY_AFTER_MS);
      } else {
        await this.#runContainer(launch.spec);
      }
    }
    if (this.#isDeleted) this.#moveOut();
  }

  #isEnding(): boolean {
    return this.#endByMs !== undefined;
  }

  async #moveIn(): Promise<void> {
    const { api, ports, nodeName } = this.#parts;
    const { namespace, name } = this.#pod.metadata;
    // What an earlier run of the node said of this pod is no longer true.
    if (this.#pod.spec.nodeName !== undefined) this.#publish({});
    const local: Record<string, number> = {};
    for (const port of this.#pod.spec.containers[0]?.ports ?? []) {
      const key = portKey(port);
      local[key] = await ports.claim(`${namespace}/${name}/${key}`);
    }
    this.#ports = local;
    const pairs = Object.entries(local).map(([key, port]) => `${key}=${port}`);
    const annotations = {
      ...(local['http'] === undefined
        ? {}
        : { [HTTP_ADDRESS_ANNOTATION]: `127.0.0.1:${local['http']}` }),
      [LOCAL_PORTS_ANNOTATION]: pairs.join(','),
    };
    if (this.#isDeleted) return;
    const isNew = this.#pod.spec.nodeName === undefined;
    api.patch(PODS, this.#pod.metadata, {
      body: { metadata: { annotations }, spec: { nodeName } },
    });
    if (isNew) {
      const message = `Successfully assigned ${namespace}/${name} to ${nodeName}`;
      this.#record({ type: 'Normal', reason: 'Scheduled', message });
    }
    this.#publish({});
  }

  #tryPlanLaunch(): Launch {
    try {
      return this.#planLaunch();
    } catch (error) {
      // A full disk or a missing permission ends with its cause, and the pod waits for that.
      const message = error instanceof Error ? error.message : String(error);
      return this.#blocked('CreateContainerError', { reason: 'Failed', message });
    }
  }

  #planLaunch(): Launch {
    const { api, images, volumes } = this.#parts;
    const pod = this.#pod;
    const { namespace } = pod.metadata;
    const container = pod.spec.containers[0];
    if (container === undefined) {
      return { kind: 'blocked', reason: 'CreateContainerError', message: 'there is no container' };
    }
    const found = images.resolve(container.image);
    if (found.kind === 'unknown') {
      return this.#blocked('ErrImagePull', { reason: 'Failed', message: found.reason });
    }
    const prepared = volumes.prepare(pod);
    if (prepared.kind === 'incomplete') {
      const reason = 'FailedMount';
      return this.#blocked('ContainerCreating', { reason, message: prepared.reason });
    }
    const environment = buildEnvironment(container, {
      pod,
      folders: prepared.folders,
      overrides: localOverrides(this.#ports),
      secret: (name) => decoded(api.get(SECRETS, { namespace, name })?.data),
      configMap: (name) => api.get(CONFIG_MAPS, { namespace, name })?.data,
    });
    if (environment.kind === 'incomplete') {
      const event = { reason: 'Failed', message: environment.reason };
      return this.#blocked('CreateContainerConfigError', event);
    }
    const { image } = found;
    const [command = image.command, ...commandArgs] = container.command ?? [];
    const imageArgs = container.command === undefined ? image.args : commandArgs;
    const args = [...imageArgs, ...(container.args ?? [])];
    const logFile = this.#parts.logFile(pod);
    const { directory } = image;
    const spec = { command, args, environment: environment.variables, directory, logFile };
    return { kind: 'process', spec };
  }

  /** Says what is in the way, as an event only when it is something new. */
  #blocked(reason: string, event: { readonly reason: string; readonly message: string }): Launch {
    const { state } = this.#view;
    const isKnown = 'waiting' in state && state.waiting.message === event.message;
    if (!isKnown) this.#record({ type: 'Warning', ...event });
    return { kind: 'blocked', reason, message: event.message };
  }

  async #runContainer(spec: ProcessSpec): Promise<void> {
    const { clock, host } = this.#parts;
    const container = this.#pod.spec.containers[0];
    if (container === undefined) return;
    const startedAt = this.#now();
    const startedMs = clock.monotonicMs();
    if (this.#view.restartCount === 0) {
      const message = `Image "${container.image}" is the folder ${spec.directory}`;
      this.#record({ type: 'Normal', reason: 'Pulled', message });
    }
    const running = host.start(spec);
    const message = `Started container ${container.name}`;
    this.#record({ type: 'Normal', reason: 'Started', message });
    this.#publish({ state: { running: { startedAt } }, isReady: false, isStarted: false });
    const onCondemned = (): void => this.#wake();
    const probes = new ContainerProbes({ container, clock, ports: this.#ports, onCondemned });
    const watching = probes.run((verdict) => {
      if (verdict.event !== undefined) this.#record(verdict.event);
      if (!this.#isEnding()) this.#publish(verdict);
    });
    const exit = await this.#watch(running, probes);
    probes.stop();
    await watching;
    const ended = terminatedState(exit, { startedAt, finishedAt: this.#now() });
    await this.#afterExit(ended, clock.monotonicMs() - startedMs);
  }

  /** Waits for the process, and ends it when the pod ends or a probe has failed for good. */
  async #watch(running: HostedProcess, probes: ContainerProbes): Promise<ProcessExit> {
    const over = new AbortController();
    const exited = running.exited.finally(() => {
      over.abort();
      this.#wake();
    });
    let isAsked = false;
    while (!over.signal.aborted) {
      const endByMs = this.#endByMs ?? probes.condemned(graceSecondsOf(this.#pod) * 1000);
      if (endByMs === undefined) {
        await this.#pause(WATCH_PERIOD_MS);
        continue;
      }
      if (!isAsked) this.#askToEnd(running);
      isAsked = true;
      const leftMs = endByMs - this.#parts.clock.monotonicMs();
      if (leftMs <= 0) running.kill();
      await this.#pause(leftMs > 0 ? leftMs : RETRY_AFTER_MS);
    }
    return exited;
  }

  #askToEnd(running: HostedProcess): void {
    const name = this.#pod.spec.containers[0]?.name ?? '';
    this.#record({ type: 'Normal', reason: 'Killing', message: `Stopping container ${name}` });
    this.#publish({ isReady: false });
    running.terminate();
  }

  async #afterExit(ended: TerminatedState, ranForMs: number): Promise<void> {
    const down = { isReady: false, isStarted: false };
    if (this.#isEnding()) {
      this.#publish({ ...down, state: { terminated: ended } });
      return;
    }
    const restart = planRestart(this.#crashesInARow, ranForMs);
    this.#crashesInARow = restart.crashesInARow;
    this.#view = { ...this.#view, ...down, lastState: ended };
    if (restart.delayMs > 0) await this.#backOff(restart.delayMs);
    this.#view = { ...this.#view, restartCount: this.#view.restartCount + 1 };
  }

  async #backOff(delayMs: number): Promise<void> {
    const name = this.#pod.spec.containers[0]?.name ?? '';
    const message = `back-off ${delayMs / 1000}s restarting failed container=${name}`;
    this.#record({ type: 'Warning', reason: 'BackOff', message });
    this.#publish({ state: { waiting: { reason: 'CrashLoopBackOff', message } } });
    const untilMs = this.#parts.clock.monotonicMs() + delayMs;
    while (!this.#isEnding() && this.#parts.clock.monotonicMs() < untilMs) {
      await this.#pause(untilMs - this.#parts.clock.monotonicMs());
    }
  }

  #moveOut(): void {
    const { api, volumes } = this.#parts;
    volumes.removePod(this.#pod);
    api.delete(PODS, this.#pod, { gracePeriodSeconds: 0 });
  }

  #publish(change: Partial<ContainerView>): void {
    const { state = this.#view.state, lastState = this.#view.lastState } = change;
    const { restartCount, isStarted, isReady } = { ...this.#view, ...change };
    this.#view = { state, lastState, restartCount, isStarted, isReady };
    const stored = this.#parts.api.get(PODS, this.#pod.metadata);
    if (stored?.metadata.uid !== this.uid) return;
    const status = buildPodStatus(stored, this.#view, this.#now());
    if (equalJson(stored.status, status)) return;
    this.#parts.api.patch(PODS, stored.metadata, { body: { status }, subresource: 'status' });
  }

  #record(event: NodeEvent): void {
    this.#parts.events.record(this.#pod, event);
  }

  #endWithin(graceMs: number): void {
    const endByMs = this.#parts.clock.monotonicMs() + graceMs;
    this.#endByMs = Math.min(this.#endByMs ?? endByMs, endByMs);
    this.#wake();
  }

  /** Waits, but not past anything that asks for attention. */
  async #pause(delayMs: number): Promise<void> {
    const waiting = new AbortController();
    this.#wake = () => waiting.abort();
    try {
      await this.#parts.clock.sleep(delayMs, waiting.signal);
    } catch {
      // Woken up early.
    }
  }

  #now(): string {
    return this.#parts.clock
      .wallTime()
      .toISOString()
      .replace(/\.\d+Z$/, 'Z');
  }
}

function graceSecondsOf(pod: Pod): number {
  return (
    pod.metadata.deletionGracePeriodSeconds ??
    pod.spec.terminationGracePeriodSeconds ??
    GRACE_SECONDS
  );
}

function decoded(
  data: Readonly<Record<string, string>> | undefined,
): Record<string, string> | undefined {
  if (data === undefined) return undefined;
  const entries = Object.entries(data);
  return Object.fromEntries(
    entries.map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]),
  );
}
