/** What people see: plain lines, with colour only on a terminal. */
import path from 'node:path';
import { styleText } from 'node:util';

export interface Console {
  line(text?: string): void;
  problem(text: string): void;
  bold(text: string): string;
  dim(text: string): string;
}

export function openConsole(): Console {
  const isColoured = process.stdout.isTTY && process.env['NO_COLOR'] === undefined;
  const style = (format: 'bold' | 'dim') => (text: string) =>
    isColoured ? styleText(format, text) : text;
  return {
    line: (text = '') => void process.stdout.write(`${text}\n`),
    problem: (text) => void process.stderr.write(`tonearm: ${text}\n`),
    bold: style('bold'),
    dim: style('dim'),
  };
}

/** Columns as wide as their longest cell; the last one as it is. */
export function renderTable(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<number[]>(
    (known, row) => row.map((cell, at) => Math.max(known[at] ?? 0, cell.length)),
    [],
  );
  return rows.map((row) => {
    const cells = row.map((cell, at) => cell.padEnd(widths[at] ?? 0));
    return cells.join('   ').trimEnd();
  });
}

/** A path as people would type it here. */
export function relative(file: string): string {
  const short = path.relative(process.cwd(), file);
  return short.startsWith('..') ? file : short === '' ? '.' : short;
}
