/**
 * The zones of the nodes on which instances run, as the label `topology.kubernetes.io/zone` tells them.
 *
 * Nodes belong to the whole cluster, so it takes a right that operators of one namespace do not have: nothing is read
 * unless that is asked for, and without the right zones are unknown. A node keeps its zone, so it is seldom asked again.
 */
import type { Clock, Logger } from '@tonearm/runtime/foundation';
import { RESOURCES } from '../api/resources.ts';
import { type Kube, KubeError } from '../ports/kube.ts';

export interface NodeZonesOptions {
  readonly kube: Pick<Kube, 'get'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Known {
  readonly zone: string | undefined;
  readonly untilMs: number;
}

const ZONE_LABEL = 'topology.kubernetes.io/zone';
const KEPT_MS = 10 * 60_000;
const FORBIDDEN = 403;

export class NodeZones {
  readonly #options: NodeZonesOptions;
  readonly #known = new Map<string, Known>();

  constructor(options: NodeZonesOptions) {
    this.#options = options;
  }

  /** Of those that have one, by the name of the node; throws what the API server throws, except that it refuses. */
  async of(nodes: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const zones = new Map<string, string>();
    for (const node of new Set(nodes)) {
      const zone = node === '' ? undefined : await this.#zoneOf(node);
      if (zone !== undefined) zones.set(node, zone);
    }
    return zones;
  }

  async #zoneOf(node: string): Promise<string | undefined> {
    const nowMs = this.#options.clock.monotonicMs();
    const known = this.#known.get(node);
    if (known !== undefined && nowMs < known.untilMs) return known.zone;
    const zone = await this.#read(node);
    this.#known.set(node, { zone, untilMs: nowMs + KEPT_MS });
    return zone;
  }

  async #read(node: string): Promise<string | undefined> {
    const { kube, logger } = this.#options;
    try {
      const found = await kube.get(RESOURCES.nodes, { name: node });
      return found?.metadata.labels?.[ZONE_LABEL];
    } catch (error) {
      if (!(error instanceof KubeError) || error.status !== FORBIDDEN) throw error;
      logger.warn({ node }, 'nodes may not be read: set nodeZones in the values of the chart');
      return undefined;
    }
  }
}
