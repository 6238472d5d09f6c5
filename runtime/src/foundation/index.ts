export { AssertionError, assert, unreachable } from './assert.ts';
export { type Clock, systemClock } from './clock.ts';
export {
  createLogger,
  type LogFields,
  type Logger,
  type LoggerOptions,
  silentLogger,
} from './logger.ts';
export { nodeHttp } from './node-http.ts';
export { type Random, systemRandom } from './random.ts';
export { TaskRegistry } from './task-registry.ts';
