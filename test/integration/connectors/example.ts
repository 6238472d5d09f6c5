/** Runs a program of a page with the connector that it names. */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { type ConnectorName, findConnector } from './install.ts';

const files = { 'net.box': 'main.lua', npm: 'main.cjs', pypi: 'main.py', go: 'main.go' } as const;

/** What the program prints; it finds the cookie in its environment. */
export async function runExample(
  name: ConnectorName,
  program: string,
  cookie: string,
): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tonearm-example-'));
  try {
    const file = path.join(folder, files[name]);
    writeFileSync(file, program);
    const { command, args, environment = {} } = commandOf(name, file);
    const { stdout } = await promisify(execFile)(command, [...args], {
      cwd: folder,
      timeout: 60_000,
      env: { ...process.env, ...environment, COOKIE: cookie },
    });
    return stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

function commandOf(name: ConnectorName, file: string): Command {
  const { command, args } = findConnector(name) ?? { command: '', args: [] };
  switch (name) {
    case 'npm':
      return { command, args: [file], environment: { NODE_PATH: `${args[1]}/node_modules` } };
    case 'pypi':
      return { command, args: [...args.slice(0, -1), file] };
    case 'go':
      for (const module of ['go.mod', 'go.sum']) {
        copyFileSync(
          path.join(import.meta.dirname, 'go', module),
          path.join(path.dirname(file), module),
        );
      }
      return { command: 'go', args: ['run', '.'] };
    default:
      return { command, args: [file] };
  }
}
