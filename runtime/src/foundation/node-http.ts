/**
 * `node:http` without what its import brings along: an import evaluates every export, and one of them is a getter that
 * loads fetch, WebSocket and all that they need, a tenth of a second in each process of a cluster.
 */
export const nodeHttp = process.getBuiltinModule('node:http');
