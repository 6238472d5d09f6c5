import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseSections, parseArguments, parseEnvironment } from './parse-options.ts';

describe('parseArguments', () => {
  const cases: { argv: string[]; options: Record<string, string>; positional?: string[] }[] = [
    { argv: ['--http-port', '80'], options: { http_port: '80' } },
    { argv: ['--HTTP_Port=80'], options: { http_port: '80' } },
    { argv: ['--a', '1', '--a', '2'], options: { a: '2' } },
    { argv: ['x', '--a', '1', 'y'], options: { a: '1' }, positional: ['x', 'y'] },
    { argv: ['--a'], options: { a: '' } },
    { argv: ['--a', '1', '--', '--b', '2'], options: { a: '1' }, positional: ['--b', '2'] },
  ];
  for (const { argv, options, positional = [] } of cases) {
    it(`reads ${argv.join(' ')} [ARG-01]`, () => {
      const parsed = parseArguments(argv);
      assert.deepEqual(Object.fromEntries(parsed.options), options);
      assert.deepEqual(parsed.positional, positional);
    });
  }
});

describe('parseEnvironment', () => {
  it('takes both prefixes in any case, TONEARM_ before TARANTOOL_, empty values too [ARG-02]', () => {
    const options = parseEnvironment({
      TONEARM_HTTP_PORT: '1',
      TARANTOOL_HTTP_PORT: '2',
      tarantool_alias: 'a',
      TONEARM_CFG: '',
      PATH: '/bin',
    });
    assert.deepEqual(Object.fromEntries(options), { http_port: '1', alias: 'a', cfg: '' });
  });
});

describe('chooseSections', () => {
  it('merges from the general to the particular, key by key [ARG-04]', () => {
    const chosen = chooseSections(
      {
        default: { a: 1, b: 1 },
        app: { b: 2, c: 2 },
        'app.router': { c: 3, d: 3 },
        'app.router.1': { d: 4 },
        'app.storage': { a: 9 },
        'app.router.2': 'text',
      },
      { appName: 'app', instanceName: 'router.1' },
    );
    assert.deepEqual(Object.fromEntries(chosen.options), { a: 1, b: 2, c: 3, d: 4 });
    assert.deepEqual(chosen.warnings, [
      'sections not used by this instance: app.router.2, app.storage',
    ]);
  });

  it('passes over a section that is not a map and an option that is not scalar, and says so [ARG-06]', () => {
    const chosen = chooseSections(
      { default: [1], app: { list: [1] } },
      { appName: 'app', instanceName: '' },
    );
    assert.deepEqual(Object.fromEntries(chosen.options), {});
    assert.equal(chosen.warnings.length, 2);
  });
});
