/** The example of the repository, for those who start from a clone. */
import { existsSync } from 'node:fs';
import path from 'node:path';

const FOLDER = path.resolve(import.meta.dirname, '../../../examples/employees');

export function exampleManifest(): string | undefined {
  const file = path.join(FOLDER, 'cluster.yaml');
  return existsSync(file) ? file : undefined;
}

export function isExample(applicationDirectory: string): boolean {
  return path.resolve(applicationDirectory) === FOLDER;
}

/** Commands to try on the example, to copy as they are. */
export function exampleCommands(address: string): readonly string[] {
  const employee = {
    employee_id: '7',
    name: 'Ada',
    department: 'IT',
    position: 'engineer',
    salary: 5000,
  };
  return [
    'Add an employee, find it, list those who earn 4000 or more:',
    `  curl -H 'content-type: application/json' http://${address}/employee -d '${JSON.stringify(employee)}'`,
    `  curl http://${address}/employee/7`,
    `  curl 'http://${address}/employees?salary=4000'`,
  ];
}
