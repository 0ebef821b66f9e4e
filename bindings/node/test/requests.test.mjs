// Requests by fetch to servers that verify what they get.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, beforeEach, test } from 'node:test';
import planetkey from '../index.mjs';
import { Simulator } from './simulator.mjs';

const { Session } = planetkey;

let simulator;
before(async () => { simulator = await Simulator.start(); });
beforeEach(() => simulator.reset());
after(() => simulator.stop());

async function authenticatedAs({ url, headers }) {
  const response = await fetch(url, { headers });
  assert.equal(response.status, 200);
  return (await response.json()).credential;
}

for (const [transport, expected] of [[undefined, 'basic'], ['basic', 'basic'], ['header', 'header'], ['query', 'query']]) {
  test(`an API key as ${transport ?? 'is the default'}`, async () => {
    const session = simulator.apiKeySession(transport);
    const url = `${simulator.planet_api}/data/v1/item-types?page=1`;
    for (const authorization of [await session.authorize(url), session.authorizeSync(url), session.authorizeSync(url)]) {
      assert.ok(authorization instanceof planetkey.Authorization);
      assert.equal(await authenticatedAs(authorization), `api_key_${expected}`);
      assert.equal(authorization.credential, 'api_key');
      assert.equal(authorization.accessToken, null);
      assert.equal(authorization.transport, expected);
      assert.equal(authorization.expiresAt, null);
      assert.equal(typeof authorization.source, 'string');
      assert.equal(authorization.url === url, expected !== 'query');
      assert.deepEqual(Object.keys(authorization.headers), expected === 'query' ? [] : ['Authorization']);
    }
    if (expected === 'query') {
      assert.throws(() => session.headersSync(url), { code: 'INVALID_ARGUMENT' });
      await assert.rejects(session.headers(url), { code: 'INVALID_ARGUMENT' });
    } else {
      assert.equal(await authenticatedAs({ url, headers: session.headersSync(url) }), `api_key_${expected}`);
      assert.deepEqual(await session.headers(url), session.headersSync(url));
    }
    assert.equal(await authenticatedAs({ url: session.signedUrl(url) }), 'api_key_query');
    assert.equal(session.apiKey(), simulator.api_key);
    assert.throws(() => session.accessTokenSync(), { code: 'UNSUPPORTED' });
    assert.throws(() => session.authorizeSync(`${simulator.sentinel_hub_api}/x`), { code: 'HOST_REFUSED' });
    assert.equal(await simulator.count('sentinel_hub_api'), 0);
  });
}

test('an M2M client at both domains', async () => {
  const session = simulator.m2mSession();
  for (const method of ['authorizeSync', 'headersSync']) {
    assert.throws(() => session[method](`${simulator.sentinel_hub_api}/x`), { code: 'UNAVAILABLE' });
  }
  assert.throws(() => session.accessTokenSync(), { code: 'UNAVAILABLE' });
  assert.equal(await simulator.count('m2m.token'), 0);
  for (const [api, underDevelopment] of [[simulator.sentinel_hub_api, false], [simulator.planet_api, true]]) {
    const authorization = await session.authorize(`${api}/x`);
    assert.equal(await authenticatedAs(authorization), 'bearer');
    assert.equal(authorization.credential, 'access_token');
    assert.equal(authorization.accessToken, session.accessTokenSync());
    assert.ok(!JSON.stringify(authorization).includes(authorization.accessToken));
    assert.equal(authorization.transport, 'bearer');
    assert.equal(authorization.underDevelopment, underDevelopment);
    assert.ok(authorization.expiresAt instanceof Date && authorization.expiresAt > new Date());
    assert.deepEqual(session.authorizeSync(`${api}/x`), authorization);
    assert.deepEqual(session.headersSync(`${api}/y`), authorization.headers);
    assert.equal(authorization.headers.Authorization, `Bearer ${session.accessTokenSync()}`);
  }
  assert.throws(() => session.apiKey(), { code: 'UNSUPPORTED' });
  assert.throws(() => session.signedUrl(`${simulator.planet_api}/x`), { code: 'UNSUPPORTED' });
  assert.equal(await simulator.count('m2m.token'), 1);
});

test('a caller that changes its headers changes no others', async () => {
  const session = simulator.m2mSession();
  const url = `${simulator.sentinel_hub_api}/x`;
  const authorization = await session.authorize(url);
  const expected = { ...authorization.headers };
  for (const headers of [authorization.headers, session.headersSync(url), await session.headers(url), session.authorizeSync(url).headers]) {
    headers.Authorization = 'mine';
    headers.Accept = 'mine';
  }
  assert.deepEqual(session.headersSync(url), expected);
  assert.deepEqual(session.authorizeSync(url).headers, expected);
});

