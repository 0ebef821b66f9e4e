// planetkey/undici in undici itself and in the fetch of Node.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { after, test } from 'node:test';
import { authInterceptor } from 'planetkey/undici';
import * as undici from 'undici';
import { assertCounts, bench, headersOf, redirecting, revoked } from './bench.mjs';

const here = bench();
const agents = [];
after(() => Promise.all(agents.map((agent) => agent.close())));

const AUTH = (session) => authInterceptor(session);
const REDIRECT = () => undici.interceptors.redirect({ maxRedirections: 3 });
const RETRY = () => undici.interceptors.retry({ maxRetries: 1 });

function agentOf(session, interceptors = [AUTH]) {
  const agent = new undici.Agent();
  agents.push(agent);
  return agent.compose(interceptors.map((make) => make(session)));
}

async function request(session, url, options) {
  const { statusCode, body } = await undici.request(url, { dispatcher: agentOf(session), ...options });
  const text = await body.text();
  return statusCode === 200 ? JSON.parse(text).credential : statusCode;
}

/** The clients that use a dispatcher: each returns the credential that arrived, or the status. */
const fetching = (fetch) => async (url, { query, ...options }) => {
  const response = await fetch(`${url}${query ? `?${new URLSearchParams(query)}` : ''}`, options);
  return response.ok ? (await response.json()).credential : response.status;
};
const CLIENTS = {
  'undici.request': async (url, options) => {
    const { statusCode, body } = await undici.request(url, options);
    const text = await body.text();
    return statusCode === 200 ? JSON.parse(text).credential : statusCode;
  },
  'undici.fetch': fetching(undici.fetch),
  'the fetch of Node': fetching(fetch),
};

for (const [name, ask] of Object.entries(CLIENTS)) {
  test(`${name}: both domains and every form of an API key`, async () => {
    const { simulator } = here;
    const dispatcher = agentOf(simulator.m2mSession());
    for (const api of [simulator.planet_api, simulator.sentinel_hub_api]) assert.equal(await ask(`${api}/x`, { dispatcher }), 'bearer');
    for (const transport of ['basic', 'header', 'query']) {
      const keyed = agentOf(simulator.apiKeySession(transport));
      const options = { dispatcher: keyed, query: { page: 1 }, headers: { Authorization: 'Bearer of-the-caller', 'X-Own': '1' } };
      assert.equal(await ask(`${simulator.planet_api}/x`, options), `api_key_${transport}`);
      assert.equal((await headersOf(simulator, 'planet_api')).at(-1)['x-own'], '1');
      // A host that takes no key: the request goes out as it is.
      assert.equal(await ask(`${simulator.sentinel_hub_api}/x`, { dispatcher: keyed }), 401);
    }
  });

  test(`${name}: a revoked token is refreshed once and the request repeated once`, async () => {
    const { simulator } = here;
    const session = await revoked(simulator);
    const dispatcher = agentOf(session);
    assert.equal(await ask(`${simulator.sentinel_hub_api}/x`, { dispatcher }), 'bearer');
    await assertCounts(simulator, 2, 2);
    await simulator.always('sentinel_hub_api', { status: 401 });
    assert.equal(await ask(`${simulator.sentinel_hub_api}/x`, { dispatcher: agentOf(simulator.m2mSession({ save: false })) }), 401);
    await assertCounts(simulator, 4, 4);
  });

  test(`${name}: a host that the session does not serve gets the request's own headers only`, async () => {
    const { simulator, foreign } = here;
    const dispatcher = agentOf(simulator.m2mSession());
    assert.equal(await ask(foreign.url, { dispatcher, headers: { Authorization: 'its own' } }), 401);
    assert.equal(await ask(foreign.url, { dispatcher }), 401);
    assert.deepEqual(foreign.requests.map(({ headers }) => headers.authorization), ['its own', undefined]);
    assert.equal(await simulator.count('m2m.token'), 0);
  });
}

test('a095 undici sends no credential to a foreign host in any order of interceptors', async () => {
  const { simulator, foreign } = here;
  const session = simulator.m2mSession();
  const url = redirecting(simulator.sentinel_hub_api, foreign.url);
  const requests = [
    ...[[AUTH, REDIRECT], [REDIRECT, AUTH], [AUTH, RETRY, REDIRECT], [REDIRECT, RETRY, AUTH], [AUTH, REDIRECT, AUTH]].map((interceptors) =>
      () => CLIENTS['undici.request'](url, { dispatcher: agentOf(session, interceptors) })),
    () => CLIENTS['undici.fetch'](url, { dispatcher: agentOf(session) }),
    () => CLIENTS['the fetch of Node'](url, { dispatcher: agentOf(session) }),
  ];
  for (const [index, ask] of requests.entries()) {
    assert.equal(await ask(), 401);
    assert.equal(foreign.requests.length, index + 1);
    assert.equal(foreign.requests[index].headers.authorization, undefined);
  }
  // The response of a foreign host says nothing about a token.
  assert.equal(await simulator.count('m2m.token'), 1);
});

