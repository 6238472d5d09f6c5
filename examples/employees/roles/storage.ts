/** Keeps employees: one space, sharded by the employee's id. */
import { ClusterError, defineRole } from '@tonearm/runtime/role';
import { z } from 'zod';
import type { Employee } from './employee.ts';

const configSchema = z
  .strictObject({
    /** A greater salary is refused. */
    maxSalary: z.int().min(0).default(1_000_000),
  })
  .prefault({});

const NAME = 'app.roles.storage';

type StorageConfig = z.infer<typeof configSchema>;

export const storage = defineRole<StorageConfig>({
  name: NAME,
  dependencies: ['vshard-storage'],
  config: configSchema,

  async applyConfig(context, _config, { isLeader }) {
    if (!isLeader) return;
    await context.createSpace({
      name: 'employee',
      format: [
        { name: 'bucket_id', type: 'unsigned' },
        { name: 'employee_id', type: 'string' },
        { name: 'name', type: 'string' },
        { name: 'department', type: 'string' },
        { name: 'position', type: 'string' },
        { name: 'salary', type: 'unsigned' },
      ],
      indexes: [
        { name: 'primary', parts: ['employee_id'] },
        { name: 'bucket_id', unique: false, parts: ['bucket_id'] },
        { name: 'salary', unique: false, parts: ['salary'] },
      ],
    });
  },

  rpc: {
    async add(context, bucketId: number, employee: Employee) {
      const { maxSalary } = configSchema.parse(context.config.get(NAME));
      if (employee.salary > maxSalary) {
        throw new ClusterError('REQUEST_INVALID', {
          field: 'salary',
          message: `salary: must be at most ${maxSalary}, not ${employee.salary}`,
        });
      }
      await context.space('employee').insert({ bucket_id: bucketId, ...employee });
    },

    async find(context, employeeId: string) {
      const row = await context.space('employee').get([employeeId]);
      return row === undefined ? null : toEmployee(row);
    },

    async earning(context, salary: number) {
      const rows = await context.space('employee').select({
        ...{ index: 'salary', iterator: 'GE', key: [salary] },
        // Without a limit of its own it gives 1000 rows, and whoever reads the list would not know.
        limit: Number.POSITIVE_INFINITY,
      });
      return rows.map(toEmployee);
    },
  },
});

function toEmployee(row: Readonly<Record<string, unknown>>): unknown {
  const { bucket_id, ...employee } = row;
  return employee;
}
