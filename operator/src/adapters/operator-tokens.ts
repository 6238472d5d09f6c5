/**
 * The operator's own tokens: JWTs signed with Ed25519, for one cluster each, valid for a minute. A stolen one opens one
 * cluster for so long; the private key never leaves the operator.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { Clock } from '@tonearm/runtime/foundation';
import type { KeyGenerator } from '../ports/operator-keys.ts';

const LIFETIME_SECONDS = 60;
/** A token is used for half its life, so that none ends on its way. */
const REUSE_MS = (LIFETIME_SECONDS / 2) * 1000;

export const ed25519KeyGenerator: KeyGenerator = {
  generate() {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    return {
      publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    };
  },
};

export class OperatorTokens {
  readonly #key: KeyObject;
  readonly #clock: Clock;
  /** Audience → the token in use. */
  readonly #tokens = new Map<string, { readonly token: string; readonly madeAtMs: number }>();

  constructor(privateKeyPem: string, clock: Clock) {
    this.#key = createPrivateKey(privateKeyPem);
    this.#clock = clock;
  }

  tokenFor(clusterUuid: string): string {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#tokens.get(clusterUuid);
    if (known !== undefined && nowMs - known.madeAtMs < REUSE_MS) return known.token;
    const token = this.#sign(clusterUuid);
    this.#tokens.set(clusterUuid, { token, madeAtMs: nowMs });
    return token;
  }

  #sign(audience: string): string {
    const issuedAt = Math.floor(this.#clock.wallTime().getTime() / 1000);
    const header = encode({ alg: 'EdDSA', typ: 'JWT' });
    const claims = encode({
      iss: 'tonearm-operator',
      sub: 'tonearm-operator',
      aud: audience,
      iat: issuedAt,
      exp: issuedAt + LIFETIME_SECONDS,
    });
    const signature = sign(null, Buffer.from(`${header}.${claims}`), this.#key);
    return `${header}.${claims}.${signature.toString('base64url')}`;
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
