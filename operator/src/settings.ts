/**
 * Arguments and environment as typed settings: the only reader of both. An argument wins over the environment, a
 * variable over the default. Each setting has one name in two spellings: `--etcd-image` and `TONEARM_ETCD_IMAGE`.
 */
import { parseArgs } from 'node:util';
import { z } from 'zod';

const port = z.coerce.number().int().min(0).max(65_535);
const name = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'is no name of a Kubernetes object');
const names = z
  .string()
  .transform((text) => text.split(',').map((part) => part.trim()))
  .transform((parts) => parts.filter((part) => part !== ''))
  .pipe(z.array(name));

const settingsSchema = z.strictObject({
  /** Empty: all namespaces. */
  watchNamespaces: names.default([]),
  /** Where the operator itself lives: its lease and its keys. */
  namespace: name.default('default'),
  podName: z.string().min(1).max(253).default('tonearm-operator'),
  /** Left out where this is no pod: then another process may have the same name at the same time. */
  podUid: z.uuid().optional(),
  /** Left out: KUBECONFIG, else the service account of the pod. */
  kubeconfig: z.string().min(1).optional(),
  leaderElection: z.stringbool().default(true),
  leaseName: name.default('tonearm-operator'),
  /** What a Cluster gets that names no state provider. */
  defaultStateProvider: z.enum(['managed-etcd', 'stateboard']).default('managed-etcd'),
  etcdImage: z.string().min(1).regex(/^\S+$/, 'is no image').default('localhost/tonearm/etcd:dev'),
  /** Of the stateboard, as instances reach it. */
  stateboardUrl: z.url({ protocol: /^https?$/ }).optional(),
  stateboardPasswordFile: z.string().min(1).optional(),
  /** Whether zones of instances are read from their nodes, which takes a right in the whole cluster. */
  nodeZones: z.stringbool().default(false),
  /** In the operator's namespace; made once, with the keys that sign tokens for the admin API. */
  keysSecretName: name.default('tonearm-operator-keys'),
  /** A PEM file with the private key, instead of the Secret. */
  keyFile: z.string().min(1).optional(),
  /** Health and metrics; 0 takes any free port. */
  httpPort: port.default(8080),
  workers: z.coerce.number().int().min(1).max(64).default(4),
  requestsPerSecond: z.coerce.number().int().min(1).max(1000).default(50),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

export type Settings = Readonly<z.output<typeof settingsSchema>>;

export type SettingsVerdict =
  | { readonly kind: 'valid'; readonly settings: Settings }
  | { readonly kind: 'invalid'; readonly problems: readonly string[] };

export function readSettings(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): SettingsVerdict {
  const fields = Object.keys(settingsSchema.shape);
  const given = readArguments(args, fields);
  if (given.kind === 'invalid') return given;
  const values: Record<string, string> = {};
  for (const field of fields) {
    const value = given.values[argumentName(field)] ?? environment[variableName(field)];
    // An empty variable is how a chart leaves something out.
    if (value !== undefined && value !== '') values[field] = value;
  }
  const parsed = settingsSchema.safeParse(values);
  if (!parsed.success) {
    return { kind: 'invalid', problems: parsed.error.issues.map((issue) => describe(issue)) };
  }
  const { defaultStateProvider, stateboardUrl } = parsed.data;
  if (defaultStateProvider === 'stateboard' && stateboardUrl === undefined) {
    const problem = `${bothNames('stateboardUrl')}: needed when the default state provider is a stateboard`;
    return { kind: 'invalid', problems: [problem] };
  }
  return { kind: 'valid', settings: parsed.data };
}

type Arguments =
  | { readonly kind: 'valid'; readonly values: Readonly<Record<string, string | undefined>> }
  | { readonly kind: 'invalid'; readonly problems: readonly string[] };

function readArguments(args: readonly string[], fields: readonly string[]): Arguments {
  const options = Object.fromEntries(
    fields.map((field) => [argumentName(field), { type: 'string' as const }]),
  );
  try {
    const { values } = parseArgs({ args: [...args], options, strict: true });
    return { kind: 'valid', values };
  } catch (error) {
    // parseArgs throws for what a user typed; the message names the argument.
    return { kind: 'invalid', problems: [error instanceof Error ? error.message : String(error)] };
  }
}

function describe(issue: z.core.$ZodIssue): string {
  return `${bothNames(String(issue.path[0]))}: ${issue.message}`;
}

function bothNames(field: string): string {
  return `--${argumentName(field)} (${variableName(field)})`;
}

function argumentName(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function variableName(field: string): string {
  return `TONEARM_${field.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
