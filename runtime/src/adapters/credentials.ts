/**
 * Who may use the admin API and the internal calls: whoever knows the cluster's cookie, or holds a token of an operator.
 *
 * A token is a JWT signed with Ed25519, with the cluster's UUID as audience, valid for a minute. Public keys come from
 * a file that the operator writes and are read again when it changes, so that a key can be rotated.
 */
import { createHash, createPublicKey, type KeyObject, timingSafeEqual, verify } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';

export interface CredentialsOptions {
  readonly cookie: string;
  /** A file of PEM public keys; empty for none. */
  readonly operatorKeysFile: string;
  readonly clusterUuid: () => string;
}

/** Clocks of two machines differ a little. */
const CLOCK_TOLERANCE_SECONDS = 30;

export class Credentials {
  readonly #options: CredentialsOptions;
  readonly #cookieDigest: Buffer;
  #keys: readonly KeyObject[] = [];
  #keysReadAt = '';

  constructor(options: CredentialsOptions) {
    this.#options = options;
    this.#cookieDigest = digest(options.cookie);
  }

  /** The header that this instance sends to its peers. */
  get ownHeader(): string {
    return `Basic ${Buffer.from(`admin:${this.#options.cookie}`).toString('base64')}`;
  }

  /** Tells clusters apart without telling the cookie. */
  get cookieHash(): string {
    return this.#cookieDigest.toString('hex');
  }

  accepts(header: string | undefined): boolean {
    if (header === undefined) return false;
    if (/^basic /i.test(header)) return this.#acceptsBasic(header.slice(6).trim());
    return /^bearer /i.test(header) && this.#acceptsToken(header.slice(7).trim());
  }

  #acceptsBasic(encoded: string): boolean {
    const text = Buffer.from(encoded, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    if (text.slice(0, colon) !== 'admin') return false;
    return timingSafeEqual(digest(text.slice(colon + 1)), this.#cookieDigest);
  }

  #acceptsToken(token: string): boolean {
    const [header, payload, signature, ...rest] = token.split('.');
    if (header === undefined || payload === undefined || signature === undefined || rest.length > 0)
      return false;
    if (parsePart(header)?.['alg'] !== 'EdDSA') return false;
    const claims = parsePart(payload);
    if (claims?.['aud'] !== this.#options.clusterUuid() || !isFresh(claims)) return false;
    const signed = Buffer.from(`${header}.${payload}`);
    const bytes = Buffer.from(signature, 'base64url');
    return this.#publicKeys().some((key) => verify(null, signed, key, bytes));
  }

  #publicKeys(): readonly KeyObject[] {
    const file = this.#options.operatorKeysFile;
    if (file === '') return [];
    try {
      const version = `${statSync(file).mtimeMs}`;
      if (version !== this.#keysReadAt) {
        const pems =
          readFileSync(file, 'utf8').match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? [];
        this.#keys = pems
          .map((pem) => createPublicKey(pem))
          .filter((key) => key.asymmetricKeyType === 'ed25519');
        this.#keysReadAt = version;
      }
    } catch {
      // A Secret volume is swapped by renaming: the keys that were read before stay good until the next look.
    }
    return this.#keys;
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function parsePart(part: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function isFresh(claims: Record<string, unknown>): boolean {
  const nowSeconds = Date.now() / 1000;
  const expires = claims['exp'];
  return (
    typeof expires === 'number' &&
    expires > nowSeconds - CLOCK_TOLERANCE_SECONDS &&
    expires < nowSeconds + 3600
  );
}
