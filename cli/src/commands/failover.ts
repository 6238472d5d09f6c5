/** `tonearm failover`: who leads, and to move leadership by hand, through any instance of a cluster. */
import { createInterface } from 'node:readline/promises';
import { failoverOverviewSchema } from '@tonearm/runtime/contract';
import { z } from 'zod';
import { CommandError } from '../command-error.ts';
import { type Console, renderTable } from '../console.ts';
import { callAdmin } from './admin-client.ts';
import { findTarget, type TargetOptions } from './admin-target.ts';
import { planPromotion } from './failover-promotion.ts';
import { renderOverview } from './failover-table.ts';

export interface FailoverOptions extends TargetOptions {
  readonly output: 'table' | 'json';
}

export interface PromoteOptions extends FailoverOptions {
  readonly replicaSet?: readonly string[];
  readonly force?: boolean;
  readonly stopped?: readonly string[];
  readonly yes?: boolean;
}

const promotedSchema = z.object({
  promoted: z.array(
    z.object({
      replicaSetUuid: z.string(),
      uuid: z.string(),
      term: z.int(),
      withoutWritesMs: z.number(),
    }),
  ),
});
const pauseSchema = z.object({ isPaused: z.boolean(), instances: z.array(z.string()) });

const overviewCall = {
  method: 'GET',
  path: '/admin/failover/status',
  answer: failoverOverviewSchema,
} as const;

export async function printFailover(options: FailoverOptions, console: Console): Promise<void> {
  const overview = await callAdmin(await findTarget(options, process.env), overviewCall);
  if (options.output === 'json') console.line(JSON.stringify(overview, undefined, 2));
  else for (const line of renderOverview(overview, console)) console.line(line);
}

export async function promote(
  names: readonly string[],
  options: PromoteOptions,
  console: Console,
): Promise<void> {
  const target = await findTarget(options, process.env);
  const overview = await callAdmin(target, overviewCall);
  const plan = planPromotion(overview, {
    instances: names,
    replicaSets: options.replicaSet ?? [],
    stopped: options.stopped ?? [],
  });
  const force = options.force === true;
  if (!force && plan.stopped.length > 0) {
    throw new CommandError('--stopped says something only together with --force', 2);
  }
  if (force && options.yes !== true) await confirmForce(plan.stoppedNames);
  const { promoted } = await callAdmin(target, {
    method: 'POST',
    path: '/admin/promote',
    body: { leaders: plan.leaders, ...(force ? { force, stopped: plan.stopped } : {}) },
    answer: promotedSchema,
  });
  const told = promoted.map((one) => {
    const set = overview.replicaSets.find(({ uuid }) => uuid === one.replicaSetUuid);
    const leader = set?.members.find(({ uuid }) => uuid === one.uuid)?.name ?? one.uuid;
    return { replicaSet: set?.name ?? one.replicaSetUuid, leader, ...one };
  });
  if (options.output === 'json') {
    console.line(JSON.stringify({ promoted: told }, undefined, 2));
    return;
  }
  const header = ['REPLICA SET', 'LEADER', 'TERM', 'WITHOUT WRITES'];
  const rows = told.map(({ replicaSet, leader, term, withoutWritesMs }) => {
    return [replicaSet, leader, `${term}`, `${withoutWritesMs} ms`];
  });
  for (const line of renderTable([header, ...rows])) console.line(line);
}

export async function pause(
  isPaused: boolean,
  options: FailoverOptions,
  console: Console,
): Promise<void> {
  const answer = await callAdmin(await findTarget(options, process.env), {
    method: 'POST',
    path: `/admin/failover/${isPaused ? 'pause' : 'resume'}`,
    answer: pauseSchema,
  });
  if (options.output === 'json') {
    console.line(JSON.stringify(answer, undefined, 2));
    return;
  }
  const where = `on ${answer.instances.length} instances`;
  if (!isPaused) console.line(`Failover is resumed ${where}: leadership moves by itself again.`);
  else {
    console.line(`Failover is paused ${where}. A leader that dies now is not replaced until`);
    console.line('"tonearm failover resume", or "tonearm failover promote" for its replica set.');
  }
}

/** On a terminal it is asked for; a script has to say `--yes`. */
async function confirmForce(stopped: readonly string[]): Promise<void> {
  const warning = [
    'By force, acknowledged writes are lost that only members have which do not answer.',
    ...(stopped.length === 0
      ? []
      : [`If ${stopped.join(' or ')} still runs, there are two leaders.`]),
  ].join('\n');
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new CommandError(`${warning}\nSay --yes if that is meant.`, 2);
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const question = `${warning}\nType "force" to go on: `;
  // Ctrl-D and Ctrl-C are no consent.
  const answer = await terminal.question(question).catch(() => '');
  terminal.close();
  if (answer.trim() !== 'force') throw new CommandError('nothing was done');
}
