/** How a stateboard is told what to do: arguments, else environment variables, else a file. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { z } from 'zod';

export interface StateboardOptions {
  readonly host: string;
  readonly port: number;
  readonly workdir: string;
  readonly password: string;
  readonly pidFile: string | undefined;
}

export const HELP = `tonearm-stateboard: a small state provider for clusters without etcd. It keeps the leadership of any number
of clusters in its working directory. One process: while it is away, leaders stay and no new ones are appointed.

Usage: tonearm-stateboard --workdir FOLDER [options]

  --workdir FOLDER       where its data is kept; no other stateboard may use it   (TONEARM_STATEBOARD_WORKDIR)
  --listen HOST:PORT     default localhost:4401                                   (TONEARM_STATEBOARD_LISTEN)
  --password-file FILE   clients must know the password in it                     (TONEARM_STATEBOARD_PASSWORD_FILE)
                         or the password itself                                   (TONEARM_STATEBOARD_PASSWORD)
  --pid-file FILE        where it writes its process id while it listens          (TONEARM_STATEBOARD_PID_FILE)
  --config FILE          YAML with any of: workdir, listen, password,
                         passwordFile, pidFile                                    (TONEARM_STATEBOARD_CONFIG)
  --help                 shows this

It is ready when it logs "the stateboard listens" and answers GET /health with 200.

Examples:
  tonearm-stateboard --workdir ./stateboard
  tonearm-stateboard --workdir /var/lib/stateboard --listen 0.0.0.0:4401 --password-file /etc/stateboard/password
  TONEARM_STATEBOARD_PASSWORD=secret tonearm-stateboard --workdir ./stateboard
`;

const fileSchema = z.strictObject({
  workdir: z.string().optional(),
  listen: z.string().optional(),
  password: z.string().optional(),
  passwordFile: z.string().optional(),
  pidFile: z.string().optional(),
});
type FileOptions = z.infer<typeof fileSchema>;

type Environment = Readonly<Record<string, string | undefined>>;

export function readStateboardOptions(
  args: readonly string[],
  env: Environment,
): StateboardOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      listen: { type: 'string' },
      workdir: { type: 'string' },
      'password-file': { type: 'string' },
      'pid-file': { type: 'string' },
      config: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) return 'help';
  const file = readFile(values.config ?? env['TONEARM_STATEBOARD_CONFIG']);
  const workdir = values.workdir ?? env['TONEARM_STATEBOARD_WORKDIR'] ?? file.workdir;
  if (workdir === undefined || workdir === '') {
    throw new Error('--workdir is required: the folder in which the stateboard keeps its data');
  }
  return {
    ...readAddress(
      values.listen ?? env['TONEARM_STATEBOARD_LISTEN'] ?? file.listen ?? 'localhost:4401',
    ),
    workdir,
    password: readPassword(values['password-file'], env, file),
    pidFile: values['pid-file'] ?? env['TONEARM_STATEBOARD_PID_FILE'] ?? file.pidFile,
  };
}

function readFile(name: string | undefined): FileOptions {
  if (name === undefined) return {};
  const parsed = fileSchema.safeParse(parse(readFileSync(name, 'utf8')) ?? {});
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.join('.') ?? '';
  throw new Error(`${name}: ${field === '' ? '' : `"${field}": `}${issue?.message ?? ''}`);
}

function readPassword(argument: string | undefined, env: Environment, file: FileOptions): string {
  const fromFile = (name: string): string => readFileSync(name, 'utf8').trim();
  if (argument !== undefined) return fromFile(argument);
  const variable = env['TONEARM_STATEBOARD_PASSWORD_FILE'];
  if (variable !== undefined) return fromFile(variable);
  const password = env['TONEARM_STATEBOARD_PASSWORD'] ?? file.password;
  if (password !== undefined) return password;
  return file.passwordFile === undefined ? '' : fromFile(file.passwordFile);
}

function readAddress(listen: string): { readonly host: string; readonly port: number } {
  const address = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(listen);
  const host = address?.[1] ?? address?.[2];
  if (host === undefined) throw new Error(`--listen must be HOST:PORT, it is "${listen}"`);
  return { host, port: Number(address?.[3]) };
}
