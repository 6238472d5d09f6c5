/**
 * `tonearm-instance ENTRY [arguments]`: the first process of a container. It runs the application's entry file as its
 * child, passes signals on, releases leadership when the child is dead, and ends with the child's exit code.
 */
import { launch } from './launch.ts';

const command = process.argv.slice(2);
if (command.length === 0) {
  process.stderr.write('usage: tonearm-instance ENTRY [arguments]\n');
  process.exitCode = 2;
} else {
  process.exitCode = await launch({ command, loadReleaser: () => import('./releaser.ts') });
}
