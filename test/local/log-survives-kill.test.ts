import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';

const writer = path.join(import.meta.dirname, 'fixtures/log-writer.ts');

/** Lets a process write until it has acknowledged `enough` rows, then kills it. */
async function writeAndKill(
  folder: string,
  { term, mode, enough }: { readonly term: number; readonly mode: string; readonly enough: number },
): Promise<{ readonly found: readonly number[]; readonly acknowledged: readonly number[] }> {
  const child = spawn(
    process.execPath,
    ['--conditions=source', writer, folder, String(term), mode],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = once(child, 'exit');
  const acknowledged: number[] = [];
  let found: readonly number[] | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const printed = JSON.parse(line) as number | readonly number[];
    if (typeof printed === 'number') acknowledged.push(printed);
    else found = printed;
    if (acknowledged.length >= enough) child.kill('SIGKILL');
  }
  await exited;
  assert.ok(found !== undefined, 'the process has read its log');
  return { found, acknowledged };
}

describe('the log of a process that is killed', () => {
  for (const mode of ['write', 'fsync']) {
    it(`has every acknowledged row, without gaps, in mode ${mode}`, async () => {
      const folder = await mkdtemp(path.join(tmpdir(), 'tonearm-log-'));
      try {
        const acknowledged: number[] = [];
        for (let term = 1; term <= 4; term++) {
          const round = await writeAndKill(folder, { term, mode, enough: 40 * term });
          const all = new Set(round.found);
          assert.deepEqual(
            acknowledged.filter((id) => !all.has(id)),
            [],
          );
          assert.deepEqual(
            round.found,
            round.found.map((_, index) => index + 1),
          );
          acknowledged.push(...round.acknowledged);
        }
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  }
});
