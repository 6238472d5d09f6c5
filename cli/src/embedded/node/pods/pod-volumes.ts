/**
 * Gives a pod its folders: one per claim, which stays for as long as the claim; and one for the pod, with Secrets,
 * ConfigMaps and scratch space, which goes with it. Secrets are readable by this user alone.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CLAIMS, CONFIG_MAPS, type NodeApi, SECRETS } from '../node-api.ts';
import type { Claim, KeyedData, Labels, Pod, Volume } from '../objects.ts';

export type FoldersVerdict =
  | { readonly kind: 'complete'; readonly folders: Labels }
  | { readonly kind: 'incomplete'; readonly reason: string };

type VolumeVerdict = { readonly folder: string } | { readonly missing: string };

/** Where an instance keeps its files when nothing is mounted there. */
const SCRATCH_MOUNT_PATH = '/var/lib/tonearm';

export class PodVolumes {
  readonly #api: NodeApi;
  readonly #directory: string;

  constructor(api: NodeApi, directory: string) {
    this.#api = api;
    this.#directory = directory;
  }

  /** Makes the folders of a pod, or says what they wait for. Called again, it renews Secrets and ConfigMaps. */
  prepare(pod: Pod): FoldersVerdict {
    const container = pod.spec.containers[0];
    const folders: Record<string, string> = {
      [SCRATCH_MOUNT_PATH]: madeFolder(path.join(this.podFolder(pod), 'scratch')),
    };
    for (const mount of container?.volumeMounts ?? []) {
      const volume = pod.spec.volumes?.find(({ name }) => name === mount.name);
      if (volume === undefined) {
        return { kind: 'incomplete', reason: `the pod has no volume named ${mount.name}` };
      }
      const verdict = this.#prepareVolume(pod, volume);
      if ('missing' in verdict) return { kind: 'incomplete', reason: verdict.missing };
      folders[mount.mountPath] =
        mount.subPath === undefined
          ? verdict.folder
          : madeFolder(path.join(verdict.folder, mount.subPath));
    }
    return { kind: 'complete', folders };
  }

  podFolder(pod: Pod): string {
    return path.join(this.#directory, 'pods', pod.metadata.uid);
  }

  removePod(pod: Pod): void {
    rmSync(this.podFolder(pod), { recursive: true, force: true });
  }

  removeClaim(claim: Claim): void {
    const folder = this.#claimFolder(claim);
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }

  #prepareVolume(pod: Pod, volume: Volume): VolumeVerdict {
    const { namespace } = pod.metadata;
    const own = path.join(this.podFolder(pod), 'volumes', volume.name);
    if (volume.persistentVolumeClaim !== undefined) {
      const name = volume.persistentVolumeClaim.claimName;
      const claim = this.#api.get(CLAIMS, { namespace, name });
      const folder = claim === undefined ? undefined : this.#claimFolder(claim);
      if (folder === undefined) {
        return { missing: `persistentvolumeclaim "${name}" not found, or not bound yet` };
      }
      return { folder: madeFolder(folder) };
    }
    if (volume.secret !== undefined) {
      const { secretName: name, optional } = volume.secret;
      const secret = this.#api.get(SECRETS, { namespace, name });
      if (secret === undefined && optional !== true) {
        return { missing: `secret "${name}" not found` };
      }
      return { folder: writeKeys(own, secret, 'base64') };
    }
    if (volume.configMap !== undefined) {
      const { name, optional } = volume.configMap;
      const configMap = this.#api.get(CONFIG_MAPS, { namespace, name });
      if (configMap === undefined && optional !== true) {
        return { missing: `configmap "${name}" not found` };
      }
      return { folder: writeKeys(own, configMap, 'utf8') };
    }
    if (volume.emptyDir !== undefined) return { folder: madeFolder(own) };
    return {
      missing: `volume ${volume.name}: the local node has claims, secrets, config maps and emptyDir`,
    };
  }

  /** Bound to its uid: a claim that is deleted and made again begins empty. */
  #claimFolder(claim: Claim): string | undefined {
    const { volumeName } = claim.spec;
    return volumeName === undefined
      ? undefined
      : path.join(this.#directory, 'volumes', path.basename(volumeName));
  }
}

function madeFolder(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

function writeKeys(
  folder: string,
  object: KeyedData | undefined,
  encoding: BufferEncoding,
): string {
  madeFolder(folder);
  for (const [key, value] of Object.entries(object?.data ?? {})) {
    const file = path.join(folder, path.basename(key));
    const content = Buffer.from(value, encoding);
    if (existsSync(file) && readFileSync(file).equals(content)) continue;
    // Renamed into place: a process that reads the file again sees the old text or the new, never half.
    writeFileSync(`${file}.new`, content, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }
  return folder;
}
