/** What `tonearm failover` takes; its actions bring their own imports. */
import { type Command, Option } from 'commander';
import type { FailoverOptions, PromoteOptions } from './commands/failover.ts';
import type { Console } from './console.ts';

export function addFailoverCommands(
  program: Command,
  console: Console,
  stateOption: () => Option,
): void {
  const failover = program
    .command('failover')
    .description('who leads the replica sets of a cluster, and to move that by hand')
    .addHelpText('after', EXAMPLES);
  const add = (name: string, description: string): Command =>
    failover
      .command(name)
      .description(description)
      .option('--url <url>', 'any instance; left out: a cluster that `tonearm up` runs here')
      .option('--cookie-file <file>', 'its cookie; left out: TONEARM_CLUSTER_COOKIE')
      .option('--cluster <name>', 'which cluster, where `tonearm up` runs several')
      .addOption(
        new Option('-o, --output <form>', 'how').choices(['table', 'json']).default('table'),
      )
      .addOption(stateOption());
  add('status', 'show leaders, in-sync members, and what is wrong').action(
    async (options: FailoverOptions) => {
      const { printFailover } = await import('./commands/failover.ts');
      await printFailover(options, console);
    },
  );
  add('promote', 'let instances lead their replica sets, without a failed write')
    .argument('[instances...]', 'names or UUIDs')
    .addOption(
      listOption('--replica-set <names>', 'where; without instances any fit member is taken'),
    )
    .option('--force', 'where all in-sync members are lost; gives up writes that only they have')
    .addOption(
      listOption('--stopped <instances>', 'with --force: those that you have stopped for good'),
    )
    .option('--yes', 'with --force: do not ask')
    .action(async (names: readonly string[], options: PromoteOptions) => {
      const { promote } = await import('./commands/failover.ts');
      await promote(names, options, console);
    });
  for (const isPaused of [true, false]) {
    const name = isPaused ? 'pause' : 'resume';
    const description = isPaused
      ? 'keep leadership from moving by itself, on all instances that answer'
      : 'let leadership move by itself again';
    add(name, description).action(async (options: FailoverOptions) => {
      const { pause } = await import('./commands/failover.ts');
      await pause(isPaused, options, console);
    });
  }
}

/** Separated by commas, or given again. */
function listOption(flags: string, description: string): Option {
  const parse = (text: string, known: readonly string[] = []): readonly string[] => [
    ...known,
    ...text.split(','),
  ];
  return new Option(flags, description).argParser(parse);
}

const EXAMPLES = `
Examples:
  tonearm failover status                               of the cluster that "tonearm up" runs here
  tonearm failover promote storage-1-1                  let it lead its replica set
  tonearm failover promote --replica-set storage-1      any other member that is fit
  tonearm failover pause                                before work on the network, for example

On Kubernetes, behind "kubectl port-forward pod/shop-storage-1-0 8081":
  tonearm failover status --url http://127.0.0.1:8081 --cookie-file ./cookie

When all in-sync members of a replica set are lost for good:
  tonearm failover promote storage-1-1 --force --stopped storage-1-0`;
