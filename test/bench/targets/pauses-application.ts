/**
 * The application of an instance whose pauses are measured: the space of the other measurements, and routes that do
 * what takes long and say how long the main loop stood still meanwhile.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { runCluster } from '@tonearm/runtime';
import { defineRole } from '@tonearm/runtime/role';
import { z } from 'zod';
import { MemoryEngine } from '../../../runtime/src/core/storage/memory/memory-engine.ts';
import { systemClock } from '../../../runtime/src/foundation/clock.ts';
import { inSlices } from '../../../runtime/src/services/slices.ts';
import { employee } from './employee-space.ts';

const RESOLUTION_MS = 1;
/** As an instance frees what was dropped. */
const SLICE_MS = 2;
const ROWS_PER_STEP = 1000;
const SELECTED = 100_000;

const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
loop.enable();

const fillSchema = z.object({ rows: z.number() });
const endSchema = z.object({ how: z.enum(['drop', 'truncate']) });

/** An engine of its own: no role can drop a space, so this is done as the storage of the instance does it. */
let beside = new MemoryEngine();

const pauses = defineRole({
  name: 'bench.employees',

  async applyConfig(context, _config, { isLeader }) {
    if (isLeader) await context.createSpace(employee);
  },

  init(context) {
    context.http.register(async (app) => {
      app.post('/bench/pauses', async () => {
        const seen = { maxMs: loop.max / 1e6, p999Ms: loop.percentile(99.9) / 1e6 };
        loop.reset();
        return seen;
      });
      app.post('/bench/index', async () => {
        const index = { name: 'salary_name', unique: true, parts: ['salary', 'employee_id'] };
        await context.createSpace({ ...employee, indexes: [...employee.indexes, index] });
        return {};
      });
      app.post('/bench/count', async () => ({ count: await context.space('employee').count() }));
      app.post('/bench/select', async () => {
        const found = await context.space('employee').select({ limit: SELECTED });
        return { count: found.length };
      });
      app.post('/bench/fill', async ({ body }) => {
        beside = new MemoryEngine();
        await fill(beside, fillSchema.parse(body).rows);
        return {};
      });
      app.post('/bench/end', async ({ body }) => {
        const { how } = endSchema.parse(body);
        const transaction = beside.begin();
        if (how === 'drop') transaction.dropSpace('employee');
        else transaction.truncate('employee');
        transaction.commit();
        beside.rows.take();
        const slices = { clock: systemClock, sliceMs: SLICE_MS, pauseRatio: 1 };
        await inSlices(() => beside.collectGarbage(), slices);
        return { tupleBytes: beside.memory.arena.tupleBytes };
      });
    });
  },
});

async function fill(engine: MemoryEngine, rows: number): Promise<void> {
  const schema = engine.begin();
  schema.createSpace(employee.name, { format: employee.format });
  for (const index of employee.indexes) schema.createIndex(employee.name, index);
  schema.commit();
  for (let at = 0; at < rows; at += ROWS_PER_STEP) {
    const transaction = engine.begin();
    for (let n = at; n < Math.min(rows, at + ROWS_PER_STEP); n++) {
      const id = Math.imul(n, 0x9e37_79b1) >>> 0;
      transaction.insert(employee.name, [id % 3000, `e${id}-${n}`, 'Jane', 'Sales', 'Clerk', n]);
    }
    transaction.commit();
    engine.rows.take();
    await delay(0);
  }
}

await runCluster({ appName: 'bench', roles: [pauses] });
