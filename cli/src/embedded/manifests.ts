/** Reads the manifests that `tonearm up` applies, and finds the application behind their images. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';
import { isObject, type JsonObject, textAt } from './api/json.ts';
import { ENTRY_FILES, entryFileOf } from './node/pods/images.ts';

export interface Manifest {
  readonly file: string;
  readonly object: JsonObject;
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Empty when the manifest says none. */
  readonly namespace: string;
}

export function readManifests(file: string): Manifest[] {
  if (!existsSync(file)) throw new Error(`${file} does not exist: -f names a file of manifests`);
  const documents = parseAllDocuments(readFileSync(file, 'utf8'));
  return documents.flatMap((document, index) => {
    const [error] = document.errors;
    if (error !== undefined) throw new Error(`${file} is not valid YAML: ${error.message}`);
    const object: unknown = document.toJS();
    return object === null ? [] : [parseManifest(object, `${file}, document ${index + 1}`, file)];
  });
}

/** The folder of each image of a Cluster: the one that was named, else that of the manifest, if it has an application. */
export function imagesOf(
  manifests: readonly Manifest[],
  applicationDirectory: string | undefined,
): Record<string, string> {
  const images: Record<string, string> = {};
  if (applicationDirectory !== undefined && entryFileOf(applicationDirectory) === undefined) {
    const expected = ENTRY_FILES.join(', ');
    throw new Error(`--app ${applicationDirectory} is no application: it has none of ${expected}`);
  }
  for (const { object, kind, file } of manifests) {
    const image = textAt(object, 'spec', 'image');
    if (kind !== 'Cluster' || image === '') continue;
    const directory = path.resolve(applicationDirectory ?? path.dirname(file));
    if (entryFileOf(directory) !== undefined) images[image] = directory;
  }
  return images;
}

function parseManifest(object: unknown, place: string, file: string): Manifest {
  if (!isObject(object))
    throw new Error(`${place}: a manifest is a mapping, with apiVersion and kind`);
  const required = {
    apiVersion: textAt(object, 'apiVersion'),
    kind: textAt(object, 'kind'),
    'metadata.name': textAt(object, 'metadata', 'name'),
  };
  for (const [field, value] of Object.entries(required)) {
    if (value === '') throw new Error(`${place}: ${field} is required`);
  }
  return {
    file,
    object,
    apiVersion: required.apiVersion,
    kind: required.kind,
    name: required['metadata.name'],
    namespace: textAt(object, 'metadata', 'namespace'),
  };
}
