// session.fetch: the global fetch with the session's credential.
import assert from 'node:assert/strict';
import { Blob } from 'node:buffer';
import { after, before, beforeEach, test } from 'node:test';
import { inspect } from 'node:util';
import planetkey from '../index.mjs';
import { Foreign } from './foreign.mjs';
import { Simulator } from './simulator.mjs';

let simulator;
let foreign;
before(async () => {
  simulator = await Simulator.start();
  foreign = await Foreign.start();
});
beforeEach(async () => {
  await simulator.reset();
  foreign.requests.length = 0;
});
after(async () => {
  await foreign.stop();
  await simulator.stop();
});

const credentialOf = async (response) => {
  assert.equal(response.status, 200);
  return (await response.json()).credential;
};
const redirecting = (api, to) => `${api}/redirect?to=${encodeURIComponent(to)}`;
const byName = (headers) => Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]));
const headersOf = async (target) => (await simulator.requests(target)).map(({ headers }) => byName(headers));

/** A Request like that of node-fetch: neither Node's class nor its Headers and AbortSignal. */
class ForeignRequest {
  #body;

  constructor(url, { method = 'GET', headers = {}, body = null, signal = null } = {}) {
    this.#body = body;
    Object.assign(this, { url, method, headers: new Map(Object.entries(headers)), body, signal });
  }

  async arrayBuffer() {
    return new TextEncoder().encode(this.#body).buffer;
  }
}

class ForeignSignal extends EventTarget {
  aborted = false;

