/** Asks a container over HTTP how it is; any answer below 400 is good, as for the kubelet. */
import { nodeHttp } from '@tonearm/runtime/foundation';

export interface ProbeAnswer {
  readonly isOk: boolean;
  readonly message: string;
}

export interface ProbeTarget {
  readonly port: number;
  readonly path: string;
  readonly timeoutMs: number;
}

export function probeHttp(target: ProbeTarget, signal: AbortSignal): Promise<ProbeAnswer> {
  return new Promise((resolve) => {
    const question = nodeHttp.request({
      host: '127.0.0.1',
      port: target.port,
      path: target.path,
      timeout: target.timeoutMs,
      // A connection that is kept open would tell more about the last probe than about this one.
      agent: false,
      signal,
    });
    question.once('response', (response) => {
      response.resume();
      const status = response.statusCode ?? 0;
      const isOk = status >= 200 && status < 400;
      resolve({ isOk, message: `HTTP probe failed with statuscode: ${status}` });
    });
    question.once('timeout', () => question.destroy(new Error('no answer in time')));
    question.once('error', (error) => resolve({ isOk: false, message: error.message }));
    question.end();
  });
}
