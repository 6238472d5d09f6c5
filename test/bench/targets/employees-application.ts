/** The employees, whose routers can also make the load of a measurement in their own process. */
import { runCluster } from '@tonearm/runtime';
import { ClusterError, defineRole, type RoleContext } from '@tonearm/runtime/role';
import { z } from 'zod';
import { api } from '../../../examples/employees/roles/api.ts';
import { storage } from '../../../examples/employees/roles/storage.ts';
import { LOAD_PATH, type LoadReport } from '../failover/router-load.ts';
import { type Employee, type Outcome, SteadyWrites } from '../failover/steady-writes.ts';

const loadSchema = z.object({
  perSecond: z.number(),
  rowsPerCall: z.number(),
  sets: z.array(z.number()),
  salary: z.number(),
  bucketsPerSet: z.number(),
});

const storageOfMany = defineRole({
  ...storage,

  rpc: {
    ...storage.rpc,
    /** Each row is a write of its own. */
    async addAll(context, bucketId: number, employees: readonly Employee[]) {
      await Promise.all(
        employees.map((employee) =>
          context.space('employee').insert({ bucket_id: bucketId, ...employee }),
        ),
      );
    },
  },
});

const apiWithLoad = defineRole({
  ...api,

  async init(context, options) {
    await api.init?.(context, options);
    let load: SteadyWrites | undefined;
    context.http.register(async (app) => {
      app.post(LOAD_PATH, async ({ body }) => {
        const { bucketsPerSet, ...plan } = loadSchema.parse(body);
        load = new SteadyWrites({
          ...plan,
          setOf: (id) => Math.floor((context.vshard.bucketId(id) - 1) / bucketsPerSet),
          write: (employees) => addAll(context, employees),
        });
        return {};
      });
      app.delete(LOAD_PATH, async () => {
        if (load === undefined)
          throw new ClusterError('NOT_FOUND', { message: 'There is no load.' });
        await load.stop();
        return reportOf(load);
      });
    });
  },
});

async function addAll({ vshard }: RoleContext, employees: readonly Employee[]): Promise<Outcome> {
  const bucketId = vshard.bucketId(employees[0]?.employee_id ?? '');
  try {
    await vshard.callrw(bucketId, 'app.roles.storage.addAll', [bucketId, employees]);
    return { status: 201, reason: '' };
  } catch (error) {
    return { status: error instanceof ClusterError ? error.status : 0, reason: String(error) };
  }
}

function reportOf({ acknowledged, failed, reasons, ranMs }: SteadyWrites): LoadReport {
  const { timeOrigin } = performance;
  return {
    acknowledged: acknowledged.map((row) => ({ ...row, atMs: row.atMs + timeOrigin })),
    failed: [...failed],
    reasons: [...reasons],
    ranMs,
  };
}

await runCluster({ appName: 'employees', roles: [storageOfMany, apiWithLoad] });