test('a redirect to another host of the session carries the right credential or none', async () => {
  const { simulator } = here;
  const session = simulator.m2mSession();
  const url = redirecting(simulator.sentinel_hub_api, `${simulator.planet_api}/y`);
  assert.equal(await CLIENTS['undici.request'](url, { dispatcher: agentOf(session, [AUTH, REDIRECT]) }), 'bearer');
  assert.equal(await CLIENTS['undici.fetch'](url, { dispatcher: agentOf(session) }), 'bearer');
  assert.equal(await CLIENTS['undici.request'](url, { dispatcher: agentOf(session, [REDIRECT, AUTH]) }), 401);
  assert.equal((await headersOf(simulator, 'planet_api')).at(-1).authorization, undefined);
  assert.equal(await simulator.count('m2m.token'), 1);
  // On the same host the one credential goes along, and may turn out to be revoked there.
  const same = redirecting(simulator.sentinel_hub_api, '/y');
  for (const interceptors of [[AUTH, REDIRECT], [REDIRECT, AUTH]]) {
    const fresh = simulator.m2mSession({ save: false });
    await fresh.accessToken();
    await simulator.script('sentinel_hub_api', {}, { status: 401 });
    assert.equal(await CLIENTS['undici.request'](same, { dispatcher: agentOf(fresh, interceptors) }), 'bearer');
  }
});

test('a096 undici refreshes once for many and repeats each once', async () => {
  const { simulator } = here;
  const dispatcher = agentOf(await revoked(simulator));
  const url = `${simulator.sentinel_hub_api}/x`;
  const asked = Array.from({ length: 8 }, () => CLIENTS['undici.request'](url, { dispatcher }));
  assert.deepEqual(await Promise.all(asked), Array(8).fill('bearer'));
  assert.equal(await simulator.count('m2m.token'), 2);
  await simulator.reset();
  assert.equal(await request(simulator.m2mSession({ save: false }), `${simulator.sentinel_hub_api}/forbidden`), 403);
  await assertCounts(simulator, 1, 1);
});

test('the repeated request does not wait for the refused response or its connection', async () => {
  const { simulator } = here;
  const url = `${simulator.sentinel_hub_api}/x`;
  const challenge = { 'WWW-Authenticate': 'Bearer error="invalid_token"' };
  for (const [name, ask] of Object.entries(CLIENTS)) {
    for (const interceptors of [[AUTH], [RETRY, AUTH], [AUTH, RETRY], [REDIRECT, AUTH], [AUTH, REDIRECT]]) {
      for (const options of [{}, { method: 'POST', body: 'body' }]) {
        const session = simulator.m2mSession({ save: false });
        const agent = new undici.Agent({ connections: 1 });
        const dispatcher = agent.compose(interceptors.map((make) => make(session)));
        await simulator.script('sentinel_hub_api', { status: 401, headers: challenge, json: { error: 'refused' }, fault: 'stall_in_body' });
        assert.equal(await ask(url, { dispatcher, ...options }), 'bearer', name);
        // A pending request would delay this.
        await agent.close();
      }
    }
  }
});

test('a response without a repetition arrives complete', async () => {
  const { simulator } = here;
  const body = 'refused '.repeat(50_000);
  await simulator.always('sentinel_hub_api', { status: 401, body });
  const url = `${simulator.sentinel_hub_api}/x`;
  const dispatcher = agentOf(simulator.m2mSession());
  const stream = { method: 'POST', body: Readable.from(['body']) };
  for (const [options, count] of [[{}, 2], [stream, 3]]) {
    const answer = await undici.request(url, { dispatcher, ...options });
    assert.equal(answer.statusCode, 401);
    assert.equal(await answer.body.text(), body);
    assert.equal(await simulator.count('sentinel_hub_api'), count);
  }
});

