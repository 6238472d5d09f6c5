/** Rows that an instance has written in a term, from its disk: those in its log, and those that were cut from it. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Tuple } from '../../runtime/src/core/schema/values.ts';
import { validBatches } from '../../runtime/src/core/storage/log-format.ts';
import { RowCodec } from '../../runtime/src/core/storage/rows.ts';

const codec = new RowCodec();

export interface TermRows {
  readonly term: number;
  readonly space: number;
  /** Files that were not written since are left out. */
  readonly since: Date;
}

export function tuplesOfTerm(workdir: string, { term, space, since }: TermRows): readonly Tuple[] {
  const files = ['log', 'lost'].flatMap((folder) => filesIn(path.join(workdir, 'data', folder)));
  return files
    .filter((file) => statSync(file).mtimeMs >= since.getTime())
    .flatMap((file) => validBatches(readFileSync(file)))
    .filter((batch) => batch.term === term)
    .flatMap(({ payload }) => codec.decode(payload))
    .flatMap((row) => (row.kind === 'replace' && row.space === space ? [row.tuple] : []));
}

function filesIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith('.xlog'));
  return names.map((name) => path.join(folder, name));
}
