/** How others find a pod whose ports are not those of its manifest. */
import type { LocalPorts } from '../objects.ts';

/** Read by the operator: `host:port` of an instance's HTTP server. */
export const HTTP_ADDRESS_ANNOTATION = 'tonearm.dev/http-address';
/** `name=port` of every container port. */
export const LOCAL_PORTS_ANNOTATION = 'tonearm.dev/local-ports';

/** The variable that tells an instance each of its ports. */
const PORT_VARIABLES: Readonly<Record<string, string>> = {
  http: 'TONEARM_HTTP_PORT',
  iproto: 'TONEARM_PORT',
};

/** What an instance must be told otherwise than its manifest says. */
export function localOverrides(ports: LocalPorts): Record<string, string> {
  const overrides: Record<string, string> = {
    TONEARM_ADVERTISE_HOST: '127.0.0.1',
    // Nobody else in the network of a laptop is to reach what runs on it.
    TONEARM_HTTP_HOST: '127.0.0.1',
  };
  for (const [name, variable] of Object.entries(PORT_VARIABLES)) {
    const port = ports[name];
    if (port !== undefined) overrides[variable] = String(port);
  }
  return overrides;
}
