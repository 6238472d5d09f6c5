/**
 * `tonearm log`: looks into the data directory of an instance that does not run, and helps where it does not start.
 *
 * Exit codes of `verify`: 0 an instance starts with all of it; 1 something is missing or wrong.
 */
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Position } from '@tonearm/runtime/contract';
import type { DumpedBatch, VerifiedData, VerifiedFile } from '@tonearm/runtime/data';
import { CommandError } from '../command-error.ts';
import { type Console, renderTable } from '../console.ts';

export interface VerifyOptions {
  readonly output: 'table' | 'json';
}

export interface DumpOptions {
  readonly from: string;
  readonly to?: string;
  readonly output: 'lines' | 'json';
}

const USAGE = 2;

export async function verifyLog(
  directory: string,
  options: VerifyOptions,
  console: Console,
): Promise<void> {
  const { NodeDisk, verifyData } = await import('@tonearm/runtime/data');
  const found = await verifyData(new NodeDisk(dataDirectory(directory)));
  if (options.output === 'json') console.line(JSON.stringify(found, undefined, 2));
  else printTable(found, console);
  if (found.problems.length === 0) return;
  const count = found.problems.length === 1 ? '1 problem' : `${found.problems.length} problems`;
  throw new CommandError(
    `${count} in ${directory}: bring back the files, or run "tonearm log reseed ${directory}", so ` +
      'that the instance gets a copy from another one',
  );
}

export async function dumpRows(
  directory: string,
  options: DumpOptions,
  console: Console,
): Promise<void> {
  const { NodeDisk, dumpLog } = await import('@tonearm/runtime/data');
  // Whoever reads only the beginning, as `head` does, has what he wanted.
  process.stdout.on('error', () => process.exit(0));
  const range = {
    from: readSequence('from', options.from),
    to: options.to === undefined ? Number.MAX_SAFE_INTEGER : readSequence('to', options.to),
  };
  await dumpLog(new NodeDisk(dataDirectory(directory)), range, (batch) => {
    for (const line of rowLines(batch, options.output)) console.line(line);
  });
}

/** The instance itself lays its rows aside, when it starts: it may still be running now. */
export async function reseedData(directory: string, console: Console): Promise<void> {
  const { NodeDisk, markReseed } = await import('@tonearm/runtime/data');
  const root = dataDirectory(directory);
  if (!existsSync(path.join(root, 'instance.json'))) {
    throw new CommandError(`${directory} is no data directory: it has no instance.json`);
  }
  await markReseed(new NodeDisk(root), 'tonearm log reseed');
  console.line(
    'At its next start the instance lays its rows aside in aside/, and gets a copy from',
  );
  console.line(
    'the leader of its replica set. Rows that no other instance has are not in that copy.',
  );
}

function dataDirectory(directory: string): string {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true) return directory;
  throw new CommandError(`${directory} is no directory`, USAGE);
}

function readSequence(option: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new CommandError(`--${option} is the number of a row, not "${text}"`, USAGE);
}

function printTable({ files, problems }: VerifiedData, console: Console): void {
  const header = ['FILE', 'BYTES', 'PARTS', 'ROWS', 'FROM', 'TO', 'STATE'];
  if (files.length === 0) console.line('There is neither a log nor a snapshot.');
  else for (const line of renderTable([header, ...files.map(fileCells)])) console.line(line);
  for (const problem of problems) console.line(`${console.bold('problem:')} ${problem}`);
}

function fileCells(file: VerifiedFile): readonly string[] {
  const { path: name, bytes, parts, rows, from, to, fault } = file;
  const counts = [bytes, parts, rows].map(String);
  return [name, ...counts, positionText(from), positionText(to), stateText(fault)];
}

function positionText(position: Position | null): string {
  return position === null ? '-' : `${position.term}/${position.sequence}`;
}

function stateText(fault: VerifiedFile['fault']): string {
  if (fault === null) return 'whole';
  const where = `at byte ${fault.offset}: ${fault.reason}`;
  return fault.isTornEnd ? `ends with a torn write ${where}` : `damaged ${where}`;
}

function rowLines(batch: DumpedBatch, output: DumpOptions['output']): readonly string[] {
  return batch.rows.map((row, index) => {
    const position = { term: batch.term, sequence: batch.firstSequence + index };
    if (output === 'json') return JSON.stringify({ ...position, ...row }, plainValue);
    const { kind, ...rest } = row as { readonly kind: string };
    return `${position.term}/${position.sequence} ${kind} ${JSON.stringify(rest, plainValue)}`;
  });
}

/** What JSON has no form for. */
function plainValue(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}
