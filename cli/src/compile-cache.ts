/**
 * Keeps compiled code between starts, ours and those of the processes that we start: a cluster of five instances
 * compiles the same files eleven times otherwise, and that is most of the time that a start takes.
 */
import { existsSync, readdirSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';

export interface CompileCache {
  /** Nothing has been compiled on this machine yet. */
  readonly isEmpty: boolean;
}

export function shareCompileCache(environment: NodeJS.ProcessEnv): CompileCache {
  // Coverage counts positions in code as it was compiled; from a cache they are less exact.
  if (environment['NODE_V8_COVERAGE'] !== undefined) return { isEmpty: false };
  // In the user's own folder: whoever could write there could run code as this user anyway.
  const caches = environment['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache');
  const directory = environment['NODE_COMPILE_CACHE'] ?? path.join(caches, 'tonearm', 'compiled');
  environment['NODE_COMPILE_CACHE'] = directory;
  const isEmpty = !existsSync(directory) || readdirSync(directory).length === 0;
  enableCompileCache(directory);
  return { isEmpty };
}
