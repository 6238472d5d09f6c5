#!/usr/bin/env node
/**
 * The `tonearm` command. Exit codes: 0 it did what was asked; 1 it could not, and said why; 2 it was asked wrongly.
 */
import { Command, CommanderError, Option } from 'commander';
import { CommandError } from './command-error.ts';
import type { DownOptions } from './commands/down.ts';
import type { DumpOptions, VerifyOptions } from './commands/log.ts';
import type { StatusOptions } from './commands/status.ts';
import type { UpOptions } from './commands/up.ts';
import { shareCompileCache } from './compile-cache.ts';
import { openConsole } from './console.ts';
import { warmUpInstances } from './embedded/warm-up.ts';
import { addFailoverCommands } from './failover-commands.ts';

// Each command brings its own imports: `tonearm kubeconfig` stands in prompts and scripts, and must be quick.
const STATE_DIRECTORY = '.tonearm';
const USAGE = 2;
/** What a command leaves behind, such as a connection that its peer does not close, does not keep us longer. */
const EXIT_LIMIT_MS = 500;

const console = openConsole();

function stateOption(): Option {
  return new Option('--state <dir>', 'where data, logs and objects are kept').default(
    STATE_DIRECTORY,
  );
}

function buildProgram(): Command {
  const program = new Command('tonearm')
    .description('Clusters of TypeScript applications, on a laptop without Kubernetes.')
    .showHelpAfterError('Use --help to see what is possible.')
    .exitOverride()
    .addHelpText('after', EXAMPLES);
  program
    .command('up')
    .description(
      'run clusters here, with an embedded Kubernetes; Ctrl-C stops them, the data stays',
    )
    .option('-f, --file <file...>', 'manifests to apply; left out: cluster.yaml, else the example')
    .option('--app <dir>', 'the application behind the image; left out: the folder of the manifest')
    .option('-n, --namespace <name>', 'where manifests without a namespace go', 'default')
    .addOption(new Option('--stateboard', 'keep leadership in the stateboard').conflicts('etcd'))
    .option('--etcd', 'keep leadership in an etcd, which must be installed')
    .addOption(stateOption())
    .action(async (options: UpOptions) => {
      const { isEmpty } = shareCompileCache(process.env);
      const prepared = isEmpty ? warmUpInstances() : Promise.resolve();
      const { runUp } = await import('./commands/up.ts');
      await runUp(options, console, prepared);
    });
  program
    .command('down')
    .description('stop what `tonearm up` runs')
    .option('--purge', 'delete the data as well')
    .addOption(stateOption())
    .action(async (options: DownOptions) => {
      const { runDown } = await import('./commands/down.ts');
      await runDown(options, console);
    });
  program
    .command('kubeconfig')
    .description('print the path of the kubeconfig file')
    .addOption(stateOption())
    .action(async (options: { readonly state: string }) => {
      const { printKubeconfig } = await import('./commands/kubeconfig.ts');
      printKubeconfig(options, console);
    });
  program
    .command('status')
    .description('show clusters, replica sets and pods')
    .addOption(new Option('-o, --output <form>', 'how').choices(['table', 'json']).default('table'))
    .addOption(stateOption())
    .action(async (options: StatusOptions) => {
      const { printStatus } = await import('./commands/status.ts');
      await printStatus(options, console);
    });
  addFailoverCommands(program, console, stateOption);
  addLogCommands(program);
  return program;
}

function addLogCommands(program: Command): void {
  const log = program
    .command('log')
    .description('look into the data directory of an instance that does not run')
    .addHelpText('after', LOG_EXAMPLES);
  log
    .command('verify')
    .description('read every segment of the log and every snapshot, and say what is wrong')
    .argument('<dir>', 'the data directory')
    .addOption(new Option('-o, --output <form>', 'how').choices(['table', 'json']).default('table'))
    .action(async (directory: string, options: VerifyOptions) => {
      const { verifyLog } = await import('./commands/log.ts');
      await verifyLog(directory, options, console);
    });
  log
    .command('dump')
    .description('print the rows of the log')
    .argument('<dir>', 'the data directory')
    .option('--from <sequence>', 'the first row', '1')
    .option('--to <sequence>', 'the last row')
    .addOption(new Option('-o, --output <form>', 'how').choices(['lines', 'json']).default('lines'))
    .action(async (directory: string, options: DumpOptions) => {
      const { dumpRows } = await import('./commands/log.ts');
      await dumpRows(directory, options, console);
    });
  log
    .command('reseed')
    .description('let an instance lay its rows aside at its next start, and get a copy')
    .argument('<dir>', 'the data directory')
    .action(async (directory: string) => {
      const { reseedData } = await import('./commands/log.ts');
      await reseedData(directory, console);
    });
}

const LOG_EXAMPLES = `
Examples:
  tonearm log verify ./data                       is all there, and does it fit together?
  tonearm log dump ./data --from 100 --to 120     these rows
  tonearm log dump ./data --output json | jq .    one object a line
  tonearm log reseed ./data                       when the instance does not start any more`;

const EXAMPLES = `
Examples:
  tonearm up                              run the cluster of ./cluster.yaml, or the example
  tonearm up -f shop.yaml --app ./shop    run another application
  export KUBECONFIG="$(tonearm kubeconfig)"
  kubectl get tcl,trs,pods                then use kubectl as on any Kubernetes
  tonearm failover status                 who leads, and what is wrong
  tonearm down --purge                    stop, and delete the data`;

try {
  await buildProgram().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Help and version end this way too, with exit code 0; usage errors have been printed.
    process.exitCode = error.exitCode === 0 ? 0 : USAGE;
  } else {
    console.problem(error instanceof Error ? error.message : String(error));
    process.exitCode = error instanceof CommandError ? error.exitCode : 1;
  }
}
setTimeout(() => process.exit(), EXIT_LIMIT_MS).unref();
