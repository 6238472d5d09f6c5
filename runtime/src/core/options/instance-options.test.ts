import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OptionError } from './cast-option.ts';
import { buildInstanceOptions, validateCookie } from './instance-options.ts';
import type { OptionValue } from './parse-options.ts';

function build(given: Record<string, OptionValue>): ReturnType<typeof buildInstanceOptions> {
  return buildInstanceOptions(new Map(Object.entries(given)));
}

describe('buildInstanceOptions', () => {
  const addresses: { given: Record<string, OptionValue>; uri: string; httpUri: string }[] = [
    { given: {}, uri: 'localhost:3301', httpUri: 'localhost:8081' },
    {
      given: { advertise_uri: 'a.example:4000' },
      uri: 'a.example:4000',
      httpUri: 'a.example:8081',
    },
    { given: { http_port: '9000' }, uri: 'localhost:3301', httpUri: 'localhost:9000' },
    { given: { http_enabled: true }, uri: 'localhost:3301', httpUri: 'localhost:8081' },
    { given: { advertise_uri: 'a.example:' }, uri: 'a.example:3301', httpUri: 'a.example:8081' },
    { given: { advertise_uri: '4000' }, uri: 'localhost:4000', httpUri: 'localhost:8081' },
    { given: { instance_name: 'router_3' }, uri: 'localhost:3303', httpUri: 'localhost:8083' },
    {
      given: { instance_name: 'router_3', http_port: 9000 },
      uri: 'localhost:3303',
      httpUri: 'localhost:9000',
    },
    {
      given: { advertise_host: '10.0.0.7', port: 3400 },
      uri: '10.0.0.7:3400',
      httpUri: '10.0.0.7:8081',
    },
    {
      given: { advertise_uri: '[fe80::1]:4000' },
      uri: '[fe80::1]:4000',
      httpUri: '[fe80::1]:8081',
    },
  ];
  for (const { given, uri, httpUri } of addresses) {
    it(`advertises ${uri} for ${JSON.stringify(given)} [CFG-11]`, () => {
      const options = build(given);
      assert.deepEqual({ uri: options.uri, httpUri: options.httpUri }, { uri, httpUri });
    });
  }

  const refused: { given: Record<string, OptionValue>; option: string; says: RegExp }[] = [
    { given: { advertise_uri: '0.0.0.0:3301' }, option: 'advertise_uri', says: /not 0\.0\.0\.0/ },
    { given: { advertise_uri: 'host:99999' }, option: 'advertise_uri', says: /1 to 65535/ },
    { given: { advertise_uri: 'not a host:1' }, option: 'advertise_uri', says: /HOST:PORT/ },
    {
      given: { http_port: 'eighty' },
      option: 'http_port',
      says: /"http_port" must be a number, not "eighty"/,
    },
    { given: { http_port: '' }, option: 'http_port', says: /must be a number, not ""/ },
    { given: { http_port: 70_000 }, option: 'http_port', says: /1 to 65535, not 70000/ },
    // What it would listen on then is not what it advertises.
    { given: { http_port: 0 }, option: 'http_port', says: /1 to 65535, not 0/ },
    { given: { http_port: '80.5' }, option: 'http_port', says: /1 to 65535, not 80.5/ },
    { given: { http_enabled: 'false' }, option: 'http_enabled', says: /must be true/ },
    { given: { http_enabled: 'yes' }, option: 'http_enabled', says: /true or false, not "yes"/ },
    { given: { cluster_cookie: 'with space' }, option: 'cluster_cookie', says: /letters, digits/ },
    { given: { cluster_uuid: 'employees' }, option: 'cluster_uuid', says: /must be a UUID/ },
    { given: { wal_mode: 'none' }, option: 'wal_mode', says: /one of write, fsync/ },
    { given: { port: 'long' }, option: 'port', says: /must be a number/ },
  ];
  for (const { given, option, says } of refused) {
    it(`names the option and the rule for ${JSON.stringify(given)} [ARG-08]`, () => {
      assert.throws(
        () => build(given),
        (error) =>
          error instanceof OptionError && error.option === option && says.test(error.message),
      );
    });
  }
});

describe('validateCookie', () => {
  it('accepts letters, digits and the four signs up to 256 bytes [CFG-12]', () => {
    assert.equal(validateCookie('aZ09_.~-'), undefined);
    assert.equal(validateCookie('x'.repeat(256)), undefined);
    assert.match(validateCookie('x'.repeat(257)) ?? '', /256/);
    assert.match(validateCookie('') ?? '', /empty/);
  });
});
