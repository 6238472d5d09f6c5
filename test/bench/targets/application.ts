/** The application of a measured instance: one role that keeps the space of the measurement, as Tarantool's script does. */
import { runCluster } from '@tonearm/runtime';
import { defineRole } from '@tonearm/runtime/role';
import { employee } from './employee-space.ts';

const employees = defineRole({
  name: 'bench.employees',

  async applyConfig(context, _config, { isLeader }) {
    if (isLeader) await context.createSpace(employee);
  },
});

await runCluster({ appName: 'bench', roles: [employees] });
