/** The allowed arrows: `docs/architecture.md` shows them as a picture. */
const tests = '\\.test\\.ts$|^test/';
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'core-is-pure',
      severity: 'error',
      from: { path: '^(runtime|operator)/src/core/', pathNot: tests },
      to: {
        pathNot: [
          '^(runtime|operator)/src/core/',
          '^runtime/src/contract/',
          '^runtime/src/foundation/(assert|index)\\.ts$',
          '^operator/src/api/',
          'node_modules/(zod|@noble/hashes|msgpackr|yaml)/',
        ],
      },
    },
    {
      name: 'ports-are-interfaces',
      severity: 'error',
      from: { path: '^(runtime|operator)/src/ports/' },
      to: {
        pathNot: [
          '^(runtime|operator)/src/(core|ports)/',
          '^runtime/src/(contract|foundation)/',
          '^operator/src/api/',
        ],
      },
    },
    {
      name: 'services-know-no-adapter',
      severity: 'error',
      from: { path: '^(runtime/src/services|operator/src/controller)/', pathNot: tests },
      to: { path: '^(runtime|operator)/src/(adapters|http|testing)/' },
    },
    {
      name: 'services-use-no-io',
      severity: 'error',
      from: { path: '^(runtime/src/services|operator/src/controller)/', pathNot: tests },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'testing-stays-in-tests',
      severity: 'error',
      from: { path: '^(runtime|operator|cli)/src/', pathNot: [tests, '/testing/'] },
      to: { path: '^(runtime|operator|cli)/src/testing/' },
    },
    {
      name: 'operator-sees-only-the-contract',
      severity: 'error',
      from: { path: '^operator/src/', pathNot: tests },
      to: {
        path: '^runtime/src/',
        pathNot: '^runtime/src/(contract|foundation)/|^runtime/src/core/config/index\\.ts$',
      },
    },
    {
      name: 'runtime-knows-no-operator',
      severity: 'error',
      from: { path: '^runtime/' },
      to: { path: '^(operator|cli)/' },
    },
    {
      name: 'operator-knows-no-cli',
      severity: 'error',
      from: { path: '^operator/' },
      to: { path: '^cli/' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      conditionNames: ['source', 'import', 'node', 'default'],
      exportsFields: ['exports'],
    },
    exclude: { path: '(^|/)dist/' },
    doNotFollow: { path: 'node_modules' },
  },
};
