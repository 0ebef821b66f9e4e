import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, test } from 'node:test';
import planetkey from '../index.mjs';
import { Simulator } from './simulator.mjs';

let simulator;
// A new one for each test: a refresh that one test leaves pending must not be counted in the next.
beforeEach(async () => { simulator = await Simulator.start(); });
afterEach(() => simulator.stop());

const methods = {
  accessToken: (session, options) => session.accessToken(options),
  authorize: (session, options) => session.authorize(`${simulator.planet_api}/x`, options),
  headers: (session, options) => session.headers(`${simulator.planet_api}/x`, options),
  refresh: (session, options) => session.refresh(options),
};

for (const [name, method] of Object.entries(methods)) {
  test(`${name}: aborting rejects at once with CANCELLED`, async () => {
    const session = simulator.m2mSession();
    await simulator.script('m2m.token', { hold: 'for ever' });
    const controller = new AbortController();
    const reason = new Error('not needed any more');
    const waiting = method(session, { signal: controller.signal });
    await simulator.waitHeld('for ever');
    controller.abort(reason);
    // Nothing but this abort can end it: the request is held, and the deadline is far.
    await assert.rejects(waiting, (error) => {
      assert.ok(error instanceof planetkey.PlanetkeyError);
      assert.equal(error.code, 'CANCELLED');
      assert.equal(error.retryable, false);
      assert.equal(error.cause, reason);
      return true;
    });
    assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
  });

  test(`${name}: a signal that has aborted already`, async () => {
    const session = simulator.m2mSession();
    await assert.rejects(method(session, { signal: AbortSignal.abort() }), { code: 'CANCELLED' });
    assert.equal(await simulator.count('m2m.token'), 0);
    await session.accessToken();
    await assert.rejects(method(session, { signal: AbortSignal.abort() }), { code: 'CANCELLED' });
  });

  test(`${name}: what is no signal`, async () => {
    for (const signal of [1, 'abort', {}, new EventTarget(), () => {}]) {
      await assert.rejects(method(simulator.m2mSession(), { signal }), { code: 'INVALID_ARGUMENT' });
    }
    await assert.rejects(method(simulator.m2mSession(), 'options'), { code: 'INVALID_ARGUMENT' });
  });
}

test('one of two callers aborts, the other gets the token', async () => {
  const session = simulator.m2mSession();
  await simulator.script('m2m.token', { hold: 'gate' });
  const controller = new AbortController();
  const first = session.accessToken({ signal: controller.signal });
  const second = session.accessToken({ signal: new AbortController().signal });
  await simulator.waitHeld('gate');
  controller.abort();
  await assert.rejects(first, { code: 'CANCELLED' });
  await simulator.release('gate');
  assert.equal(await second, session.accessTokenSync());
  assert.equal(await simulator.count('m2m.token'), 1);
});

test('the refresh continues after an abort, and the next caller has its token', async () => {
  const session = simulator.m2mSession();
  await simulator.script('m2m.token', { hold: 'gate' });
  const controller = new AbortController();
  const first = session.accessToken({ signal: controller.signal });
  await simulator.waitHeld('gate');
  controller.abort();
  await assert.rejects(first, { code: 'CANCELLED' });
  const second = session.accessToken();
  await simulator.release('gate');
  assert.equal(typeof await second, 'string');
  assert.equal(await simulator.count('m2m.token'), 1);
});

test('a signal that is used often has few listeners', async () => {
  const session = simulator.m2mSession();
  const { signal } = new AbortController();
  for (let call = 0; call < 20; call += 1) {
    await session.refresh({ signal });
    await session.accessToken({ signal });
  }
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});
