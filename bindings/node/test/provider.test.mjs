// Sessions with tokens of a provider: how it is called, what it may return, and its failures.
import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { inspect } from 'node:util';
import { PlanetkeyError, Session } from 'planetkey';
import { Simulator } from './simulator.mjs';

const URL = 'https://services.sentinel-hub.com/api/v1/catalog';
const PLANET = 'https://api.planet.com/data/v1';
const SECRET = 'secret-of-the-broker';
const limit = { timeout: 60_000 };

const simulator = await Simulator.start();
beforeEach(() => simulator.reset());
after(() => simulator.stop());

/** Returns token-1, token-2 and so on, once its gate is open. */
function broker({ expiresInMs = 3_600_000 } = {}) {
  const calls = [];
  let gate = Promise.resolve();
  let open;
  const provider = async (request) => {
    calls.push(request);
    const number = calls.length;
    await gate;
    return { accessToken: `token-${number}`, expiresInMs };
  };
  const close = () => { gate = new Promise((resolve) => { open = resolve; }); };
  return { provider, calls, close, open: () => open() };
}

const turn = () => new Promise((resolve) => { setImmediate(resolve); });

/** A JWT with these claims. Nothing verifies its signature. */
function jwt(claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'RS256' })}.${part(claims)}.c2lnbmF0dXJl`;
}

const provides = (value) => Session.fromTokenProvider(() => value);

test('it is called when a token is needed, and the token is cached', limit, async () => {
  const { provider, calls } = broker();
  const session = Session.fromTokenProvider(provider);
  assert.equal(calls.length, 0);
  assert.throws(() => session.accessTokenSync(), (error) =>
    error.code === 'UNSUPPORTED' && error.message.includes('token provider'));
  assert.deepEqual(await session.headers(URL), { Authorization: 'Bearer token-1' });
  assert.equal(await session.accessToken(), 'token-1');
  assert.equal(session.accessTokenSync(), 'token-1');
  assert.equal(session.authorizeSync(URL).accessToken, 'token-1');
  await session.refresh();
  assert.equal(session.accessTokenSync(), 'token-2');
  assert.equal(calls.length, 2);
  assert.equal(calls[0].rejectedToken, null);
  assert.ok(calls[0].timeoutMs > 0 && calls[0].timeoutMs <= 30_000);
  const [source] = session.status().sources;
  assert.deepEqual([source.clientType, source.clientId], ['token_provider', null]);
});

test('32 callers at expiry make one call', limit, async () => {
  const { provider, calls, close, open } = broker();
  const session = Session.fromTokenProvider(provider);
  for (const number of [1, 2, 3]) {
    close();
    const callers = Array.from({ length: 32 }, (_, index) =>
      (index % 2 ? session.accessToken() : session.withTimeoutMs(20_000).accessToken()));
    while (calls.length < number) await turn();
    open();
    assert.deepEqual(await Promise.all(callers), Array(32).fill(`token-${number}`));
    // The token is gone, as after an expiry.
    await session.logout();
  }
  assert.equal(calls.length, 3);
});

test('what it may return', limit, async () => {
  const soon = new Date(Math.floor(Date.now() / 1000) * 1000 + 600_000);
  for (const [value, seconds] of [
    [{ accessToken: 't', expiresInMs: 600_000 }, 600],
    [{ accessToken: 't', expiresAt: soon }, 600],
    [{ accessToken: 't' }, 300],
    [{ accessToken: 't', expiresInMs: null, expiresAt: null }, 300],
    [{ access_token: 't', expires_in: 600, token_type: 'Bearer' }, 600],
    [{ accessToken: jwt({ exp: soon.getTime() / 1000 }) }, 600],
    [{ accessToken: jwt({ exp: soon.getTime() / 1000 }), expiresInMs: 3_600_000 }, 600],
    [Promise.resolve({ accessToken: 't', expiresInMs: 600_000 }), 600],
  ]) {
    const { expiresAt } = await provides(value).authorize(URL);
    const off = Math.abs(expiresAt.getTime() - Date.now() - seconds * 1000);
    assert.ok(off < 60_000, inspect(value));
  }
});

test('what it may not return', limit, async () => {
  for (const value of [
    undefined, null, 1, 'token', [SECRET, 3600], {}, { token: SECRET }, { accessToken: 1 },
    { accessToken: `${SECRET}\ud800` }, { accessToken: SECRET, expiresInMs: '1' },
    { accessToken: SECRET, expiresInMs: NaN }, { accessToken: SECRET, expiresAt: 1 },
    { accessToken: SECRET, expiresAt: new Date(NaN) }, { accessToken: `Bearer ${SECRET}` },
    { accessToken: '' }, { accessToken: `${SECRET}\n` },
  ]) {
    await assert.rejects(provides(value).headers(URL), (error) => {
      assert.equal(error.code, 'MISCONFIGURED', inspect(value));
      assert.ok(error.message.includes('the token provider'), error.message);
      assert.ok(!error.message.includes(SECRET), error.message);
      return true;
    });
  }
});

test('a polluted prototype provides nothing', limit, async () => {
  Object.defineProperty(Object.prototype, 'accessToken', { value: SECRET, configurable: true });
  try {
    await assert.rejects(provides({}).headers(URL), { code: 'MISCONFIGURED' });
  } finally {
    delete Object.prototype.accessToken;
  }
});

test('an expired token is an error and no storm', limit, async () => {
  for (const expired of [{ expiresInMs: 0 }, { expiresInMs: -5 }, { expiresAt: new Date(0) }]) {
    let calls = 0;
    const session = Session.fromTokenProvider(() => {
      calls += 1;
      return { accessToken: 't', ...expired };
    });
    for (let count = 0; count < 100; count += 1) {
      await assert.rejects(session.accessToken(), (error) =>
        error.code === 'UNAVAILABLE' && error.retryable && error.message.includes('expired'));
    }
    assert.ok(calls <= 3, `${calls} calls`);
  }
});

test('what it throws is the cause of UNAVAILABLE', limit, async () => {
  const thrown = Object.assign(new RangeError(SECRET), { code: 'ECONNREFUSED' });
  for (const provider of [() => { throw thrown; }, () => Promise.reject(thrown)]) {
    const session = Session.fromTokenProvider(provider);
    await assert.rejects(session.accessToken(), (error) => {
      assert.ok(error instanceof PlanetkeyError);
      assert.equal(error.code, 'UNAVAILABLE');
      assert.ok(error.message.includes('threw RangeError ECONNREFUSED'), error.message);
      assert.ok(!error.message.includes(SECRET));
      assert.equal(error.cause, thrown);
      return true;
    });
  }
  for (const value of [undefined, null, SECRET, { get name() { throw new Error(); } }]) {
    const session = Session.fromTokenProvider(() => { throw value; });
    await assert.rejects(session.accessToken(), { code: 'UNAVAILABLE' });
  }
});

test('its PlanetkeyErrors reach the caller', limit, async () => {
  const inner = Session.fromProfile('planet-user', { storageRoot: simulator.home });
  const session = Session.fromTokenProvider(() => inner.authorize(PLANET));
  const wanted = await inner.accessToken().catch((error) => error);
  await assert.rejects(session.accessToken(), (error) => {
    for (const name of ['code', 'message', 'reason', 'retryable', 'profile']) {
      assert.deepEqual(error[name], wanted[name], name);
    }
    return true;
  });
});

test('a session behind a session', limit, async () => {
  const inner = simulator.m2mSession();
  const url = `${simulator.sentinel_hub_api}/api/v1/catalog`;
  const session = Session.fromTokenProvider(() => inner.authorize(url), simulator.options);
  assert.deepEqual(await session.headers(url), await inner.headers(url));
  const { expiresAt } = await session.authorize(url);
  const off = expiresAt.getTime() - (await inner.authorize(url)).expiresAt.getTime();
  assert.ok(Math.abs(off) <= 2000, `${off} ms`);
  assert.equal(await simulator.count('m2m.token'), 1);
});

test('its own session cannot be waited for', limit, async () => {
  const errors = [];
  const session = Session.fromTokenProvider(async () => {
    await assert.rejects(session.accessToken(), (error) => errors.push(error) > 0);
    return { accessToken: 'token-1' };
  });
  assert.equal(await session.accessToken(), 'token-1');
  assert.equal(errors[0].code, 'UNAVAILABLE');
});

test('a 401 is told and repeated once', limit, async () => {
  const { provider, calls } = broker();
  const session = Session.fromTokenProvider(provider);
  const first = await session.authorize(URL);
  const repeat = await session.afterResponse(first, 401, null);
  assert.deepEqual(repeat.headers, { Authorization: 'Bearer token-2' });
  assert.deepEqual(calls.map(({ rejectedToken }) => rejectedToken), [null, 'token-1']);
});

test('a JWT goes to hosts of its issuer', limit, async () => {
  const opened = (iss) => provides({ accessToken: jwt({ iss }), expiresInMs: 3_600_000 });
  assert.equal((await opened('https://login.planet.com/').authorize(PLANET)).underDevelopment, false);
  const machine = opened('https://services.sentinel-hub.com/auth/realms/main');
  assert.equal((await machine.authorize(PLANET)).underDevelopment, true);
  const other = opened('https://issuer.example.org/');
  await assert.rejects(other.authorize(PLANET), { code: 'HOST_REFUSED' });
  assert.throws(() => other.headersSync(PLANET), { code: 'HOST_REFUSED' });
  assert.equal(await other.authorizeIfServed(PLANET), null);
});

test('a provider that hangs costs the deadline, and the next call asks again', limit, async () => {
  let calls = 0;
  const provider = () => {
    calls += 1;
    return calls === 1 ? new Promise(() => {}) : { accessToken: 'token-2', expiresInMs: 3_600_000 };
  };
  const session = Session.fromTokenProvider(provider, { timeoutMs: 50 });
  // A deadline may pass before the provider is called.
  do await assert.rejects(session.accessToken(), { code: 'TIMEOUT' }); while (calls === 0);
  let token;
  while (token === undefined) token = await session.accessToken().catch(() => undefined);
  assert.equal(token, 'token-2');
});

test('an abort leaves the provider alone', limit, async () => {
  const { provider, calls, close, open } = broker();
  close();
  const session = Session.fromTokenProvider(provider);
  const aborting = new AbortController();
  const waiting = session.accessToken({ signal: aborting.signal });
  while (calls.length === 0) await turn();
  aborting.abort();
  await assert.rejects(waiting, { code: 'CANCELLED' });
  open();
  assert.equal(await session.accessToken(), 'token-1');
  assert.equal(calls.length, 1);
});

test('wrong arguments', () => {
  for (const wrong of [undefined, null, 'token', {}, { accessToken: 't' }]) {
    assert.throws(() => Session.fromTokenProvider(wrong), { code: 'INVALID_ARGUMENT' });
  }
  const { provider } = broker();
  for (const options of [
    { save: true }, { storage: { load() {}, save() {} } }, { profile: 'p' }, { scopes: [] },
  ]) {
    assert.throws(() => Session.fromTokenProvider(provider, options), { code: 'INVALID_ARGUMENT' });
  }
  Session.fromTokenProvider(provider, { save: false });
});

test('a provider whose promise is pending does not keep the program', limit, async () => {
  const program = `
    import { Session } from 'planetkey';
    const session = Session.fromTokenProvider(() => new Promise(() => {}), { timeoutMs: 100 });
    await session.accessToken().catch((error) => console.log(error.code));
  `;
  assert.equal(await simulator.run(program), 'TIMEOUT\n');
});
