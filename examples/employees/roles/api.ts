/** The HTTP API of the tutorial: add an employee, find one, list those who earn at least so much. */
import { ClusterError, defineRole } from '@tonearm/runtime/role';
import { z } from 'zod';
import { type Employee, employeeSchema } from './employee.ts';

const salarySchema = z.coerce.number().int().min(0).default(0);

export const api = defineRole({
  name: 'app.roles.api',
  dependencies: ['vshard-router'],

  init(context) {
    const { vshard } = context;
    context.http.register(async (app) => {
      app.post('/employee', async (request, reply) => {
        const employee = parse(employeeSchema, request.body, 'body');
        const bucketId = vshard.bucketId(employee.employee_id);
        await vshard.callrw(bucketId, 'app.roles.storage.add', [bucketId, employee]);
        return reply.code(201).send(employee);
      });

      app.get<{ Params: { employee_id: string } }>('/employee/:employee_id', async (request) => {
        const id = request.params.employee_id;
        const employee = await vshard.callro(vshard.bucketId(id), 'app.roles.storage.find', [id]);
        if (employee === null)
          throw new ClusterError('NOT_FOUND', { message: `There is no employee "${id}".` });
        return employee;
      });

      app.get<{ Querystring: { salary?: string } }>('/employees', async (request) => {
        const salary = parse(salarySchema, request.query.salary, 'salary');
        const found = await vshard.mapCallro('app.roles.storage.earning', [salary]);
        const employees = [...found.values()].flat() as Employee[];
        return employees.sort(
          (a, b) => a.salary - b.salary || a.employee_id.localeCompare(b.employee_id),
        );
      });
    });
  },
});

/** Bad input is answered 400 and names the field. */
function parse<T>(schema: z.ZodType<T>, input: unknown, name: string): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const field =
    [...(issue?.path ?? []), ...(unknown === undefined ? [] : [unknown])].join('.') || name;
  throw new ClusterError('REQUEST_INVALID', {
    field,
    message: `${field}: ${issue?.message ?? 'is not valid'}`,
  });
}
