import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { ErrorNumber, PlanetkeyError, Session } from '../index.mjs';

const require = createRequire(import.meta.url);
const { failure, translated } = require('../lib/errors.cjs');
const { statuses } = JSON.parse(readFileSync(new URL('../../../tests/vectors/errors.json', import.meta.url)));
const declarations = readFileSync(new URL('../index.d.ts', import.meta.url), 'utf8');

test('every status of the core has its name and number', () => {
  assert.deepEqual(ErrorNumber, Object.fromEntries(statuses.map(({ name, number }) => [name, number])));
  assert.ok(Object.isFrozen(ErrorNumber));
});

test('every status of the core but OK is in the type of code', () => {
  const [type] = declarations.match(/export type ErrorCode =(\s*\/\*\*.*|\s*\| '[A-Z_]+')*;/);
  const declared = [...type.matchAll(/\| '([A-Z_]+)'/g)].map(([, name]) => name);
  assert.deepEqual(declared, statuses.map(({ name }) => name).filter((name) => name !== 'OK'));
});

for (const { name, number, retryable } of statuses.filter((status) => status.name !== 'OK')) {
  test(`${name} arrives as a PlanetkeyError`, () => {
    const error = failure(name, 'a message');
    assert.ok(error instanceof PlanetkeyError && error instanceof Error);
    const { code, reason, oauthError, oauthErrorDescription, httpStatus, retryAfterMs, profile } = error;
    assert.deepEqual(
      { name: error.name, message: error.message, code, number: error.number, retryable: error.retryable },
      { name: 'PlanetkeyError', message: 'a message', code: name, number, retryable },
    );
    assert.deepEqual([reason, oauthError, oauthErrorDescription, httpStatus, retryAfterMs, profile], Array(6).fill(null));
    assert.match(error.stack, /^PlanetkeyError: a message\n/);
  });
}

test('an unexpected error of the addon is INTERNAL', () => {
  const cause = Object.assign(new Error('Illegal invocation'), { code: 'InvalidArg' });
  const error = translated(cause);
  assert.equal(error.code, 'INTERNAL');
  assert.equal(error.cause, cause);
});

test('an error has the stack of the call', () => {
  function caller() {
    Session.fromApiKey('');
  }
  assert.throws(caller, (error) => error instanceof PlanetkeyError && /at caller/.test(error.stack));
});
