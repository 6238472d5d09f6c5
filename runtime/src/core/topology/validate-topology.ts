/** What must hold between the parts of a topology, and between it and the one that it replaces (TVAL-03 to TVAL-07). */
import type { ReplicaSetConfig, Server } from '../../contract/cluster-config.ts';
import type { ConfigIssue, ValidationView } from './validation-view.ts';

type Rule = (view: ValidationView) => readonly ConfigIssue[];

const rules: readonly Rule[] = [
  requireSingleWriter,
  requireReplicaSetOfServer,
  requireUniqueUris,
  requireServersOfReplicaSet,
  requireLeadersOfReplicaSet,
  requireSelf,
  keepServers,
  refuseUnknownRoles,
];

export function validateTopology(view: ValidationView): readonly ConfigIssue[] {
  return rules.flatMap((rule) => rule(view));
}

function requireSingleWriter(view: ValidationView): readonly ConfigIssue[] {
  return replicaSets(view)
    .filter(([, replicaSet]) => replicaSet.all_rw)
    .map(([uuid]) =>
      issue(
        'TVAL-04',
        `replicasets.${uuid}.all_rw`,
        'is not supported yet: one instance of a replica set takes writes. Leave it out, or false',
      ),
    );
}

function requireReplicaSetOfServer(view: ValidationView): readonly ConfigIssue[] {
  return servers(view)
    .filter(([, server]) => view.topology.replicasets[server.replicaset_uuid] === undefined)
    .map(([uuid, server]) =>
      issue(
        'TVAL-05',
        `servers.${uuid}.replicaset_uuid`,
        `names replica set ${server.replicaset_uuid}, which does not exist`,
      ),
    );
}

/** An address belongs to one instance; two ports of one instance differ as well. */
function requireUniqueUris(view: ValidationView): readonly ConfigIssue[] {
  const owners = new Map<string, string>();
  const issues: ConfigIssue[] = [];
  for (const [uuid, server] of servers(view)) {
    for (const key of ['uri', 'http_uri'] as const) {
      const address = server[key];
      const field = `servers.${uuid}.${key}`;
      const owner = owners.get(address);
      if (owner === undefined) owners.set(address, field);
      else issues.push(issue('TVAL-05', field, `is ${address}, and so is ${owner}`));
    }
  }
  return issues;
}

function requireServersOfReplicaSet(view: ValidationView): readonly ConfigIssue[] {
  return replicaSets(view)
    .filter(([uuid]) => !servers(view).some(([, server]) => server.replicaset_uuid === uuid))
    .map(([uuid]) => issue('TVAL-05', `replicasets.${uuid}`, 'has no instance'));
}

function requireLeadersOfReplicaSet(view: ValidationView): readonly ConfigIssue[] {
  return replicaSets(view).flatMap(([uuid, replicaSet]) => {
    const list = replicaSet.failover_priority;
    return list.flatMap((leader, index) => {
      const field = `replicasets.${uuid}.failover_priority.${index}`;
      if (list.indexOf(leader) < index) {
        return [issue('TVAL-03', field, `names ${leader} a second time`)];
      }
      const server = view.topology.servers[leader];
      if (server === undefined)
        return [issue('TVAL-05', field, `names ${leader}, which is unknown`)];
      if (server === 'expelled') {
        return [issue('TVAL-05', field, `names ${leader}, which was expelled`)];
      }
      if (server.replicaset_uuid === uuid) return [];
      return [issue('TVAL-05', field, `names ${leader}, which belongs to another replica set`)];
    });
  });
}

function requireSelf(view: ValidationView): readonly ConfigIssue[] {
  if (view.self === undefined) return [];
  const field = `servers.${view.self}`;
  const server = view.topology.servers[view.self];
  if (server === undefined) return [issue('TVAL-06', field, 'is this instance, and is missing')];
  if (server === 'expelled') {
    return [issue('TVAL-06', field, 'is this instance: it cannot expel itself; ask another one')];
  }
  if (!server.disabled) return [];
  return [
    issue('TVAL-06', `${field}.disabled`, 'this instance cannot disable itself; ask another one'),
  ];
}

function keepServers(view: ValidationView): readonly ConfigIssue[] {
  return Object.entries(view.previous?.topology.servers ?? {}).flatMap(([uuid, before]) => {
    const after = view.topology.servers[uuid];
    const field = `servers.${uuid}`;
    if (after === undefined) {
      return [issue('TVAL-07', field, 'cannot be left out: expel it, and it stays as "expelled"')];
    }
    if (before === 'expelled') {
      if (after === 'expelled') return [];
      return [
        issue('TVAL-07', field, 'was expelled and cannot come back: join it as a new instance'),
      ];
    }
    if (after === 'expelled' || after.replicaset_uuid === before.replicaset_uuid) return [];
    return [
      issue(
        'TVAL-07',
        `${field}.replicaset_uuid`,
        `cannot change: its data is that of replica set ${before.replicaset_uuid}`,
      ),
    ];
  });
}

/** A role that is enabled already is tolerated: another release of the application may know it. */
function refuseUnknownRoles(view: ValidationView): readonly ConfigIssue[] {
  const { knownRoles } = view;
  if (knownRoles === undefined) return [];
  return replicaSets(view).flatMap(([uuid, replicaSet]) => {
    const before = view.previous?.topology.replicasets[uuid]?.roles ?? [];
    return replicaSet.roles.flatMap((role, index) =>
      knownRoles.includes(role) || before.includes(role)
        ? []
        : [
            issue(
              'TVAL-07',
              `replicasets.${uuid}.roles.${index}`,
              `names role "${role}", which this application does not have; it has ${knownRoles.join(', ')}`,
            ),
          ],
    );
  });
}

function servers(view: ValidationView): readonly (readonly [string, Server])[] {
  return Object.entries(view.topology.servers).filter(
    (entry): entry is [string, Server] => entry[1] !== 'expelled',
  );
}

function replicaSets(view: ValidationView): readonly (readonly [string, ReplicaSetConfig])[] {
  return Object.entries(view.topology.replicasets);
}

function issue(rule: string, path: string, message: string): ConfigIssue {
  return { field: `sections.topology.${path}`, rule, message };
}
