// What callers that wait together owe to each other, without network or clock.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

const require = createRequire(import.meta.url);
const { WaitingRoom } = require('../lib/waiting.cjs');
const { PlanetkeyError } = require('../lib/errors.cjs');

const error = (code) => new PlanetkeyError({ code, message: code, retryable: true });

/** Calls into an addon that answers when told. */
function addon() {
  const started = [];
  const start = (cancellation, waitedMs) => new Promise((resolve, reject) => started.push({ resolve, reject, cancellation, waitedMs }));
  return { started, start };
}

test('a later caller continues with its own time when an earlier one timed out', async () => {
  const room = new WaitingRoom(600_000);
  const { started, start } = addon();
  const earlier = room.get('key', undefined, start, () => null);
  const later = room.get('key', undefined, start, () => null);
  assert.equal(started.length, 1);
  started[0].reject(error('TIMEOUT'));
  await assert.rejects(earlier, { code: 'TIMEOUT' });
  await new Promise(setImmediate);
  assert.equal(started.length, 2);
  assert.ok(started[1].waitedMs > 0);
  started[1].resolve('answer');
  assert.equal(await later, 'answer');
});

test('a later caller without time left times out too', async () => {
  const room = new WaitingRoom(0);
  const { started, start } = addon();
  const earlier = room.get('key', undefined, start, () => null);
  const later = room.get('key', undefined, start, () => null);
  started[0].reject(error('TIMEOUT'));
  await assert.rejects(earlier, { code: 'TIMEOUT' });
  await assert.rejects(later, { code: 'TIMEOUT' });
  assert.equal(started.length, 1);
});

test('a caller that finds nothing after waiting for another call makes one', async () => {
  const room = new WaitingRoom(600_000);
  const { started, start } = addon();
  const first = room.get('key', undefined, start, () => null);
  const second = room.get('key', undefined, start, () => null);
  started[0].resolve('one');
  assert.equal(await first, 'one');
  await new Promise(setImmediate);
  started[1].resolve('two');
  assert.equal(await second, 'two');
});

test('a call continues while any caller waits for it, and is cancelled when none does', async () => {
  const room = new WaitingRoom(600_000);
  const { started, start } = addon();
  const [one, two, three] = [new AbortController(), new AbortController(), new AbortController()];
  let cancelled = 0;
  const first = room.get('key', one.signal, (cancellation, waitedMs) => {
    const { cancel } = cancellation;
    cancellation.cancel = () => { cancelled += 1; cancel.call(cancellation); };
    return start(cancellation, waitedMs);
  }, () => null);
  const second = room.get('key', two.signal, start, () => null);
  one.abort();
  await assert.rejects(first, { code: 'CANCELLED' });
  assert.equal(cancelled, 0);
  two.abort();
  await assert.rejects(second, { code: 'CANCELLED' });
  assert.equal(cancelled, 1);
  // No caller joins a call that was cancelled.
  const third = room.get('key', three.signal, start, () => null);
  assert.equal(started.length, 2);
  started[1].resolve('answer');
  assert.equal(await third, 'answer');
  started[0].reject(error('CANCELLED'));
});
