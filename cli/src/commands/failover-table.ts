/** The lines of `tonearm failover status`. Columns stay narrow; what is not as it should be has lines of its own. */
import type { FailoverOverview, LedReplicaSet } from '@tonearm/runtime/contract';
import { type Console, renderTable } from '../console.ts';

const STATES: Readonly<Record<LedReplicaSet['state'], string>> = {
  writable: 'writable',
  'peer-leases': 'by peer leases',
  'read-only': 'read-only',
  silent: 'silent',
  none: 'no leader',
};

export function renderOverview(
  overview: FailoverOverview,
  { bold }: Pick<Console, 'bold'>,
): readonly string[] {
  const header = ['REPLICA SET', 'LEADER', 'TERM', 'STATE', 'IN SYNC'];
  const rows = overview.replicaSets.map(({ name, leader, term, state, members }) => {
    const inSync = members.filter(({ isInSync }) => isInSync).length;
    return [name, leader?.name ?? '-', `${term}`, STATES[state], `${inSync}/${members.length}`];
  });
  const notes = overview.replicaSets.flatMap(notesOf);
  return [
    ...renderTable(factsOf(overview).map(([name, text]) => [bold(name), text])),
    '',
    ...renderTable([header, ...rows]),
    ...titled(bold('Replica sets'), notes),
    ...titled(bold('Issues'), issuesOf(overview)),
  ];
}

function factsOf(overview: FailoverOverview): readonly (readonly [string, string])[] {
  const { mode, stateProvider, coordinator, pausedOn, replicaSets } = overview;
  const enabled = replicaSets.flatMap(({ members }) => members.filter((one) => !one.isDisabled));
  const isEverywhere = pausedOn.length === enabled.length && enabled.length > 1;
  const where = isEverywhere ? `all ${enabled.length} instances` : pausedOn.join(', ');
  return [
    ['Mode', stateProvider === null ? mode : `${mode}, by ${stateProvider}`],
    ...(mode === 'stateful'
      ? [['Coordinator', coordinator ?? 'none is active: lost leaders are not replaced'] as const]
      : []),
    ...(pausedOn.length > 0
      ? [['Paused', `on ${where}: "tonearm failover resume" ends that`] as const]
      : []),
  ];
}

function notesOf({ name, isSuppressed, members }: LedReplicaSet): readonly string[] {
  const notes = members.flatMap((member) => {
    if (member.isDisabled) return [`${member.name} is disabled`];
    if (member.state === null) return [`${member.name} does not answer`];
    if (!member.isInSync) return [`${member.name} is not in sync, ${member.state}`];
    return [];
  });
  if (isSuppressed) notes.push('left alone for a while, because its leader changed too often');
  return notes.map((note) => `${name}: ${note}`);
}

/** What several instances say in the same words is one line: each of them tells of a pause, for one. */
function issuesOf({ issues }: FailoverOverview): readonly string[] {
  const same = new Map<string, readonly string[]>();
  for (const { instance, level, message } of issues) {
    const text = `${level}: ${message}`;
    same.set(text, [...(same.get(text) ?? []), instance]);
  }
  return [...same].map(([text, told]) => {
    const who = told.length === 1 ? (told[0] ?? '') : `${told.length} instances`;
    return `${who}: ${text}`;
  });
}

function titled(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)];
}
