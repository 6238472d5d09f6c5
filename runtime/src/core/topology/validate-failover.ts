/** What must hold between the parameters of failover, and between them and the topology (TVAL-08, TVAL-11). */
import type { FailoverConfig } from '../../contract/cluster-config.ts';
import type { ConfigIssue, ValidationView } from './validation-view.ts';

export function validateFailover(view: ValidationView): readonly ConfigIssue[] {
  const { failover } = view.topology;
  return [...refuseMode(failover), ...(failover.fencing_enabled ? orderTimeouts(failover) : [])];
}

function refuseMode({ mode }: FailoverConfig): readonly ConfigIssue[] {
  if (mode !== 'eventual') return [];
  const message = `"${mode}" is not supported yet: use "stateful", or "disabled"`;
  return [issue('TVAL-08', 'mode', message)];
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
