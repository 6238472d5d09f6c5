import { needsApply } from '../diff/needs-apply.ts';
import { buildServices } from '../resources/build-services.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import type { Action, Verdict } from '../verdict.ts';
import { act } from '../verdict.ts';

export function keepServices({ cluster, services }: ClusterSnapshot): readonly Verdict[] {
  const actions = buildServices(cluster).flatMap((intent): Action[] => {
    const found = services.find((service) => service.metadata.name === intent.metadata.name);
    return needsApply(intent, found) ? [{ kind: 'apply', resource: 'services', intent }] : [];
  });
  if (actions.length === 0) return [];
  return [act(actions, 'ApplyingServices', `${actions.length} Services are applied.`)];
}
