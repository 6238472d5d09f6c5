/** The user sections that a Cluster asks for: those of `configFrom` in their order, and over them those of `config`. */
import type { Json } from '@tonearm/runtime/contract';
import { SYSTEM_SECTIONS } from '../api/names.ts';
import { toJson } from './config-draft.ts';
import type { ClusterSnapshot } from './snapshot.ts';
import type { Reason } from './verdict.ts';

export interface WantedSections {
  readonly kind: 'sections';
  readonly sections: Readonly<Record<string, Json>>;
}

export function wantedSections(
  snapshot: Pick<ClusterSnapshot, 'cluster' | 'configSources'>,
): WantedSections | ({ readonly kind: 'unusable' } & Reason) {
  const sections = new Map<string, Json>();
  for (const source of snapshot.configSources) {
    if (source.kind === 'unusable') {
      return {
        kind: 'unusable',
        reason: 'ConfigSourceUnusable',
        message: `spec.configFrom: ${source.name} ${source.reason}`,
      };
    }
    const taken = Object.keys(source.sections).find((name) => isSystemSection(name));
    if (taken !== undefined) {
      return {
        kind: 'unusable',
        reason: 'SectionReserved',
        message: `spec.configFrom: ${source.name} has the key ${taken}, a section that belongs to the system: use the fields of the Cluster.`,
      };
    }
    for (const [name, value] of Object.entries(source.sections)) sections.set(name, value);
  }
  const own = Object.entries(snapshot.cluster.spec.config ?? {});
  // The schema refuses the plain names; with an extension they come as far as this.
  const taken = own.find(([name]) => isSystemSection(name));
  if (taken !== undefined) {
    return {
      kind: 'unusable',
      reason: 'SectionReserved',
      message: `spec.config: ${taken[0]} is a section that belongs to the system: use the fields of the Cluster.`,
    };
  }
  for (const [name, value] of own) {
    sections.set(plainName(name), toJson(value));
  }
  // A section without a value is none.
  const present = [...sections].filter(([, value]) => value !== null);
  return { kind: 'sections', sections: Object.fromEntries(present) };
}

/** What the status must record before the change: sections of now, and of before until they are gone. */
export function managedSections(snapshot: ClusterSnapshot): readonly string[] {
  const wanted = wantedSections(snapshot);
  const recorded = snapshot.cluster.status?.managedSections ?? [];
  if (wanted.kind === 'unusable') return recorded;
  const { config } = snapshot;
  // While nobody tells the config, nothing is known to be gone from it.
  const left = recorded.filter((name) => !config || config.sections[name] !== undefined);
  return [...new Set([...Object.keys(wanted.sections), ...left])].toSorted();
}

function isSystemSection(name: string): boolean {
  return SYSTEM_SECTIONS.some((system) => system === plainName(name));
}

function plainName(name: string): string {
  return name.endsWith('.yml') ? name.slice(0, -'.yml'.length) : name;
}
