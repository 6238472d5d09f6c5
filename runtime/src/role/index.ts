export { ClusterError, type ErrorCode } from '../core/errors.ts';
export {
  type AnyRole,
  defineRole,
  type RoleDefinition,
  type RoleFunction,
  type RoleOptions,
} from './define-role.ts';
export type {
  CallOptions,
  RoleContext,
  RpcCallOptions,
  Space,
  SpaceDefinition,
  Vshard,
} from './role-context.ts';
export type {
  FieldDefinition,
  FieldType,
  IndexDefinition,
  Iterator,
  SelectOptions,
  Tuple,
} from './space-types.ts';
