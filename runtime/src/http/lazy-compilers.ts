/**
 * Fastify's own compilers of JSON schemas, loaded when the first route has a schema: they are two thirds of the files
 * that Fastify loads, and the routes of an instance have no schemas.
 */
import { createRequire } from 'node:module';
import type { FastifyServerOptions } from 'fastify';

type Compilers = NonNullable<
  NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']
>;
type Factory = (...args: readonly unknown[]) => unknown;

export function lazyCompilers(): Pick<FastifyServerOptions, 'schemaController'> {
  const compilersFactory = {
    buildValidator: lazyFactory('@fastify/ajv-compiler'),
    buildSerializer: lazyFactory('@fastify/fast-json-stringify-compiler'),
  } as Compilers;
  return { schemaController: { compilersFactory } };
}

function lazyFactory(name: string): Factory {
  return (...args) => {
    // The very packages that Fastify would load.
    const load = createRequire(createRequire(import.meta.url).resolve('fastify'));
    const select = load(name) as () => Factory;
    return select()(...args);
  };
}
