import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, test } from 'node:test';
import { Simulator } from './simulator.mjs';

let simulator;
// A new one for each test: a refresh that one test leaves pending must not be counted in the next.
beforeEach(async () => { simulator = await Simulator.start(); });
afterEach(() => simulator.stop());

/** 32 calls of all kinds. */
const calls = (session) => Array.from({ length: 32 }, (_, index) => [
  () => session.accessToken(),
  async () => (await session.headers(`${simulator.sentinel_hub_api}/api/${index}`)).Authorization.slice('Bearer '.length),
  async () => (await session.authorize(`${simulator.planet_api}/data/${index}`)).headers.Authorization.slice('Bearer '.length),
][index % 3]());

async function expired(session) {
  for (;;) {
    try {
      session.accessTokenSync();
    } catch (error) {
      assert.equal(error.code, 'UNAVAILABLE');
      return;
    }
    await setImmediate();
  }
}

test('32 calls at the first use send one token request', async () => {
  const session = simulator.m2mSession();
  await simulator.script('m2m.token', { hold: 'gate' });
  const tokens = calls(session);
  await simulator.waitHeld('gate');
  await simulator.release('gate');
  assert.equal(new Set(await Promise.all(tokens)).size, 1);
  assert.equal(await simulator.count('m2m.token'), 1);
});

test('32 calls at expiry send one token request', async () => {
  // A saved token, so that no request but the one at its expiry is sent, however long a step takes.
  const first = await simulator.savedM2mToken(7);
  const session = simulator.m2mSession();
  await simulator.script('m2m.token', { hold: 'gate' });
  await expired(session);
  const tokens = calls(session);
  await simulator.waitHeld('gate');
  await simulator.release('gate');
  const second = new Set(await Promise.all(tokens));
  assert.equal(second.size, 1);
  assert.ok(!second.has(first));
  assert.equal(await simulator.count('m2m.token'), 1);
});

test('32 calls share one failure', async () => {
  const session = simulator.m2mSession();
  await simulator.script('m2m.token', { hold: 'gate', status: 401, json: { error: 'invalid_client', error_description: 'no' } });
  const results = Promise.allSettled(calls(session));
  await simulator.waitHeld('gate');
  await simulator.release('gate');
  for (const { status, reason } of await results) {
    assert.equal(status, 'rejected');
    assert.equal(reason.code, 'MISCONFIGURED');
    assert.equal(reason.oauthError, 'invalid_client');
    assert.equal(reason.oauthErrorDescription, 'no');
    assert.equal(reason.httpStatus, 401);
  }
  assert.equal(await simulator.count('m2m.token'), 1);
});

test('32 calls of refresh send one token request', async () => {
  const session = simulator.m2mSession();
  const first = await session.accessToken();
  await simulator.script('m2m.token', { hold: 'gate' });
  const refreshed = Array.from({ length: 32 }, () => session.refresh());
  await simulator.waitHeld('gate');
  await simulator.release('gate');
  assert.deepEqual(new Set(await Promise.all(refreshed)), new Set([undefined]));
  assert.equal(await simulator.count('m2m.token'), 2);
  assert.notEqual(session.accessTokenSync(), first);
});

test('a caller with a valid token does not wait for its refresh', async () => {
  const session = simulator.m2mSession();
  const token = await session.accessToken();
  await simulator.script('m2m.token', { hold: 'gate' });
  const refreshed = session.refresh();
  await simulator.waitHeld('gate');
  assert.equal(session.accessTokenSync(), token);
  assert.equal(await session.accessToken(), token);
  await simulator.release('gate');
  await refreshed;
  assert.notEqual(session.accessTokenSync(), token);
});

test('the event loop runs while a call waits', async () => {
  const session = simulator.m2mSession();
  await simulator.script('m2m.token', { hold: 'gate' });
  const token = session.accessToken();
  // All of this happens on this event loop, and only it lets the call end.
  await simulator.waitHeld('gate');
  await setImmediate();
  await simulator.release('gate');
  assert.equal(typeof await token, 'string');
});
