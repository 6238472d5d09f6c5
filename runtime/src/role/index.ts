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
  SelectRowsOptions,
  Space,
  SpaceDefinition,
  SpaceRow,
  Vshard,
  WriteRowOptions,
} from './role-context.ts';
