/**
 * Removes everything of a run: `node … sweep.ts`. It is started beside each run and waits for the end of
 * the process that started it, so it also cleans up when that one was killed.
 */
import { sweep } from './box/sweep-run.ts';

await sweep();
