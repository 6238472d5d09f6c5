import { readFileSync } from 'node:fs';

const file = readFileSync(new URL('../package.json', import.meta.url), 'utf8');

/** Of this package. */
export const RUNTIME_VERSION = (JSON.parse(file) as { readonly version: string }).version;
