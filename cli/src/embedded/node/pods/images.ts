/**
 * What an image name stands for on this machine: a folder with an application. There is no registry here, so the
 * tag does not choose a version: the code is what lies in the folder.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export interface ImageCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly directory: string;
}

export type ImageVerdict =
  | { readonly kind: 'found'; readonly image: ImageCommand }
  | { readonly kind: 'unknown'; readonly reason: string };

export interface Images {
  resolve(image: string): ImageVerdict;
}

export const ENTRY_FILES = ['main.ts', 'main.js', 'src/main.ts', 'dist/main.js'];

/** The file with which an application begins; nothing when the folder is not one of an application. */
export function entryFileOf(directory: string): string | undefined {
  return ENTRY_FILES.map((file) => path.join(directory, file)).find((file) => existsSync(file));
}

export class ApplicationImages implements Images {
  readonly #directories: Map<string, string>;

  /** Folders by image name. */
  constructor(directories: Readonly<Record<string, string>>) {
    this.#directories = new Map(
      Object.entries(directories).map(([image, directory]) => [repositoryOf(image), directory]),
    );
  }

  resolve(image: string): ImageVerdict {
    const directory = this.#directories.get(repositoryOf(image));
    if (directory === undefined) {
      const reason = `no folder is known for the image "${image}": start with "tonearm up -f FILE --app DIR", where FILE names this image and DIR has its main.ts`;
      return { kind: 'unknown', reason };
    }
    const entry = entryFileOf(directory);
    if (entry === undefined) {
      const reason = `the folder ${directory} of the image "${image}" has none of ${ENTRY_FILES.join(', ')}`;
      return { kind: 'unknown', reason };
    }
    const args = [...conditions(), runtimeFile('launcher/main'), entry];
    return { kind: 'found', image: { command: process.execPath, args, directory } };
  }
}

/** `registry:5000/team/app:tag@sha256:…` without tag and digest. */
export function repositoryOf(image: string): string {
  const name = image.split('@')[0] ?? image;
  const colon = name.lastIndexOf(':');
  return colon > name.lastIndexOf('/') ? name.slice(0, colon) : name;
}

/** A program of the runtime: its source when we run from source, else what was built of it. */
export function runtimeFile(name: string): string {
  const foundation = fileURLToPath(import.meta.resolve('@tonearm/runtime/foundation'));
  const extension = path.extname(foundation);
  return path.join(path.dirname(foundation), '..', `${name}${extension}`);
}

/**
 * The flags of this process that decide which files are loaded, and how: they hold for its children too. Children with
 * other flags could not use what this process has compiled.
 */
export function conditions(): string[] {
  return process.execArgv.filter((flag) =>
    /^(--conditions=|-C=|--no-warnings|--min-semi-space-size=)/.test(flag),
  );
}
