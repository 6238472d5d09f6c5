/** Tells two processes of the same id apart, so that a record of an old one never ends a stranger. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** When a process began, in the system's own words; nothing when there is no such process. */
export function processStartTime(pid: number): string | undefined {
  try {
    return process.platform === 'linux' ? fromProcfs(pid) : fromPs(pid);
  } catch {
    // Reading fails exactly when the process is gone.
    return undefined;
  }
}

function fromProcfs(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the command in brackets and may hold anything; state is the third, the start the 22nd.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? undefined : fields[19];
}

function fromPs(pid: number): string | undefined {
  const text = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
  return text.trim() === '' ? undefined : text.trim();
}
