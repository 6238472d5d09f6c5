/**
 * The cluster config in the working directory.
 *
 *     config/                 the active config, one file per section
 *     config.prepare/         the lock: change.json, and the wanted config in config/
 *     config.backup/          the config before the active one
 *     config.fetched/         a config fetched from a peer, on its way to become active
 *     config.decisions.json   what became of the last changes
 *     config.history/         the last 20 configs
 *
 * A folder is written under another name and renamed when it is whole, so what has its name is complete. The active
 * config is replaced by two renames: when a crash comes between them there is no `config/`, only a backup and a staged
 * one, and `load` finishes what had been decided.
 */
import { z } from 'zod';
import { type ClusterConfig, clusterConfigSchema } from '../contract/cluster-config.ts';
import { changeSchema } from '../contract/two-phase.ts';
import { META_FILE, parseConfigFiles, renderConfigFiles } from '../core/config/config-files.ts';
import { type KnownDecision, rememberDecision } from '../core/config/decisions.ts';
import type { Holdings, Lock } from '../core/config/participant-state.ts';
import { ClusterError } from '../core/errors.ts';
import type { Disk } from '../ports/disk.ts';

const ACTIVE = 'config';
const BACKUP = 'config.backup';
const PREPARE = 'config.prepare';
const PREPARED_CONFIG = `${PREPARE}/config`;
const CHANGE_FILE = 'change.json';
const FETCHED = 'config.fetched';
const TRASH = 'config.trash';
const DECISIONS = 'config.decisions.json';
const HISTORY = 'config.history';
const HISTORY_KEPT = 20;
const UNFINISHED = '.tmp';

const decisionsSchema = z.strictObject({
  v: z.literal(1),
  decisions: z.array(
    z.strictObject({
      changeId: z.string(),
      decision: z.enum(['commit', 'abort']),
      reason: z.string(),
      version: z.int().min(0),
    }),
  ),
});

const encoder = new TextEncoder();

export class ConfigStore {
  readonly #disk: Disk;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Settles what a crash left, and reads the rest. Throws `CONFIG_INVALID`, naming the section, for a corrupt file. */
  async load(): Promise<Holdings> {
    for (const folder of [`${PREPARE}${UNFINISHED}`, `${FETCHED}${UNFINISHED}`, TRASH]) {
      await this.#disk.remove(folder);
    }
    await this.#finishInstall();
    const active = await this.#readConfig(ACTIVE);
    const decisions = await this.#loadDecisions(active);
    if (active !== undefined) await this.#writeHistory(active);
    const lock = await this.#loadLock(active, decisions);
    return { active, lock, decisions };
  }

  async storeLock(lock: Lock): Promise<void> {
    const staged = `${PREPARE}${UNFINISHED}`;
    await this.#disk.remove(staged);
    await this.#writeConfig(`${staged}/config`, lock.next);
    await this.#disk.writeAtomic(`${staged}/${CHANGE_FILE}`, encodeJson(lock.change));
    await this.#disk.rename(staged, PREPARE);
  }

