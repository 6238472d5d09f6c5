import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { repositoryOf } from './images.ts';

describe('repositoryOf', () => {
  it('takes tag and digest off, and leaves the port of a registry', () => {
    const images = [
      'localhost/tonearm/employees:dev',
      'localhost:5000/tonearm/employees',
      'localhost:5000/tonearm/employees:1.2@sha256:abc',
      'employees',
    ];
    assert.deepEqual(images.map(repositoryOf), [
      'localhost/tonearm/employees',
      'localhost:5000/tonearm/employees',
      'localhost:5000/tonearm/employees',
      'employees',
    ]);
  });
});
