import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { OptionError } from './core/options/cast-option.ts';
import { readSettings, type Settings, type SettingsSources } from './settings.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'tonearm-settings-'));

function write(name: string, text: string): string {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

/** The cookie is given unless the case is about it. */
function read(sources: Partial<SettingsSources>): Settings {
  return readSettings({
    argv: [],
    environment: {},
    ...sources,
    code: { cluster_cookie: 'secret', ...sources.code },
  });
}

function fault(sources: Partial<SettingsSources>): readonly [string, string] {
  try {
    read(sources);
  } catch (error) {
    assert.ok(error instanceof OptionError, String(error));
    return [error.option, error.message.replaceAll(folder, '')];
  }
  return assert.fail('it was accepted');
}

describe('readSettings', () => {
  before(() => {
    write('one.yml', 'app:\n  alias: of the application\napp.a:\n  alias: of the file\n');
    write('both/1.yml', 'app.a:\n  alias: first\n');
    write('both/2.yaml', 'app.b:\n  alias: second\n');
    write('both/notes.txt', 'app.c:\n  alias: third\n');
    write('twice/1.yml', 'app.a:\n  alias: first\n');
    write('twice/2.yml', 'app.a:\n  alias: second\n');
    write('broken.yml', 'app.a: {\n');
    write('list.yml', '- app.a\n');
    write('empty.yml', '');
    write('cookie', '  from-the-file\n');
    write('bad-cookie', 'no spaces\n');
  });
  after(() => rmSync(folder, { recursive: true }));

  const alias = (sources: Partial<SettingsSources>): unknown => read(sources).all.get('alias');
  const cfg = (name: string): string => `--cfg=${path.join(folder, name)}`;
  const ofA = ['--app-name=app', '--instance-name=a'];

  it('prefers the command line to the environment, that to the file, and that to the code [CFG-06]', () => {
    const code = { alias: 'of the code' };
    const environment = { TONEARM_ALIAS: 'of the environment' };
    const argv = [cfg('one.yml'), ...ofA];
    assert.deepEqual(
      [
        alias({ code }),
        alias({ code, argv }),
        alias({ code, argv, environment }),
        alias({ code, argv: [...argv, '--alias=of the line'], environment }),
      ],
      ['of the code', 'of the file', 'of the environment', 'of the line'],
    );
  });

  it('takes an empty variable as not set where only a number can stand, and as a text elsewhere [ARG-02]', () => {
    const environment = {
      TARANTOOL_HTTP_PORT: '8085',
      TONEARM_HTTP_PORT: '',
      TONEARM_PORT: '',
      TONEARM_HTTP_ENABLED: '',
      TONEARM_ALIAS: '',
      TONEARM_OWN: '',
    };
    const { options, all } = read({ environment, code: { alias: 'of the code', port: 3400 } });
    assert.deepEqual([options.httpPort, options.uri], [8085, 'localhost:3400']);
    assert.deepEqual([all.get('alias'), all.get('own')], ['', '']);
    assert.equal(read({ environment: { TONEARM_HTTP_PORT: '' } }).options.httpPort, 8081);
  });

  it('reads every YAML file of a folder, and no other [ARG-03]', () => {
    const of = (instance: string): unknown =>
      alias({ argv: [cfg('both'), '--app-name=app', `--instance-name=${instance}`] });
    assert.deepEqual(['a', 'b', 'c'].map(of), ['first', 'second', undefined]);
  });

  it('takes an empty file as one without sections', () => {
    assert.equal(alias({ argv: [cfg('empty.yml'), ...ofA] }), undefined);
  });

  const faults: readonly (readonly [string, Partial<SettingsSources>, string, RegExp])[] = [
    [
      'a section that stands in two files [ARG-05]',
      { argv: [cfg('twice'), ...ofA] },
      'cfg',
      /^section "app.a" stands in two files: \/twice\/1.yml and \/twice\/2.yml$/,
    ],
    [
      'a file that does not exist',
      { argv: [cfg('none.yml')] },
      'cfg',
      /^option "cfg" names \/none.yml, which does not exist$/,
    ],
    [
      'a file of another kind',
      { argv: [cfg('both/notes.txt')] },
      'cfg',
      /^option "cfg" must name a .yml or .yaml file, not \/both\/notes.txt$/,
    ],
    [
      'a file that is no YAML',
      { argv: [cfg('broken.yml')] },
      'cfg',
      /^\/broken.yml is not valid YAML: /,
    ],
    [
      'a file that is no map',
      { argv: [cfg('list.yml')] },
      'cfg',
      /^\/list.yml must be a map of sections$/,
    ],
    [
      'a file of a cookie that cannot be read',
      { environment: { TONEARM_CLUSTER_COOKIE_FILE: path.join(folder, 'none') } },
      'cluster_cookie_file',
      /^option "cluster_cookie_file" cannot be read: ENOENT/,
    ],
    [
      'a cookie that is none',
      { environment: { TONEARM_CLUSTER_COOKIE_FILE: path.join(folder, 'bad-cookie') } },
      'cluster_cookie_file',
      /^the cookie in \/bad-cookie /,
    ],
  ];
  for (const [name, sources, option, message] of faults) {
    it(`refuses ${name}`, () => {
      const [named, told] = fault(sources);
      assert.equal(named, option);
      assert.match(told, message);
    });
  }

  it('prefers the cookie of a file, without the spaces around it', () => {
    const environment = { TONEARM_CLUSTER_COOKIE_FILE: path.join(folder, 'cookie') };
    assert.equal(read({ environment }).options.clusterCookie, 'from-the-file');
  });

  it('tells clusters apart by their cookies where nobody names the cluster', () => {
    const uuidOf = (cookie: string): string =>
      read({ code: { cluster_cookie: cookie } }).options.clusterUuid;
    assert.match(uuidOf('a'), /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.deepEqual([uuidOf('a') === uuidOf('a'), uuidOf('a') === uuidOf('b')], [true, false]);
    const named = '11111111-1111-4111-a111-111111111111';
    assert.equal(read({ environment: { TONEARM_CLUSTER_UUID: named } }).options.clusterUuid, named);
  });

  it('keeps what is left for the application, and resolves the data folder', () => {
    const { positional, options } = read({ argv: ['first', '--workdir=data', 'second'] });
    assert.deepEqual(positional, ['first', 'second']);
    assert.equal(options.workdir, path.resolve('data'));
  });
});