  /** Gone at once: a crash leaves the whole lock or none. */
  async releaseLock(): Promise<void> {
    if (await this.#exists(`${PREPARE}/${CHANGE_FILE}`)) await this.#disk.rename(PREPARE, TRASH);
    await this.#disk.remove(TRASH);
  }

  async installLock(config: ClusterConfig): Promise<void> {
    await this.#install(PREPARED_CONFIG);
    await this.#disk.remove(PREPARE);
    await this.#writeHistory(config);
  }

  async installFetched(config: ClusterConfig): Promise<void> {
    const staged = `${FETCHED}${UNFINISHED}`;
    await this.#disk.remove(staged);
    await this.#disk.remove(FETCHED);
    await this.#writeConfig(staged, config);
    await this.#disk.rename(staged, FETCHED);
    await this.#install(FETCHED);
    await this.#writeHistory(config);
  }

  async storeDecisions(decisions: readonly KnownDecision[]): Promise<void> {
    await this.#disk.writeAtomic(DECISIONS, encodeJson({ v: 1, decisions }));
  }

  /** The last configs, newest first. */
  async history(): Promise<readonly ClusterConfig[]> {
    const configs: ClusterConfig[] = [];
    for (const name of (await this.#disk.list(HISTORY)).toReversed()) {
      const file = `${HISTORY}/${name}`;
      const parsed = clusterConfigSchema.safeParse(await this.#readJson(file));
      if (!parsed.success) throw corrupt(file, 'it is not a config of this release');
      configs.push(parsed.data);
    }
    return configs;
  }

  async #install(staged: string): Promise<void> {
    if (await this.#exists(`${ACTIVE}/${META_FILE}`)) {
      await this.#disk.remove(BACKUP);
      await this.#disk.rename(ACTIVE, BACKUP);
    }
    await this.#disk.rename(staged, ACTIVE);
  }

  async #finishInstall(): Promise<void> {
    const hasActive = await this.#exists(`${ACTIVE}/${META_FILE}`);
    if (hasActive) {
      await this.#disk.remove(FETCHED);
      return;
    }
    // Without a backup there never was an active config: the lock waits for its first decision.
    if (!(await this.#exists(`${BACKUP}/${META_FILE}`))) return;
    for (const staged of [PREPARED_CONFIG, FETCHED]) {
      if (await this.#exists(`${staged}/${META_FILE}`)) {
        await this.#disk.rename(staged, ACTIVE);
        return;
      }
    }
    throw corrupt(ACTIVE, `it is missing, and only ${BACKUP} is left; copy that to ${ACTIVE}`);
  }

  async #loadDecisions(active: ClusterConfig | undefined): Promise<readonly KnownDecision[]> {
    const raw = await this.#readJson(DECISIONS);
    const parsed = decisionsSchema.safeParse(raw ?? { v: 1, decisions: [] });
    if (!parsed.success) throw corrupt(DECISIONS, 'it is not a list of decisions of this release');
    const { decisions } = parsed.data;
    if (active === undefined) return decisions;
    const { changeId, version } = active.meta;
    if (decisions.some((known) => known.changeId === changeId)) return decisions;
    // The crash came after the installation and before it was noted.
    const committed = { changeId, decision: 'commit', reason: 'it is installed', version } as const;
    return rememberDecision(decisions, committed);
  }

  async #loadLock(
    active: ClusterConfig | undefined,
    decisions: readonly KnownDecision[],
  ): Promise<Lock | undefined> {
    const file = `${PREPARE}/${CHANGE_FILE}`;
    const raw = await this.#readJson(file);
    if (raw === undefined) {
      await this.#disk.remove(PREPARE);
      return undefined;
    }
    const change = changeSchema.safeParse(raw);
    if (!change.success) throw corrupt(file, 'it is not a change of this release');
    const { changeId } = change.data;
    const isSettled =
      active?.meta.changeId === changeId || decisions.some((known) => known.changeId === changeId);
    if (isSettled) {
      await this.releaseLock();
      return undefined;
    }
    const next = await this.#readConfig(PREPARED_CONFIG);
    if (next === undefined) throw corrupt(PREPARED_CONFIG, 'it is missing');
    return { change: change.data, next };
  }

  async #readConfig(folder: string): Promise<ClusterConfig | undefined> {
    const files = new Map<string, string>();
    for (const name of await this.#disk.list(folder)) {
      files.set(name, decodeText(`${folder}/${name}`, await this.#disk.read(`${folder}/${name}`)));
    }
    if (files.size === 0) return undefined;
    const parsed = parseConfigFiles(files);
    if (parsed.kind === 'corrupt') throw corrupt(`${folder}/${parsed.file}`, parsed.reason);
    return parsed.config;
  }

  async #writeConfig(folder: string, config: ClusterConfig): Promise<void> {
    for (const [name, text] of renderConfigFiles(config)) {
      await this.#disk.writeAtomic(`${folder}/${name}`, encoder.encode(text));
    }
  }

  async #writeHistory(config: ClusterConfig): Promise<void> {
    const file = `${HISTORY}/${String(config.meta.version).padStart(10, '0')}.json`;
    if (await this.#exists(file)) return;
    await this.#disk.writeAtomic(file, encodeJson(config));
    const names = await this.#disk.list(HISTORY);
    for (const name of names.slice(0, -HISTORY_KEPT)) await this.#disk.remove(`${HISTORY}/${name}`);
  }

  async #readJson(file: string): Promise<unknown> {
    const bytes = await this.#disk.read(file);
    if (bytes === undefined) return undefined;
    try {
      return JSON.parse(decodeText(file, bytes)) as unknown;
    } catch (error) {
      // Said with the name of the file, which the parser does not know.
      throw corrupt(file, 'it is not JSON', error);
    }
  }

  async #exists(file: string): Promise<boolean> {
    return (await this.#disk.read(file)) !== undefined;
  }
}

function encodeJson(value: unknown): Uint8Array {
  return encoder.encode(`${JSON.stringify(value, undefined, 2)}\n`);
}

function decodeText(file: string, bytes: Uint8Array | undefined): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    // Said with the name of the file, which the decoder does not know.
    throw corrupt(file, 'it is not UTF-8 text', error);
  }
}

function corrupt(file: string, reason: string, cause?: unknown): ClusterError {
  const name = file.split('/').at(-1) ?? file;
  return new ClusterError('CONFIG_INVALID', {
    message:
      `The cluster config cannot be loaded: ${file}: ${reason}. ` +
      'Repair the file, or remove the instance from the cluster and let it join as a new one.',
    field: `sections.${name.replace(/\.yml$/, '')}`,
    cause,
  });
}
