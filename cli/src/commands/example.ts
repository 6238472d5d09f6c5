/** The example of the repository, for those who start from a clone. */
import { existsSync } from 'node:fs';
import path from 'node:path';

export function exampleManifest(): string | undefined {
  const root = path.resolve(import.meta.dirname, '../../..');
  const file = path.join(root, 'examples/employees/cluster.yaml');
  return existsSync(file) ? file : undefined;
}
