/** How somebody deletes a key of the state provider by hand: a command of the shell, which asks for a password itself. */
import type { StateProviderConfig } from '../../contract/cluster-config.ts';

export function deleteCommand(config: StateProviderConfig, key: string): string {
  const whole = config.prefix + key;
  if (config.kind === 'etcd') {
    const { endpoints, username } = config;
    const user = username === undefined ? '' : ` --user ${quoted(username)}`;
    return `etcdctl --endpoints ${quoted(endpoints.join(','))}${user} del ${quoted(whole)}`;
  }
  const body = JSON.stringify({
    equal: [],
    compare: [],
    writes: [{ kind: 'delete', key: whole }],
  });
  // Without a password an empty one is asked for.
  return `curl -u client ${quoted(`http://${config.uri}/v1/transact`)} -d ${quoted(body)}`;
}

function quoted(text: string): string {
  return /^[\w./:,@-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