test('a URL that already contains an API key', async () => {
  const session = simulator.apiKeySession();
  const url = `${simulator.planet_api}/x?api_key=other&page=1`;
  for (let time = 0; time < 2; time += 1) {
    assert.equal(session.authorizeSync(`${simulator.planet_api}/x`).url, `${simulator.planet_api}/x`);
    assert.equal(session.authorizeSync(url).url, `${simulator.planet_api}/x?page=1`);
  }
  assert.throws(() => session.headersSync(url), { code: 'INVALID_ARGUMENT' });
});

test('a token that an API refuses is replaced once', async () => {
  const session = simulator.m2mSession();
  const url = `${simulator.sentinel_hub_api}/x`;
  const first = await session.accessToken();
  await simulator.revoke({ access_token: first });
  const refused = await session.authorize(url);
  const response = await fetch(url, { headers: refused.headers });
  assert.equal(response.status, 401);
  const answer = [refused, response.status, response.headers.get('www-authenticate')];
  assert.throws(() => session.afterResponseSync(...answer), { code: 'UNAVAILABLE' });
  assert.throws(() => session.accessTokenSync(), { code: 'UNAVAILABLE' });
  const repeat = await session.afterResponse(...answer);
  assert.equal(await authenticatedAs(repeat), 'bearer');
  assert.equal(session.afterResponseSync(...answer).accessToken, repeat.accessToken, 'the new token is cached');
  // What a caller does to its objects changes nothing.
  refused.headers.Authorization = repeat.headers.Authorization;
  assert.equal((await session.afterResponse(...answer)).accessToken, repeat.accessToken);
  assert.equal(session.invalidate(first), false);
  assert.equal(await simulator.count('m2m.token'), 2);

  const forbidden = await fetch(`${simulator.sentinel_hub_api}/forbidden`, { headers: session.headersSync(url) });
  assert.equal(forbidden.status, 403);
  const challenge = forbidden.headers.get('www-authenticate');
  assert.equal(await session.afterResponse(repeat, forbidden.status, challenge), null);
  assert.equal(session.afterResponseSync(repeat, forbidden.status, challenge), null);
  await assert.rejects(session.afterResponse(repeat, 401, null, { signal: AbortSignal.abort('why') }), { code: 'CANCELLED', cause: 'why' });
});

test('an API key that an API refuses is not sent again', async () => {
  for (const transport of ['basic', 'header', 'query']) {
    const session = simulator.apiKeySession(transport);
    const authorization = await session.authorize(`${simulator.planet_api}/x`);
    assert.equal(await session.afterResponse(authorization, 401, 'Basic'), null);
    assert.equal(session.afterResponseSync(authorization, 401), null);
  }
});

test('a URL gets an authorization only if the session serves it', async () => {
  const session = simulator.m2mSession();
  assert.equal(await session.authorizeIfServed('https://example.org/'), null);
  assert.equal(session.authorizeIfServedSync('https://example.org/'), null);
  assert.equal(await simulator.count('m2m.token'), 0);
  const url = `${simulator.sentinel_hub_api}/x`;
  assert.throws(() => session.authorizeIfServedSync(url), { code: 'UNAVAILABLE' });
  const calls = Array.from({ length: 4 }, () => session.authorizeIfServed(url));
  for (const authorization of await Promise.all(calls)) assert.equal(await authenticatedAs(authorization), 'bearer');
  assert.equal(session.authorizeIfServedSync(url).accessToken, session.authorizeSync(url).accessToken);
  assert.equal(await simulator.count('m2m.token'), 1);
  // What is no URL of a request is an error everywhere.
  for (const wrong of ['', 'services.sentinel-hub.com', 'https://', 'ftp://example.org/']) {
    assert.throws(() => session.authorizeIfServedSync(wrong), { code: 'INVALID_ARGUMENT' });
    await assert.rejects(session.authorizeIfServed(wrong), { code: 'INVALID_ARGUMENT' });
  }
});

