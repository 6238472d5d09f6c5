/** Which resources are served now: the built-in ones, and those of the definitions in the store. */
import { type CustomValidation, customResources } from './custom-resources.ts';
import { groupVersion, type KubernetesObject } from './kubernetes-object.ts';
import { BUILTIN_RESOURCES } from './resources.ts';
import type { ServedResource } from './served-resource.ts';

export interface ResourceAddress {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
}

export class ResourceRegistry {
  readonly #validate: CustomValidation;
  readonly #custom = new Map<string, readonly ServedResource[]>();

  constructor(validate: CustomValidation) {
    this.#validate = validate;
  }

  define(definition: KubernetesObject): void {
    const { name } = definition.metadata;
    this.#custom.set(name, customResources(definition, this.#validate));
  }

  undefine(definitionName: string): void {
    this.#custom.delete(definitionName);
  }

  all(): readonly ServedResource[] {
    return [...BUILTIN_RESOURCES, ...[...this.#custom.values()].flat()];
  }

  find(address: ResourceAddress): ServedResource | undefined {
    return this.all().find(
      (resource) =>
        resource.plural === address.plural &&
        resource.group === address.group &&
        resource.version === address.version,
    );
  }

  findKind(apiVersion: string, kind: string): ServedResource | undefined {
    return this.all().find(
      (resource) =>
        resource.kind === kind && groupVersion(resource.group, resource.version) === apiVersion,
    );
  }

  /** Any version of what a definition makes served, to reach all its objects. */
  ofDefinition(definitionName: string): ServedResource | undefined {
    return this.#custom.get(definitionName)?.[0];
  }

  byStorageId(id: string): ServedResource | undefined {
    return this.all().find((resource) => resource.storageId === id);
  }
}
