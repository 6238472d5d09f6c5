/**
 * Passwords in the config: shown as a mask, and a mask that is sent back stands for the stored one (FO-18).
 *
 * There is one: that of the state provider. Works on sections as they are, because they may come from outside.
 */
import type { ClusterConfig, Sections } from '../../contract/cluster-config.ts';
import type { Json } from '../../contract/json.ts';
import type { ConfigPatch } from '../../contract/two-phase.ts';

export const MASK = '******';

const PATH = ['failover', 'state_provider', 'password'] as const;

/** For people: without the passwords. */
export function withoutSecrets(config: ClusterConfig): ClusterConfig {
  const topology = config.sections['topology'];
  const password = valueAt(topology);
  if (topology === undefined || typeof password !== 'string' || password === '') return config;
  return { ...config, sections: { ...config.sections, topology: withPassword(topology, MASK) } };
}

/** A mask without a stored password stays one: validation refuses it. */
export function withStoredSecrets(patch: ConfigPatch, sections: Sections): ConfigPatch {
  const topology = patch['topology'];
  const stored = valueAt(sections['topology']);
  if (topology === undefined || topology === null || valueAt(topology) !== MASK) return patch;
  if (typeof stored !== 'string') return patch;
  return { ...patch, topology: withPassword(topology, stored) };
}

function valueAt(section: Json | undefined): Json | undefined {
  return PATH.reduce<Json | undefined>((value, name) => fieldsOf(value)[name], section);
}

function withPassword(topology: Json, password: string): Json {
  const fields = fieldsOf(topology);
  const failover = fieldsOf(fields['failover']);
  const provider = { ...fieldsOf(failover['state_provider']), password };
  return { ...fields, failover: { ...failover, state_provider: provider } };
}

function fieldsOf(value: Json | undefined): Readonly<Record<string, Json>> {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isMap ? (value as Readonly<Record<string, Json>>) : {};
}