test('one session for both domains', async () => {
  const names = ['PL_API_KEY', 'PL_AUTH_CLIENT_ID', 'PL_AUTH_CLIENT_SECRET', 'HOME'];
  const saved = Object.fromEntries(names.map((name) => [name, process.env[name]]));
  Object.assign(process.env, Object.fromEntries(names.map((name) => [name, simulator.variables[name]])));
  let session;
  try {
    session = Session.fromDefaults(simulator.options);
  } finally {
    for (const name of names) saved[name] === undefined ? delete process.env[name] : (process.env[name] = saved[name]);
  }
  // Alternating, so that the cached object of one source is not returned for the other.
  for (let time = 0; time < 2; time += 1) {
    assert.equal(await authenticatedAs(await session.authorize(`${simulator.planet_api}/x`)), 'api_key_basic');
    assert.equal(await authenticatedAs(await session.authorize(`${simulator.sentinel_hub_api}/x`)), 'bearer');
  }
  const { sources, hosts, initialized, deployment, notes } = session.status();
  assert.deepEqual(sources.map(({ kind, transport, tokenCached }) => ({ kind, transport, tokenCached })), [
    { kind: 'access_token', transport: 'bearer', tokenCached: true },
    { kind: 'api_key', transport: 'basic', tokenCached: true },
  ]);
  assert.equal(sources[0].clientId, simulator.client_id);
  assert.equal(sources[0].issuer, simulator.m2m);
  assert.ok(sources[0].expiresAt instanceof Date);
  assert.equal(sources[1].expiresAt, null);
  assert.equal(initialized, true);
  assert.equal(session.isInitialized(), true);
  assert.equal(typeof deployment, 'string');
  assert.deepEqual(notes, []);
  const carried = Object.fromEntries(hosts.map(({ host, sourceIndex, underDevelopment }) => [host, [sourceIndex, underDevelopment]]));
  assert.deepEqual(carried, {
    [new URL(simulator.planet_api).host]: [1, false],
    [new URL(simulator.sentinel_hub_api).host]: [0, false],
  });
});

test('any registered client, as object and as text', async () => {
  await simulator.settings({ scopes: ['read', 'write'] });
  const config = {
    client_type: 'oidc_client_credentials_secret',
    auth_server: simulator.m2m,
    client_id: simulator.client_id,
    client_secret: simulator.client_secret,
    scopes: ['read'],
  };
  for (const form of [config, JSON.stringify(config)]) {
    const session = Session.fromClientConfig(form, simulator.options);
    assert.equal(await authenticatedAs(await session.authorize(`${simulator.sentinel_hub_api}/x`)), 'bearer');
    assert.deepEqual(session.status().sources[0].scopes, ['read']);
  }
});

test('scopes and audience of an M2M client', async () => {
  await simulator.m2mSession({ scopes: ['one', 'two'], audience: 'https://example.org/' }).accessToken();
  const [{ form }] = await simulator.requests('m2m.token');
  const { scope, audience } = Object.fromEntries(form);
  assert.deepEqual({ scope, audience }, { scope: 'one two', audience: 'https://example.org/' });
});

test('a deployment as an object', async () => {
  const deployment = JSON.parse(readFileSync(simulator.deployment));
  const session = Session.fromApiKey(simulator.api_key, { ...simulator.options, deployment });
  assert.equal(await authenticatedAs(session.authorizeSync(`${simulator.planet_api}/x`)), 'api_key_basic');
});

test('another deadline', async () => {
  await simulator.script('m2m.token', { hold: 'for ever' });
  const session = simulator.m2mSession();
  const hasty = session.withTimeoutMs(1);
  await assert.rejects(hasty.accessToken(), { code: 'TIMEOUT', retryable: true });
  for (const waiting of [hasty.accessToken(), hasty.headers(`${simulator.planet_api}/x`)]) await assert.rejects(waiting, { code: 'TIMEOUT' });
  const patient = session.accessToken();
  await simulator.release('for ever');
  // The refresh of the first caller serves the others.
  assert.equal(await patient, hasty.accessTokenSync());
  assert.equal(await simulator.count('m2m.token'), 1);
});

test('the attributes of a server\'s error', async () => {
  await simulator.always('m2m.token', { status: 429, headers: { 'Retry-After': '7' }, json: { error: 'temporarily_unavailable' } });
  await assert.rejects(simulator.m2mSession({ timeoutMs: 2000 }).accessToken(), (error) => {
    assert.equal(error.code, 'UNAVAILABLE');
    assert.equal(error.httpStatus, 429);
    assert.equal(error.retryable, true);
    assert.equal(error.retryAfterMs, 7000);
    return true;
  });
});

test('stripApiKey and redactUrl', () => {
  const url = 'https://tiles.planet.com/{z}/{x}/{y}.png?api_key=secret&x=1';
  assert.equal(planetkey.stripApiKey(url), 'https://tiles.planet.com/{z}/{x}/{y}.png?x=1');
  const redacted = planetkey.redactUrl(url);
  assert.ok(!redacted.includes('secret') && redacted.startsWith('https://tiles.planet.com/{z}/{x}/{y}.png?api_key='));
});