test('session.fetch uses the dispatcher of a Request', async () => {
  const { simulator } = here;
  const used = [];
  const recording = (name) => agentOf(null, [() => (dispatch) => (options, handler) => {
    used.push(`${name} ${new URL(options.path, simulator.planet_api).pathname}`);
    return dispatch(options, handler);
  }]);
  const mine = recording('mine');
  let session;
  const credentialOf = async (...form) => (await (await session.fetch(...form)).json()).credential;
  const url = `${simulator.planet_api}/x`;
  for (const options of [{}, { method: 'POST', body: 'body' }]) {
    session = await revoked(simulator);
    assert.equal(await credentialOf(new Request(url, { ...options, dispatcher: mine })), 'bearer');
    assert.deepEqual(used.splice(0), ['mine /x', 'mine /x']);
  }
  assert.equal(await credentialOf(new Request(url, { dispatcher: mine }), { dispatcher: recording('other') }), 'bearer');
  assert.deepEqual(used.splice(0), ['other /x']);
  assert.equal(await credentialOf(new Request(url)), 'bearer');
  assert.deepEqual(used.splice(0), []);

  const redirected = new Request(redirecting(simulator.planet_api, '/y'), { dispatcher: mine });
  // Where Node does not let it be read, it stays with the URL of the Request.
  const isKept = Object.getOwnPropertySymbols(redirected).some(({ description }) => description === 'dispatcher');
  assert.equal(await credentialOf(redirected), 'bearer');
  assert.deepEqual(used.splice(0), isKept ? ['mine /redirect', 'mine /y'] : ['mine /redirect']);
  assert.equal(await credentialOf(redirecting(simulator.planet_api, '/y'), { dispatcher: mine }), 'bearer');
  assert.deepEqual(used, ['mine /redirect', 'mine /y']);
});

test('the fetch of Node with a global dispatcher', async () => {
  const { simulator } = here;
  const dispatcher = agentOf(await revoked(simulator));
  const before = undici.getGlobalDispatcher();
  undici.setGlobalDispatcher(dispatcher);
  let response;
  try {
    response = await fetch(`${simulator.sentinel_hub_api}/x`);
  } finally {
    undici.setGlobalDispatcher(before);
  }
  assert.equal((await response.json()).credential, 'bearer');
  await assertCounts(simulator, 2, 2);
});

test('bodies', async () => {
  const { simulator } = here;
  const url = `${simulator.sentinel_hub_api}/x`;
  const form = new undici.FormData();
  form.append('name', 'value');
  for (const body of ['body', Buffer.from('body'), new Blob(['body']), form]) {
    const session = await revoked(simulator);
    assert.equal(await request(session, url, { method: 'POST', body }), 'bearer');
    const [first, second] = (await headersOf(simulator, 'sentinel_hub_api')).slice(-2);
    assert.equal(first['content-length'], second['content-length']);
    assert.ok(Number(second['content-length']) > 0);
    assert.notEqual(first.authorization, second.authorization);
  }
  // What cannot be sent twice is not; the next request has the new token.
  const streams = [() => Readable.from(['body']), async function* stream() { yield 'body'; }];
  for (const stream of streams) {
    const session = await revoked(simulator);
    assert.equal(await request(session, url, { method: 'POST', body: stream() }), 401);
    assert.equal(await request(session, url), 'bearer');
  }
});

test('i10_27_a_post_by_fetch_is_repeated_after_a_401', async () => {
  const { simulator } = here;
  const url = `${simulator.sentinel_hub_api}/x`;
  const bodies = ['body', Buffer.from('body'), new Blob(['body']), new URLSearchParams('body=')];
  for (const name of ['undici.fetch', 'the fetch of Node']) {
    for (const body of bodies) {
      const dispatcher = agentOf(await revoked(simulator));
      assert.equal(await CLIENTS[name](url, { dispatcher, method: 'POST', body }), 'bearer', name);
      const [first, second] = (await headersOf(simulator, 'sentinel_hub_api')).slice(-2);
      assert.equal(first['content-length'], second['content-length']);
      assert.notEqual(first.authorization, second.authorization);
    }
    // A stream is sent once.
    const session = await revoked(simulator);
    const stream = { method: 'POST', duplex: 'half', body: new Blob(['body']).stream() };
    assert.equal(await CLIENTS[name](url, { dispatcher: agentOf(session), ...stream }), 401, name);
    assert.equal(await CLIENTS[name](url, { dispatcher: agentOf(session) }), 'bearer', name);
  }
});

