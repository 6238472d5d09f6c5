/** Secrets and ConfigMaps that a Cluster names. They are read by name each time: the operator may not list Secrets. */
import type { Json } from '@tonearm/runtime/contract';
import { RESOURCES } from '../api/resources.ts';
import type { Cluster } from '../api/v1alpha1/cluster.ts';
import { cookieSecretName } from '../core/resources/names.ts';
import type { ConfigSource, CookieSecret, ProviderCredentials } from '../core/snapshot.ts';
import type { Kube } from '../ports/kube.ts';
import type { SectionParser } from '../ports/section-parser.ts';
import { decodeBase64 } from './secret-data.ts';

type NamedSource = NonNullable<Cluster['spec']['configFrom']>[number];

export class ConfigSourceReader {
  readonly #kube: Kube;
  readonly #parser: SectionParser;

  constructor(kube: Kube, parser: SectionParser) {
    this.#kube = kube;
    this.#parser = parser;
  }

  async readCookie(cluster: Cluster, namespace: string): Promise<CookieSecret | undefined> {
    const name = cookieSecretName(cluster.metadata.name);
    const secret = await this.#kube.get(RESOURCES.secrets, { name, namespace });
    if (secret === undefined) return undefined;
    return {
      hasCookie: (secret.data?.['cookie'] ?? '') !== '',
      operatorKeys: decodeBase64(secret.data?.['operator-keys']) ?? '',
    };
  }

  async readCredentials(
    cluster: Cluster,
    namespace: string,
  ): Promise<ProviderCredentials | undefined> {
    const name = cluster.spec.failover.stateProvider?.etcd?.credentialsSecretName;
    if (name === undefined) return undefined;
    const secret = await this.#kube.get(RESOURCES.secrets, { name, namespace });
    const username = decodeBase64(secret?.data?.['username']);
    const password = decodeBase64(secret?.data?.['password']);
    if (username === undefined || password === undefined) return undefined;
    return { username, password };
  }

  async readSections(cluster: Cluster, namespace: string): Promise<readonly ConfigSource[]> {
    const sources: ConfigSource[] = [];
    for (const named of cluster.spec.configFrom ?? []) {
      sources.push(await this.#readSource(named, namespace));
    }
    return sources;
  }

  async #readSource(source: NamedSource, namespace: string): Promise<ConfigSource> {
    const name =
      source.configMapName === undefined
        ? `Secret ${source.secretName ?? ''}`
        : `ConfigMap ${source.configMapName}`;
    const texts = await this.#readTexts(source, namespace);
    if (texts === undefined)
      return { kind: 'unusable', name, reason: 'does not exist: create it.' };
    const sections = new Map<string, Json>();
    for (const [key, text] of Object.entries(texts)) {
      const parsed = this.#parser.parse(text);
      if (parsed.kind === 'invalid') {
        return { kind: 'unusable', name, reason: `has the key ${key}, which ${parsed.reason}.` };
      }
      sections.set(key.replace(/\.ya?ml$/, ''), parsed.value);
    }
    return { kind: 'read', name, sections: Object.fromEntries(sections) };
  }

  async #readTexts(
    { configMapName, secretName }: NamedSource,
    namespace: string,
  ): Promise<Readonly<Record<string, string>> | undefined> {
    if (configMapName !== undefined) {
      const found = await this.#kube.get(RESOURCES.configMaps, { name: configMapName, namespace });
      return found === undefined ? undefined : (found.data ?? {});
    }
    const found = await this.#kube.get(RESOURCES.secrets, { name: secretName ?? '', namespace });
    if (found === undefined) return undefined;
    const texts = Object.entries(found.data ?? {}).map(
      ([key, value]) => [key, decodeBase64(value) ?? ''] as const,
    );
    return Object.fromEntries(texts);
  }
}
