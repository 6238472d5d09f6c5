/** What tools need of the data directory of an instance that does not run. */
export { NodeDisk } from './adapters/node-disk.ts';
export {
  type DumpedBatch,
  dumpLog,
  type VerifiedData,
  type VerifiedFile,
  verifyData,
} from './services/replica-log-verify.ts';
export { markReseed } from './services/snapshot-switch.ts';
