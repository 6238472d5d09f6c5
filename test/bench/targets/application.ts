/** The application of a measured instance: one role that keeps the space of the measurement, as Tarantool's script does. */
import { runCluster } from '@tonearm/runtime';
import { defineRole } from '@tonearm/runtime/role';

const employees = defineRole({
  name: 'bench.employees',

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
});

await runCluster({ appName: 'bench', roles: [employees] });
