import { z } from 'zod';

/** An employee, as the HTTP API takes and gives it. */
export const employeeSchema = z.strictObject({
  employee_id: z.string().min(1).max(200),
  name: z.string().min(1),
  department: z.string().min(1),
  position: z.string().min(1),
  salary: z.int().min(0),
});

export type Employee = z.infer<typeof employeeSchema>;
