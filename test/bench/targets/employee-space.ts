/** The space of the measurements, as Tarantool's script beside it has it. */
import type { SpaceDefinition } from '@tonearm/runtime/role';

export const employee: SpaceDefinition = {
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
};
