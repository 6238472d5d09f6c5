export * from './cluster-config.ts';
export * from './error-body.ts';
export * from './failover-overview.ts';
export * from './identity.ts';
export * from './instance-status.ts';
export * from './json.ts';
export * from './provider-records.ts';
export * from './two-phase.ts';
