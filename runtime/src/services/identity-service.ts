/** `instance.json`: read, advanced by this start, and durable before anyone hears of it. */
import { type InstanceIdentity, instanceIdentitySchema } from '../contract/identity.ts';
import { planIdentity, type StartFacts } from '../core/lifecycle/plan-identity.ts';
import type { Disk } from '../ports/disk.ts';
import { isReseedMarked } from './snapshot-switch.ts';

const FILE = 'instance.json';

export type OpenedIdentity =
  | { readonly kind: 'opened'; readonly identity: InstanceIdentity; readonly isNew: boolean }
  | { readonly kind: 'failed'; readonly reason: string };

export async function openIdentity(
  disk: Disk,
  facts: Omit<StartFacts, 'isReseeding'>,
): Promise<OpenedIdentity> {
  const bytes = await disk.read(FILE);
  const found = bytes === undefined ? undefined : parseIdentity(bytes);
  if (bytes !== undefined && found === undefined) {
    return {
      kind: 'failed',
      reason: `${FILE} is damaged: restore it, or move the data directory away to join anew`,
    };
  }
  const plan = planIdentity(found, { ...facts, isReseeding: await isReseedMarked(disk) });
  if (plan.kind === 'foreign') return { kind: 'failed', reason: plan.reason };
  await disk.writeAtomic(
    FILE,
    new TextEncoder().encode(`${JSON.stringify(plan.identity, null, 2)}\n`),
  );
  return { kind: 'opened', identity: plan.identity, isNew: plan.isNew };
}

function parseIdentity(bytes: Uint8Array): InstanceIdentity | undefined {
  try {
    const parsed = instanceIdentitySchema.safeParse(JSON.parse(new TextDecoder().decode(bytes)));
    return parsed.success ? parsed.data : undefined;
  } catch {
    // Not JSON: as damaged as any other wrong content.
    return undefined;
  }
}