  abort() {
    this.aborted = true;
    this.dispatchEvent(new Event('abort'));
  }
}

test('i10_24_a_request_of_another_package_is_sent', async () => {
  const session = simulator.m2mSession({ save: false });
  const url = `${simulator.sentinel_hub_api}/x`;
  const headers = { 'X-Own': '1', authorization: 'its own' };
  assert.equal(await credentialOf(await session.fetch(new ForeignRequest(url, { headers }))), 'bearer');
  assert.equal((await headersOf('sentinel_hub_api')).at(-1)['x-own'], '1');

  // With a body, also when it has to be repeated.
  await simulator.revoke({ all: true });
  assert.equal(await credentialOf(await session.fetch(new ForeignRequest(url, { method: 'POST', body: 'body', headers }))), 'bearer');
  const posted = (await simulator.requests('sentinel_hub_api')).slice(-2);
  assert.deepEqual(posted.map(({ method }) => method), ['POST', 'POST']);
  assert.deepEqual((await headersOf('sentinel_hub_api')).slice(-2).map((one) => one['content-length']), ['4', '4']);

  // Its signal is of another class too.
  const signal = new ForeignSignal();
  await simulator.script('sentinel_hub_api', { hold: 'answer' });
  const waiting = session.fetch(new ForeignRequest(url, { signal }));
  await simulator.waitHeld('answer');
  signal.abort();
  await assert.rejects(waiting, { name: 'AbortError' });
  await simulator.release('answer');

  await assert.rejects(session.fetch({ url: 'no URL', headers: {} }), TypeError);
  await assert.rejects(session.fetch(new ForeignRequest('https://evil.example/')), { code: 'HOST_REFUSED' });
});

test('it accepts what fetch accepts', async () => {
  const session = simulator.m2mSession();
  const url = `${simulator.sentinel_hub_api}/x`;
  const forms = [
    [url],
    [new URL(url), { headers: { 'X-Own': '1' } }],
    [url, null],
    [new Request(url, { headers: { 'X-Own': '1' } })],
    [new Request(url, { headers: { 'X-Other': '1' } }), { headers: new Headers({ 'X-Own': '1' }) }],
    [url, new Request(url, { headers: [['X-Own', '1']] })],
    [url, { headers: { authorization: 'Bearer of-the-caller', 'X-Own': '1' } }],
  ];
  for (const form of forms) assert.equal(await credentialOf(await session.fetch(...form)), 'bearer');
  assert.equal((await headersOf('sentinel_hub_api')).filter((headers) => headers['x-own'] === '1').length, 5);
  assert.equal((await headersOf('sentinel_hub_api')).filter((headers) => headers['x-other'] === '1').length, 0);

  // Without its session, as a library is given it.
  const { fetch } = session;
  assert.equal(fetch, session.fetch);
  const response = await fetch(url);
  assert.ok(response instanceof Response);
  assert.equal(response.url, url);
  assert.equal(response.redirected, false);
  assert.equal(await simulator.count('m2m.token'), 1);

  await assert.rejects(session.fetch('no URL'), TypeError);
  await assert.rejects(session.fetch(url, { method: 'GET', body: 'x' }), TypeError);
  const used = new Request(url, { method: 'POST', body: 'x' });
  await used.text();
  await assert.rejects(session.fetch(used), TypeError);
});

test('both domains and every form of an API key', async () => {
  const url = `${simulator.planet_api}/basemaps/v1/mosaics?page=1`;
  for (const transport of ['basic', 'header', 'query']) {
    const session = simulator.apiKeySession(transport);
    const response = await session.fetch(url, { method: 'POST', body: 'x', headers: { Authorization: 'Bearer of-the-caller' } });
    assert.equal(response.url.replace('&api_key=REDACTED', ''), url);
    assert.equal(await credentialOf(response), `api_key_${transport}`);
    await assert.rejects(session.fetch(`${simulator.sentinel_hub_api}/x`), { code: 'HOST_REFUSED' });
  }
  const session = simulator.m2mSession();
  for (const api of [simulator.planet_api, simulator.sentinel_hub_api]) assert.equal(await credentialOf(await session.fetch(`${api}/x`)), 'bearer');
});

test('a host that the session does not serve is refused before anything is sent', async () => {
  await assert.rejects(simulator.m2mSession().fetch(foreign.url), { code: 'HOST_REFUSED' });
  await assert.rejects(simulator.m2mSession().fetch('data:,x'), { code: 'INVALID_ARGUMENT' });
  assert.deepEqual(foreign.requests, []);
  assert.equal(await simulator.count('m2m.token'), 0);
});

const FORM = new FormData();
FORM.append('name', 'value');
for (const [name, body] of Object.entries({
  nothing: undefined,
  text: 'body',
  bytes: new TextEncoder().encode('body'),
  buffer: new TextEncoder().encode('body').buffer,
  blob: new Blob(['body']),
  parameters: new URLSearchParams({ name: 'value' }),
  form: FORM,
})) {
  test(`a revoked token: one refresh and one repetition, with ${name} as body`, async () => {
    const url = `${simulator.sentinel_hub_api}/x`;
    const init = { method: body === undefined ? 'GET' : 'POST', body };
    for (const form of [() => [url, init], () => [new Request(url, init)]]) {
      await simulator.reset();
      const session = simulator.m2mSession({ save: false });
      await session.accessToken();
      await simulator.revoke({ all: true });
      assert.equal(await credentialOf(await session.fetch(...form())), 'bearer');
      assert.deepEqual([await simulator.count('m2m.token'), await simulator.count('sentinel_hub_api')], [2, 2]);
      const [first, second] = (await headersOf('sentinel_hub_api')).slice(-2);
      assert.notEqual(first.authorization, second.authorization);
      for (const header of ['content-length', 'content-type']) {
        const [one, other] = [first, second].map((headers) => headers[header]?.replace(/boundary=.*/, ''));
        assert.equal(one, other);
      }
      if (body !== undefined) assert.ok(Number(second['content-length']) > 0);
    }
  });
}

test('a096 session.fetch refreshes once for many and repeats each once', async () => {
  const session = simulator.m2mSession();
  const url = `${simulator.sentinel_hub_api}/x`;
  await session.accessToken();
  await simulator.revoke({ all: true });
  const answers = await Promise.all(Array.from({ length: 8 }, () => session.fetch(url)));
  for (const answer of answers) assert.equal(await credentialOf(answer), 'bearer');
  assert.equal(await simulator.count('m2m.token'), 2);

  // What stays wrong is not asked for a third time.
  await simulator.reset();
  const other = simulator.m2mSession({ save: false });
  await simulator.always('sentinel_hub_api', { status: 401 });
  assert.equal((await other.fetch(url)).status, 401);
  assert.equal(await simulator.count('sentinel_hub_api'), 2);
  assert.equal(await simulator.count('m2m.token'), 2);

  await simulator.reset();
  assert.equal((await simulator.m2mSession({ save: false }).fetch(`${simulator.sentinel_hub_api}/forbidden`)).status, 403);
  assert.equal((await simulator.apiKeySession('basic').fetch(`${simulator.planet_api}/missing`)).status, 404);
  assert.equal(await simulator.count('m2m.token'), 1);
});

test('a stream is not sent twice, and the next request has a new token', async () => {
  const session = simulator.m2mSession();
  const url = `${simulator.sentinel_hub_api}/x`;
  await session.accessToken();
  await simulator.revoke({ all: true });
  const stream = new Blob(['body']).stream();
  assert.equal((await session.fetch(url, { method: 'POST', body: stream, duplex: 'half' })).status, 401);
  assert.equal(await credentialOf(await session.fetch(url)), 'bearer');
  assert.equal(await simulator.count('m2m.token'), 2);
});

test('a095 session.fetch sends no credential to a foreign host', async () => {
  const session = simulator.m2mSession();
  const init = { headers: { Cookie: 'a=b', 'Proxy-Authorization': 'x', 'X-Own': '1' } };
  const response = await session.fetch(redirecting(simulator.sentinel_hub_api, foreign.url), init);
  assert.equal(response.status, 401);
  assert.equal(response.url, foreign.url);
  assert.equal(response.redirected, true);
  const [{ headers }] = foreign.requests;
  for (const name of ['authorization', 'cookie', 'proxy-authorization']) assert.equal(headers[name], undefined);
  assert.equal(headers['x-own'], '1');
  // The response of a foreign host says nothing about a token.
  assert.equal(foreign.requests.length, 1);
  assert.equal(await simulator.count('m2m.token'), 1);

  const key = simulator.apiKeySession('query');
  const location = `${foreign.url}?api_key=${simulator.api_key}&x=1`;
  await simulator.script('planet_api', { status: 302, headers: { Location: location } });
  const redirected = await key.fetch(`${simulator.planet_api}/x`);
  assert.equal(foreign.requests.at(-1).url, '/elsewhere?x=1');
  assert.equal(redirected.url, `${foreign.url}?x=1`);
});

test('a clone shows no more than the response', async () => {
  const session = simulator.apiKeySession('query');
  const url = `${simulator.planet_api}/y`;
  for (const asked of [url, redirecting(simulator.planet_api, '/y')]) {
    const response = await session.fetch(asked);
    const clone = response.clone();
    for (const one of [response, clone, clone.clone()]) {
      assert.ok(one instanceof Response);
      assert.equal(one.url, `${url}?api_key=REDACTED`);
      assert.equal(one.redirected, asked !== url);
      assert.doesNotMatch(inspect(one), new RegExp(simulator.api_key));
      assert.equal(await credentialOf(one), 'api_key_query');
    }
  }
  const redirected = await simulator.m2mSession().fetch(redirecting(simulator.planet_api, '/y'));
  assert.equal(redirected.clone().redirected, true);
});

test('a redirect to another host of the session', async () => {
  const target = `${simulator.planet_api}/y`;
  const response = await simulator.m2mSession().fetch(redirecting(simulator.sentinel_hub_api, target));
  assert.equal(await credentialOf(response), 'bearer');
  assert.equal(response.url, target);

  const relative = await simulator.apiKeySession('query').fetch(redirecting(simulator.planet_api, '/y'));
  assert.equal(relative.url, `${target}?api_key=REDACTED`);
  assert.equal(await credentialOf(relative), 'api_key_query');

  // A host of the deployment that does not take this credential gets none, and says what it misses.
  const refused = await simulator.apiKeySession('basic').fetch(redirecting(simulator.planet_api, `${simulator.sentinel_hub_api}/x`));
  assert.equal(refused.status, 401);
  assert.equal((await headersOf('sentinel_hub_api')).at(-1).authorization, undefined);

  // The token may be found wanting after the redirect as well.
  const session = simulator.m2mSession({ save: false });
  await simulator.script('planet_api', { status: 401 });
  assert.equal(await credentialOf(await session.fetch(redirecting(simulator.sentinel_hub_api, target))), 'bearer');
});

test('redirects as fetch follows them', async () => {
  const session = simulator.m2mSession();
  const api = simulator.sentinel_hub_api;
  const redirect = (status, location = '/y') => simulator.script('sentinel_hub_api', { status, headers: { Location: location } });
  for (const [status, method, expected, hasBody] of [
    [301, 'POST', 'GET', false], [302, 'POST', 'GET', false], [303, 'PUT', 'GET', false], [301, 'PUT', 'PUT', true],
    [307, 'POST', 'POST', true], [308, 'POST', 'POST', true], [303, 'HEAD', 'HEAD', false],
  ]) {
    await redirect(status);
    const body = method !== 'HEAD' && { body: '{}', headers: { 'Content-Type': 'application/json' } };
    const response = await session.fetch(`${api}/x`, { method, ...body });
    assert.equal(response.status, 200);
    assert.equal(response.url, `${api}/y`);
    const { method: used, headers } = (await simulator.requests('sentinel_hub_api')).at(-1);
    assert.equal(used, expected);
    assert.equal(byName(headers)['content-type'], hasBody ? 'application/json' : undefined);
  }
  await redirect(307);
  assert.equal(await credentialOf(await session.fetch(new Request(`${api}/x`, { method: 'POST', body: 'x' }))), 'bearer');
  await redirect(307);
  await assert.rejects(session.fetch(`${api}/x`, { method: 'POST', body: new Blob(['x']).stream(), duplex: 'half' }), TypeError);

  // Bytes that are not ASCII are UTF-8.
  for (const fetch of [globalThis.fetch, session.fetch]) {
    await redirect(302, '/ziel-\u00fc?\u20ac');
    assert.equal((await fetch(`${api}/x`)).url, `${api}/ziel-%C3%BC?%E2%82%AC`);
  }

  await redirect(302);
  const manual = await session.fetch(`${api}/x`, { redirect: 'manual' });
  assert.equal(manual.status, 302);
  assert.equal(manual.headers.get('location'), '/y');
  await redirect(302);
  await assert.rejects(session.fetch(new Request(`${api}/x`, { redirect: 'error' })), TypeError);
  await redirect(302, 'ftp://example.org/');
  await assert.rejects(session.fetch(`${api}/x`), TypeError);
  await redirect(302, 'http://[');
  await assert.rejects(session.fetch(`${api}/x`), TypeError);
  await simulator.always('sentinel_hub_api', { status: 302, headers: { Location: '/x' } });
  const before = await simulator.count('sentinel_hub_api');
  await assert.rejects(session.fetch(`${api}/x`), TypeError);
  assert.equal((await simulator.count('sentinel_hub_api')) - before, 21);
});

test('subresource integrity', async () => {
  const session = simulator.m2mSession();
  await simulator.script('planet_api', { status: 302, headers: { Location: '/y' } }, { status: 200, body: 'x' });
  const integrity = 'sha256-LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=';
  assert.equal(await (await session.fetch(`${simulator.planet_api}/x`, { integrity })).text(), 'x');
  await assert.rejects(session.fetch(`${simulator.planet_api}/x`, { integrity }), TypeError);
  // After a redirect that fetch itself followed to a foreign host, the response says nothing about
  // the token.
  assert.equal((await session.fetch(redirecting(simulator.planet_api, foreign.url), { integrity }).catch(() => ({ status: 401 }))).status, 401);
  assert.equal(foreign.requests[0].headers.authorization, undefined);
  assert.equal(await simulator.count('m2m.token'), 1);
});

test('an abort rejects with its own reason at every stage', async () => {
  const url = `${simulator.sentinel_hub_api}/x`;
  const session = simulator.m2mSession();
  const reason = new Error('enough');
  await assert.rejects(session.fetch(url, { signal: AbortSignal.abort(reason) }), (error) => error === reason);
  await assert.rejects(session.fetch(new Request(url, { signal: AbortSignal.abort() })), { name: 'AbortError' });

  // While the token is waited for.
  await simulator.script('m2m.token', { hold: 'token' });
  const first = new AbortController();
  const waiting = session.fetch(url, { signal: first.signal });
  await simulator.waitHeld('token');
  first.abort(reason);
  await assert.rejects(waiting, (error) => error === reason);
  await simulator.release('token');

  // While the answer is.
  await simulator.script('sentinel_hub_api', { hold: 'answer' });
  const second = new AbortController();
  const asking = session.fetch(new Request(url), { signal: second.signal });
  await simulator.waitHeld('answer');
  second.abort();
  await assert.rejects(asking, { name: 'AbortError' });
  await simulator.release('answer');

  // While the body of a Request is read that never ends.
  const third = new AbortController();
  const endless = new Request(url, { method: 'POST', body: new ReadableStream(), duplex: 'half', signal: third.signal });
  const reading = session.fetch(endless);
  third.abort(reason);
  await assert.rejects(reading, (error) => error === reason);

  // An init without a signal takes that of the Request away.
  const request = new Request(url, { signal: AbortSignal.abort() });
  assert.equal(await credentialOf(await session.fetch(request, { signal: null })), 'bearer');
});

test('a failed refresh is the failure of the request', async () => {
  const session = simulator.m2mSession();
  await session.accessToken();
  await simulator.revoke({ all: true });
  await simulator.always('m2m.token', { status: 401, json: { error: 'invalid_client' } });
  await assert.rejects(session.fetch(`${simulator.sentinel_hub_api}/x`), (error) => {
    return error instanceof planetkey.PlanetkeyError && error.code === 'MISCONFIGURED';
  });
});
