/** What must hold between the parameters of failover, and between them and the topology (TVAL-11, FO-18, FO-26). */
import type { FailoverConfig, Topology } from '../../contract/cluster-config.ts';
import { MASK } from '../config/secrets.ts';
import { termSlot } from '../failover/eventual-term.ts';
import type { ConfigIssue, ValidationView } from './validation-view.ts';

export function validateFailover(view: ValidationView): readonly ConfigIssue[] {
  const { failover } = view.topology;
  return [
    ...(failover.fencing_enabled ? orderTimeouts(failover) : []),
    ...refuseMask(failover),
    ...(failover.mode === 'eventual' ? requireOwnTerms(view.topology) : []),
  ];
}

function refuseMask({ state_provider: provider }: FailoverConfig): readonly ConfigIssue[] {
  if (provider?.password !== MASK) return [];
  const message =
    'is the mask that is shown in the place of a password, and none is stored: give the password itself';
  return [issue('FO-18', 'state_provider.password', message)];
}

/** Two that lead at once must not use one term: each takes those of its slot. */
function requireOwnTerms({ servers }: Topology): readonly ConfigIssue[] {
  const taken = new Map<string, string>();
  return Object.entries(servers).flatMap(([uuid, server]) => {
    if (server === 'expelled') return [];
    const key = `${server.replicaset_uuid}/${termSlot(uuid)}`;
    const other = taken.get(key);
    taken.set(key, uuid);
    if (other === undefined) return [];
    const message = `takes the same terms as ${other} of its replica set, which mode "eventual" forbids: expel one of the two, and join it as a new instance`;
    return [{ field: `sections.topology.servers.${uuid}`, rule: 'FO-26', message }];
  });
}

/** A leader that sees nobody has to notice that, and to give up, before the others take its place. */
function orderTimeouts(failover: FailoverConfig): readonly ConfigIssue[] {
  const { failover_timeout, fencing_timeout, fencing_pause } = failover;
  const issues: ConfigIssue[] = [];
  if (failover_timeout <= fencing_timeout) {
    const message =
      `is ${failover_timeout} s, and must be longer than fencing_timeout (${fencing_timeout} s) while fencing is ` +
      'enabled, so that a leader gives up before another one is chosen: raise it, or lower fencing_timeout';
    issues.push(issue('TVAL-11', 'failover_timeout', message));
  }
  if (fencing_timeout < fencing_pause) {
    const message =
      `is ${fencing_timeout} s, and must not be shorter than fencing_pause (${fencing_pause} s), the time between ` +
      'two looks: raise it, or lower fencing_pause';
    issues.push(issue('TVAL-11', 'fencing_timeout', message));
  }
  return issues;
}

function issue(rule: string, field: string, message: string): ConfigIssue {
  return { field: `sections.topology.failover.${field}`, rule, message };
}
