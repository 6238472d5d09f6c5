/**
 * Keeps compiled code between starts, ours and those of the processes that we start: a cluster of five instances
 * compiles the same files eleven times otherwise, and that is most of the time that a start takes.
 */
import { readdirSync } from 'node:fs';
import { enableCompileCache, getCompileCacheDir } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';

export interface CompileCache {
  /** Nothing has been compiled yet on this machine, by this Node with these flags. */
  readonly isEmpty: boolean;
}

export function shareCompileCache(environment: NodeJS.ProcessEnv): CompileCache {
  // Coverage counts positions in code as it was compiled; from a cache they are less exact.
  if (environment['NODE_V8_COVERAGE'] !== undefined) return { isEmpty: false };
  // In the user's own folder: whoever could write there could run code as this user anyway.
  const caches = environment['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache');
  const directory = environment['NODE_COMPILE_CACHE'] ?? path.join(caches, 'tonearm', 'compiled');
  environment['NODE_COMPILE_CACHE'] = directory;
  enableCompileCache(directory);
  // Its own part of the folder; where it cannot be made there is no cache, and nothing to fill.
  const own = getCompileCacheDir();
  return { isEmpty: own !== undefined && readdirSync(own).length === 0 };
}
