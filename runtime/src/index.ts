export { type ClusterOptions, runCluster } from './run-cluster.ts';
