/**
 * A folder of OCI images, made with tar and nothing else: layers, configs and manifests by content, so that
 * images share what they have in common and an unchanged layer is neither packed nor loaded again.
 */
import { createHash } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { run } from '../box/processes.ts';

export interface Blob {
  readonly digest: string;
  readonly size: number;
}

/** Files of one folder of this machine, and where they are in the image. */
export interface LayerSource {
  /** Equal keys mean equal content: the layer is packed once for each. */
  readonly key: string;
  /** Makes the folder to pack, or names one: `files` are packed, relative to it, below `prefix`. */
  readonly prepare: (scratch: string) => Promise<PreparedLayer> | PreparedLayer;
}

export interface PreparedLayer {
  readonly folder: string;
  readonly files: readonly string[];
  readonly prefix: string;
}

/** What a container of the image runs as: the `config` object of the OCI image specification. */
export interface ImageConfig {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly User?: string;
  readonly WorkingDir?: string;
}

export interface Image {
  readonly name: string;
  readonly manifest: Blob;
  /** Everything the image consists of, its manifest too. */
  readonly blobs: readonly Blob[];
}

const mediaType = 'application/vnd.oci.image';

export class ImageStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(path.join(folder, 'blobs', 'sha256'), { recursive: true });
    mkdirSync(path.join(folder, 'layers'), { recursive: true });
  }

  async layer(source: LayerSource): Promise<Blob> {
    const note = path.join(this.#folder, 'layers', sha256(source.key));
    if (existsSync(note)) {
      const known = JSON.parse(readFileSync(note, 'utf8')) as Blob;
      if (existsSync(this.#fileOf(known))) return known;
    }
    const scratch = mkdtempSync(path.join(this.#folder, 'packing-'));
    try {
      const blob = await this.#pack(await source.prepare(scratch), scratch);
      writeFileSync(note, JSON.stringify(blob));
      return blob;
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  }

  image(name: string, layers: readonly Blob[], config: ImageConfig): Image {
    const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
    const diffIds = layers.map((layer) => layer.digest);
    const configBlob = this.#putJson({
      architecture,
      os: 'linux',
      config,
      rootfs: { type: 'layers', diff_ids: diffIds },
    });
    const manifest = this.#putJson({
      schemaVersion: 2,
      mediaType: `${mediaType}.manifest.v1+json`,
      config: { mediaType: `${mediaType}.config.v1+json`, ...configBlob },
      layers: layers.map((layer) => ({ mediaType: `${mediaType}.layer.v1.tar`, ...layer })),
    });
    return { name, manifest, blobs: [...layers, configBlob, manifest] };
  }

  /** The command line of a tar that writes an OCI archive of the images to its standard output. */
  archiveCommand(images: readonly Image[], scratch: string): readonly string[] {
    mkdirSync(scratch, { recursive: true });
    const manifests = images.map((image) => ({
      mediaType: `${mediaType}.manifest.v1+json`,
      ...image.manifest,
      annotations: {
        'io.containerd.image.name': image.name,
        'org.opencontainers.image.ref.name': image.name,
      },
    }));
    writeFileSync(
      path.join(scratch, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests }),
    );
    writeFileSync(path.join(scratch, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    const digests = new Set(images.flatMap((image) => image.blobs.map((blob) => blob.digest)));
    const blobs = [...digests].map((digest) => path.join('blobs', digest.replace(':', '/')));
    return [
      'tar',
      '-cf',
      '-',
      '-C',
      scratch,
      'oci-layout',
      'index.json',
      '-C',
      this.#folder,
      ...blobs,
    ];
  }

  /** The same for `docker load`, whose older versions do not read OCI archives. */
  dockerArchiveCommand(images: readonly Image[], scratch: string): readonly string[] {
    mkdirSync(scratch, { recursive: true });
    const fileOf = (blob: Blob): string => path.join('blobs', blob.digest.replace(':', '/'));
    const manifest = images.map(({ name, blobs }) => {
      const [config, ...layers] = [...blobs.slice(0, -1)].reverse();
      if (config === undefined) throw new Error(`${name} has no config`);
      const inOrder = layers.toReversed().map(fileOf);
      return { Config: fileOf(config), RepoTags: [name], Layers: inOrder };
    });
    writeFileSync(path.join(scratch, 'manifest.json'), JSON.stringify(manifest));
    const files = new Set(manifest.flatMap(({ Config, Layers }) => [Config, ...Layers]));
    return ['tar', '-cf', '-', '-C', scratch, 'manifest.json', '-C', this.#folder, ...files];
  }

  /** Removes what none of the images uses. */
  prune(images: readonly Image[]): void {
    const used = new Set(images.flatMap((image) => image.blobs.map((blob) => blob.digest)));
    const blobs = path.join(this.#folder, 'blobs', 'sha256');
    for (const hash of readdirSync(blobs)) {
      if (!used.has(`sha256:${hash}`)) rmSync(path.join(blobs, hash));
    }
    const notes = path.join(this.#folder, 'layers');
    for (const name of readdirSync(notes)) {
      const note = path.join(notes, name);
      const blob = JSON.parse(readFileSync(note, 'utf8')) as Blob;
      if (!used.has(blob.digest)) rmSync(note);
    }
    for (const entry of readdirSync(this.#folder)) {
      if (entry.startsWith('packing-')) {
        rmSync(path.join(this.#folder, entry), { recursive: true });
      }
    }
  }

  /** Owner, times and order are fixed, so equal files are one digest; everyone may read, nobody owns. */
  async #pack(layer: PreparedLayer, scratch: string): Promise<Blob> {
    const list = path.join(scratch, 'files');
    writeFileSync(list, [...layer.files].sort().join('\0'));
    const archive = path.join(scratch, 'layer.tar');
    const prefix = layer.prefix === '' ? [] : [`--transform=s,^,${layer.prefix}/,S`];
    await run('tar', [
      ...['--create', '--file', archive, '--directory', layer.folder, '--format=gnu'],
      ...['--owner=0', '--group=0', '--numeric-owner', '--mtime=@0', '--mode=u+rwX,go+rX,go-w'],
      // S above and this: the targets of links are kept as they are.
      ...prefix,
      ...['--no-recursion', '--null', '--files-from', list],
    ]);
    const blob = { digest: `sha256:${await hashFile(archive)}`, size: statSync(archive).size };
    renameSync(archive, this.#fileOf(blob));
    return blob;
  }

  #putJson(value: unknown): Blob {
    const text = JSON.stringify(value);
    const blob = { digest: `sha256:${sha256(text)}`, size: Buffer.byteLength(text) };
    writeFileSync(this.#fileOf(blob), text);
    return blob;
  }

  #fileOf(blob: Blob): string {
    return path.join(this.#folder, 'blobs', blob.digest.replace(':', '/'));
  }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
