/**
 * Ends the children of a process that was killed. It reads from its parent, over a pipe, which process groups to
 * watch (`+PID`) and which to forget (`-PID`); when the pipe ends, the parent is gone, and so are they.
 */
import { createInterface } from 'node:readline';

const watched = new Set<number>();
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const pid = Number(line.slice(1));
  if (!Number.isInteger(pid) || pid <= 1) return;
  if (line.startsWith('+')) watched.add(pid);
  else watched.delete(pid);
});
lines.on('close', () => {
  for (const pid of watched) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
});
