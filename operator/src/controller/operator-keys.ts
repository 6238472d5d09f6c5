/** The operator's key pair: made once, kept in a Secret of its own namespace, and the same after every restart. */
import { RESOURCES } from '../api/resources.ts';
import { type Kube, KubeError } from '../ports/kube.ts';
import type { KeyGenerator, OperatorKeys } from '../ports/operator-keys.ts';
import { decodeBase64, encodeBase64 } from './secret-data.ts';

export async function loadOperatorKeys(
  kube: Kube,
  secret: { readonly namespace: string; readonly name: string },
  generator: KeyGenerator,
): Promise<OperatorKeys> {
  const found = await readKeys(kube, secret);
  if (found !== undefined) return found;
  const made = generator.generate();
  try {
    await kube.create(RESOURCES.secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { ...secret, labels: { 'app.kubernetes.io/name': 'tonearm' } },
      type: 'Opaque',
      data: {
        'public.pem': encodeBase64(made.publicKey),
        'private.pem': encodeBase64(made.privateKey),
      },
    });
    return made;
  } catch (error) {
    if (!(error instanceof KubeError) || error.status !== 409) throw error;
    // Another operator was faster: its keys are the ones.
    const others = await readKeys(kube, secret);
    if (others === undefined) throw error;
    return others;
  }
}

async function readKeys(
  kube: Kube,
  name: { readonly namespace: string; readonly name: string },
): Promise<OperatorKeys | undefined> {
  const secret = await kube.get(RESOURCES.secrets, name);
  if (secret === undefined) return undefined;
  const publicKey = decodeBase64(secret.data?.['public.pem']);
  const privateKey = decodeBase64(secret.data?.['private.pem']);
  if (publicKey !== undefined && privateKey !== undefined) return { publicKey, privateKey };
  throw new Error(
    `Secret ${name.namespace}/${name.name} lacks public.pem or private.pem: delete it to have it made anew`,
  );
}