test('i10_27_the_order_that_the_readme_names_serves_redirects', async () => {
  const { simulator } = here;
  const readme = readFileSync(new URL('../../../bindings/node/README.md', import.meta.url), 'utf8');
  assert.match(readme, /compose\(authInterceptor\(.*\), interceptors\.redirect\(/);
  const agent = new undici.Agent();
  agents.push(agent);
  const dispatcher = agent.compose(authInterceptor(simulator.m2mSession()), undici.interceptors.redirect({ maxRedirections: 5 }));
  const url = redirecting(simulator.sentinel_hub_api, `${simulator.planet_api}/y`);
  assert.equal(await CLIENTS['undici.request'](url, { dispatcher }), 'bearer');
});

test('i10_24_session_fetch_takes_a_request_of_the_package', async () => {
  const { simulator } = here;
  const session = await revoked(simulator);
  const request = new undici.Request(`${simulator.sentinel_hub_api}/x`, { method: 'POST', body: 'body', headers: { 'X-Own': '1' } });
  assert.equal((await (await session.fetch(request)).json()).credential, 'bearer');
  assert.equal((await headersOf(simulator, 'sentinel_hub_api')).at(-1)['x-own'], '1');
  await assertCounts(simulator, 2, 2);
});

test('headers in every form that undici accepts', async () => {
  const { simulator } = here;
  const session = simulator.m2mSession();
  const pairs = [['authorization', 'mine'], ['X-Own', '1']];
  for (const headers of [pairs.flat(), pairs, Object.fromEntries(pairs), new Headers(pairs), new Map(pairs), new undici.Headers(pairs)]) {
    assert.equal(await request(session, `${simulator.planet_api}/x`, { headers }), 'bearer');
    assert.equal((await headersOf(simulator, 'planet_api')).at(-1)['x-own'], '1');
  }
  assert.equal(await request(session, `${simulator.planet_api}/x`, { headers: { 'X-Own': ['1', '2'] } }), 'bearer');
  const last = (await simulator.requests('planet_api')).at(-1).headers.filter(([name]) => name.toLowerCase() === 'x-own');
  assert.deepEqual(last.map(([, value]) => value), ['1', '2']);
  assert.equal(await request(session, `${simulator.planet_api}/x`, { headers: null }), 'bearer');
});

test('an abort ends the wait for a token', async () => {
  const { simulator } = here;
  await simulator.script('m2m.token', { hold: 'token' });
  const session = simulator.m2mSession();
  const controller = new AbortController();
  const waiting = request(session, `${simulator.planet_api}/x`, { signal: controller.signal });
  await simulator.waitHeld('token');
  const reason = new Error('enough');
  controller.abort(reason);
  await assert.rejects(waiting, (error) => error === reason);
  await simulator.release('token');
  await session.accessToken();
  assert.equal(await simulator.count('planet_api'), 0);
});

test('a missing token is the failure of the request', async () => {
  const { simulator } = here;
  await simulator.always('m2m.token', { status: 401, json: { error: 'invalid_client' } });
  const url = `${simulator.planet_api}/x`;
  await assert.rejects(request(simulator.m2mSession(), url), { code: 'MISCONFIGURED' });
  const failing = simulator.m2mSession({ save: false });
  await assert.rejects(fetch(url, { dispatcher: agentOf(failing) }), (error) => error.cause.code === 'MISCONFIGURED');
  const body = Readable.from(['body']);
  await assert.rejects(request(failing, url, { method: 'POST', body }), { code: 'MISCONFIGURED' });
  assert.equal(body.destroyed, true);
});

test('a request without an origin is refused', async () => {
  const { simulator } = here;
  const client = new undici.Client(simulator.planet_api);
  agents.push(client);
  const composed = client.compose(authInterceptor(simulator.m2mSession()));
  await assert.rejects(composed.request({ method: 'GET', path: '/x' }), (error) => error.code === 'INVALID_ARGUMENT' && /Agent/.test(error.message));
  const { body } = await composed.request({ method: 'GET', path: '/x', origin: simulator.planet_api });
  assert.equal((await body.json()).credential, 'bearer');
  // The target of a request to a proxy is a whole URL.
  const { statusCode, body: nothing } = await composed.request({ method: 'GET', path: `${simulator.planet_api}/x`, origin: simulator.planet_api });
  assert.notEqual(statusCode, 200);
  await nothing.dump();
  for (const session of [undefined, null, {}]) assert.throws(() => authInterceptor(session), { code: 'INVALID_ARGUMENT' });
  // Handlers of undici 6.
  assert.throws(() => authInterceptor(simulator.m2mSession())(() => true)({ origin: simulator.planet_api, path: '/' }, { onConnect() {} }), {
    code: 'UNSUPPORTED',
  });
});
