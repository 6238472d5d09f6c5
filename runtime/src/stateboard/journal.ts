/**
 * The stateboard's disk: a journal of transactions, each on disk before it is answered, and now and then a whole state.
 *
 * `state.json` is replaced atomically; only then is the journal emptied. A crash in between leaves entries that the
 * state already holds: their revisions say so. A torn last line was never answered, and is cut off. A broken line that
 * a whole one follows was answered: to go on without it would take back what others rely on, so it refuses to start.
 */
import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import type { ProviderEntry } from '../ports/state-provider.ts';

/** `null` deletes the key. */
export type JournalWrite = readonly [key: string, value: string | null];

interface JournalLine {
  readonly r: number;
  readonly w: readonly JournalWrite[];
}

export interface JournalState {
  readonly revision: number;
  readonly entries: ReadonlyMap<string, ProviderEntry>;
}

/** The journal is folded into the state when it has grown beyond this and beyond twice the state. */
const COMPACT_AT_BYTES = 1_000_000;

const CHECKSUM_LENGTH = 8;
const LINE_END = '\n'.charCodeAt(0);
/** How every body begins, with the space before it; no text within a body has it, for there quotes are escaped. */
const BODY_BEGIN = ' {"r":';

export class Journal {
  readonly #folder: string;
  readonly #file: FileHandle;
  #bytes: number;
  #stateBytes: number;

  private constructor(folder: string, file: FileHandle, bytes: number, stateBytes: number) {
    this.#folder = folder;
    this.#file = file;
    this.#bytes = bytes;
    this.#stateBytes = stateBytes;
  }

  static async open(
    folder: string,
  ): Promise<{ readonly journal: Journal; readonly state: JournalState }> {
    const stateText = await readText(path.join(folder, 'state.json'));
    const state = stateText === '' ? { revision: 0, entries: [] } : parseState(stateText);
    const entries = new Map(state.entries.map((entry) => [entry.key, entry] as const));
    let revision = state.revision;

    const journalPath = path.join(folder, 'journal');
    const file = await open(journalPath, 'a+');
    const bytes = await file.readFile();
    const { lines, validBytes } = parseJournal(bytes);
    if (hasWholeLine(bytes, validBytes)) {
      await file.close();
      throw damaged(journalPath, validBytes);
    }
    for (const line of lines) {
      if (line.r <= revision) continue;
      applyWrites(entries, line.r, line.w);
      revision = line.r;
    }
    if (validBytes < bytes.length) await file.truncate(validBytes);
    const journal = new Journal(folder, file, validBytes, stateText.length);
    // A folder that cannot be written is known before anything is answered.
    if (stateText === '') await journal.#writeState({ revision, entries });
    return { journal, state: { revision, entries } };
  }

  /** Durable when it resolves. */
  async append(revision: number, writes: readonly JournalWrite[]): Promise<void> {
    const body = JSON.stringify({ r: revision, w: writes } satisfies JournalLine);
    const line = Buffer.from(`${checksum(Buffer.from(body))} ${body}\n`);
    await this.#file.appendFile(line);
    await this.#file.datasync();
    this.#bytes += line.length;
  }

  async compactWhenLarge(state: JournalState): Promise<void> {
    if (this.#bytes < COMPACT_AT_BYTES || this.#bytes < 2 * this.#stateBytes) return;
    await this.compact(state);
  }

  async compact(state: JournalState): Promise<void> {
    await this.#writeState(state);
    await this.#file.truncate(0);
    await this.#file.datasync();
    this.#bytes = 0;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #writeState(state: JournalState): Promise<void> {
    const text = JSON.stringify({ revision: state.revision, entries: [...state.entries.values()] });
    const target = path.join(this.#folder, 'state.json');
    const fresh = await open(`${target}.new`, 'w');
    try {
      await fresh.writeFile(text);
      await fresh.sync();
    } finally {
      await fresh.close();
    }
    await rename(`${target}.new`, target);
    const folder = await open(this.#folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
    this.#stateBytes = text.length;
  }
}

export function applyWrites(
  entries: Map<string, ProviderEntry>,
  revision: number,
  writes: readonly JournalWrite[],
): void {
  for (const [key, value] of writes) {
    if (value === null) entries.delete(key);
    else entries.set(key, { key, value, revision });
  }
}

function parseState(text: string): { revision: number; entries: ProviderEntry[] } {
  return JSON.parse(text) as { revision: number; entries: ProviderEntry[] };
}

function parseJournal(bytes: Buffer): { lines: JournalLine[]; validBytes: number } {
  const lines: JournalLine[] = [];
  let validBytes = 0;
  for (;;) {
    const body = bodyAt(bytes, validBytes);
    if (body === undefined) break;
    lines.push(JSON.parse(body.toString()) as JournalLine);
    validBytes += CHECKSUM_LENGTH + 1 + body.length + 1;
  }
  return { lines, validBytes };
}

/** Of the whole line that begins there, if one does. */
function bodyAt(bytes: Buffer, start: number): Buffer | undefined {
  const end = bytes.indexOf(LINE_END, start);
  if (end < 0) return undefined;
  const body = bytes.subarray(start + CHECKSUM_LENGTH + 1, end);
  const stored = bytes.toString('latin1', start, start + CHECKSUM_LENGTH);
  return stored === checksum(body) ? body : undefined;
}

/** Anywhere behind `from`: the damage may have taken the end of the line before it. */
function hasWholeLine(bytes: Buffer, from: number): boolean {
  let at = bytes.indexOf(BODY_BEGIN, from + CHECKSUM_LENGTH);
  while (at >= 0) {
    if (bodyAt(bytes, at - CHECKSUM_LENGTH) !== undefined) return true;
    at = bytes.indexOf(BODY_BEGIN, at + 1);
  }
  return false;
}

function damaged(file: string, offset: number): Error {
  return new Error(
    `${file} is damaged at byte ${offset}, and transactions that were answered follow. ` +
      'Bring back the file from a copy, or start with an empty folder: the clusters then put ' +
      'their records back.',
  );
}

function checksum(bytes: Buffer): string {
  return crc32(bytes).toString(16).padStart(8, '0');
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
