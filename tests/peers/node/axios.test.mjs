// planetkey/axios in an instance of axios.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get } from 'node:http';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import axios from 'axios';
import { installAxios } from 'planetkey/axios';
import { assertCounts, bench, headersOf, redirecting, revoked } from './bench.mjs';

const here = bench();

function clientOf(session, config) {
  const client = axios.create(config);
  installAxios(client, session);
  return client;
}

/** The credential that was seen, or the status. */
const seen = (asked) => asked.then(({ data, status }) => (status === 200 ? data.credential : status), (error) => {
  if (!error.response) throw error;
  return error.response.status;
});

for (const adapter of ['http', 'fetch']) {
  test(`both domains and every form of an API key, with the adapter ${adapter}`, async () => {
    const { simulator } = here;
    const client = clientOf(simulator.m2mSession(), { adapter });
    for (const api of [simulator.planet_api, simulator.sentinel_hub_api]) assert.equal(await seen(client.get(`${api}/x`)), 'bearer');
    for (const transport of ['basic', 'header', 'query']) {
      const keyed = clientOf(simulator.apiKeySession(transport), { adapter, baseURL: simulator.planet_api });
      const own = { headers: { authorization: 'Bearer of-the-caller', 'X-Own': '1' }, auth: { username: 'a', password: 'b' }, params: { page: 1 } };
      assert.equal(await seen(keyed.get('/x', own)), `api_key_${transport}`);
      const [{ query, headers }] = (await simulator.requests('planet_api')).slice(-1);
      assert.match(query, /page=1/);
      assert.ok(headers.some(([name, value]) => name.toLowerCase() === 'x-own' && value === '1'));
      // A host that takes no key: the request goes out as it is.
      assert.equal(await seen(keyed.get(`${simulator.sentinel_hub_api}/x`)), 401);
    }
  });

  test(`a revoked token is refreshed once and the request repeated once, with the adapter ${adapter}`, async () => {
    const { simulator } = here;
    for (const [method, data] of [['get'], ['post', { a: 1 }], ['post', 'text'], ['put', Buffer.from('bytes')], ['postForm', { a: 1 }]]) {
      await simulator.reset();
      const client = clientOf(await revoked(simulator), { adapter, baseURL: simulator.sentinel_hub_api });
      const asked = method === 'get' ? client.get('/x') : client[method]('/x', data);
      // A form is a stream by the time it is sent.
      const isStream = method === 'postForm';
      assert.equal(await seen(asked), isStream ? 401 : 'bearer');
      if (isStream) assert.equal(await seen(client.get('/x')), 'bearer');
      await assertCounts(simulator, 2, 2);
      const [first, second] = await headersOf(simulator, 'sentinel_hub_api');
      assert.notEqual(first.authorization, second.authorization);
      if (!isStream) assert.deepEqual({ ...first, authorization: second.authorization }, second);
    }
    await simulator.reset();
    await simulator.always('sentinel_hub_api', { status: 401 });
    const refused = clientOf(simulator.m2mSession({ save: false }), { adapter });
    assert.equal(await seen(refused.get(`${simulator.sentinel_hub_api}/x`)), 401);
    await assertCounts(simulator, 2, 2);
  });

  test(`a host that the session does not serve gets the request's own headers only, with the adapter ${adapter}`, async () => {
    const { simulator, foreign } = here;
    const client = clientOf(simulator.m2mSession(), { adapter });
    assert.equal(await seen(client.get(foreign.url, { headers: { Authorization: 'its own' } })), 401);
    assert.equal(await seen(client.get(foreign.url)), 401);
    assert.deepEqual(foreign.requests.map(({ headers }) => headers.authorization), ['its own', undefined]);
    assert.equal(await simulator.count('m2m.token'), 0);
  });
}

test('a095 axios sends no credential to a foreign host', async () => {
  const { simulator, foreign } = here;
  const url = redirecting(simulator.sentinel_hub_api, foreign.url);
  assert.equal(await seen(clientOf(simulator.m2mSession()).get(url)), 401);
  // The response of a foreign host says nothing about a token.
  assert.equal(await simulator.count('m2m.token'), 1);
  assert.equal(await seen(clientOf(simulator.m2mSession(), { adapter: 'fetch' }).get(url)), 401);
  const given = axios.create({ adapter: 'fetch', env: { fetch: simulator.m2mSession().fetch } });
  assert.equal(await seen(given.get(url)), 401);
  assert.ok(foreign.requests.length >= 3);
  for (const { headers } of foreign.requests) assert.equal(headers.authorization, undefined);
});

test('a redirect to another host of the session carries the right credential or none', async () => {
  const { simulator } = here;
  const url = redirecting(simulator.sentinel_hub_api, `${simulator.planet_api}/y`);
  const hops = [];
  const beforeRedirect = (options, details) => hops.push([options.href, details.statusCode]);
  assert.equal(await seen(clientOf(simulator.m2mSession(), { beforeRedirect }).get(url)), 'bearer');
  assert.deepEqual(hops, [[`${simulator.planet_api}/y`, 302]]);
  assert.equal(await simulator.count('m2m.token'), 1);

  const keyed = clientOf(simulator.apiKeySession('basic'));
  assert.equal(await seen(keyed.get(redirecting(simulator.planet_api, `${simulator.sentinel_hub_api}/x`))), 401);
  assert.equal((await headersOf(simulator, 'sentinel_hub_api')).at(-1).authorization, undefined);

  // The token may be found wanting after the redirect as well.
  await simulator.reset();
  await simulator.script('planet_api', { status: 401 });
  assert.equal(await seen(clientOf(simulator.m2mSession({ save: false })).get(url)), 'bearer');
  assert.equal(await simulator.count('m2m.token'), 2);
});

/** A proxy for plain http; `asked` is what it was asked for. */
async function forwarding() {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    get(request.url, { headers: request.headers }, (answer) => answer.pipe(response.writeHead(answer.statusCode, answer.headers)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  return { asked, proxy: { protocol: 'http', host: '127.0.0.1', port: server.address().port }, stop };
}

test('a key in the URL follows a redirect only to a host of the session', async (t) => {
  const { simulator, foreign } = here;
  const { asked, proxy, stop } = await forwarding();
  t.after(stop);
  for (const config of [{}, { proxy }]) {
    const client = clientOf(simulator.apiKeySession('query'), config);
    const twice = redirecting(simulator.planet_api, redirecting(simulator.planet_api, '/y?page=1').replace(simulator.planet_api, ''));
    assert.equal(await seen(client.get(twice)), 'api_key_query');
    const { path, query } = (await simulator.requests('planet_api')).at(-1);
    assert.equal(`${path}?${query}`, `/y?page=1&api_key=${simulator.api_key}`);

    assert.equal(await seen(client.get(redirecting(simulator.planet_api, `${simulator.sentinel_hub_api}/x`))), 401);
    assert.doesNotMatch((await simulator.requests('sentinel_hub_api')).at(-1).query ?? '', /api_key/);
    // Not even if the server sends it there.
    const location = `${foreign.url}?api_key=${simulator.api_key}&x=1`;
    await simulator.script('planet_api', { status: 302, headers: { Location: location } });
    const { response } = await client.get(`${simulator.planet_api}/x`).catch((error) => error);
    assert.equal(response.status, 401);
    assert.equal(foreign.requests.at(-1).url, '/elsewhere?x=1');
    assert.equal(response.request.res.responseUrl, `${foreign.url}?x=1`);
  }
  assert.equal(asked.length, 7);
});

test('a096 axios refreshes once for many and repeats each once', async () => {
  const { simulator } = here;
  const client = clientOf(await revoked(simulator), { baseURL: simulator.sentinel_hub_api });
  assert.deepEqual(await Promise.all(Array.from({ length: 8 }, () => seen(client.get('/x')))), Array(8).fill('bearer'));
  assert.equal(await simulator.count('m2m.token'), 2);
  await simulator.reset();
  assert.equal(await seen(clientOf(simulator.m2mSession({ save: false })).get(`${simulator.sentinel_hub_api}/forbidden`)), 403);
  await assertCounts(simulator, 1, 1);
});

test('a response that validateStatus accepts, and a stream', async () => {
  const { simulator } = here;
  const config = { baseURL: simulator.sentinel_hub_api, validateStatus: () => true };
  assert.equal(await seen(clientOf(await revoked(simulator), config).get('/x')), 'bearer');
  const { status, data } = await clientOf(await revoked(simulator), { ...config, responseType: 'stream' }).get('/x');
  assert.equal(status, 200);
  data.destroy();
  const streaming = clientOf(await revoked(simulator), { baseURL: simulator.sentinel_hub_api });
  assert.equal(await seen(streaming.post('/x', Readable.from(['body']))), 401);
  assert.equal(await seen(streaming.get('/x')), 'bearer');
});

test('later interceptors may change the request but not redirect the credential', async () => {
  const { simulator, foreign } = here;
  for (const legacyInterceptorReqResOrdering of [true, false]) {
    const client = axios.create({ transitional: { legacyInterceptorReqResOrdering } });
    const transformed = [];
    client.defaults.transformRequest = [(data) => { transformed.push(data); return data; }, ...client.defaults.transformRequest];
    const change = (config) => ({ ...config, ...(config.url.endsWith('astray') ? { url: foreign.url } : { params: { page: 1 } }) });
    client.interceptors.request.use(change);
    installAxios(client, simulator.m2mSession());
    client.interceptors.request.use(change);
    assert.equal(await seen(client.post(`${simulator.planet_api}/x`, { a: 1 })), 'bearer');
    assert.deepEqual(transformed, [{ a: 1 }]);
    assert.match((await simulator.requests('planet_api')).at(-1).query, /page=1/);
    assert.equal(await seen(client.get(`${simulator.planet_api}/astray`)), 401);
    assert.equal(foreign.requests.at(-1).headers.authorization, undefined);
  }
});

test('i10_30_a_parameter_that_axios_cannot_write_is_its_own_failure', async () => {
  const { simulator } = here;
  const circular = {};
  circular.self = circular;
  const throwing = () => { throw new RangeError('not to be written'); };
  for (const config of [{ params: circular }, { params: { page: 1 }, paramsSerializer: { serialize: throwing } }]) {
    const failures = [axios.create(), clientOf(simulator.m2mSession())].map((client) =>
      client.get(`${simulator.planet_api}/x`, config).then(() => null, (error) => error));
    const [plain, ours] = await Promise.all(failures);
    assert.deepEqual([ours?.name, ours?.message, ours?.code, typeof ours?.config], [plain?.name, plain?.message, plain?.code, typeof plain?.config]);
  }
  assert.equal(await simulator.count('planet_api'), 0);
});

test('an abort rejects with the error of axios', async () => {
  const { simulator } = here;
  await simulator.script('m2m.token', { hold: 'token' });
  const session = simulator.m2mSession();
  const client = clientOf(session);
  const controller = new AbortController();
  const waiting = client.get(`${simulator.planet_api}/x`, { signal: controller.signal });
  await simulator.waitHeld('token');
  controller.abort();
  await assert.rejects(waiting, axios.isCancel);
  await assert.rejects(client.get(`${simulator.planet_api}/x`, { signal: AbortSignal.abort() }), axios.isCancel);
  await simulator.release('token');
  await session.accessToken();
  assert.equal(await simulator.count('planet_api'), 0);
});

test('a missing token is the failure of the request', async () => {
  const { simulator } = here;
  await simulator.always('m2m.token', { status: 401, json: { error: 'invalid_client' } });
  await assert.rejects(clientOf(simulator.m2mSession()).get(`${simulator.planet_api}/x`), { code: 'MISCONFIGURED' });
});

test('no log of a failure shows the token', async () => {
  const { simulator } = here;
  const session = simulator.m2mSession();
  await assert.rejects(clientOf(session).get(`${simulator.planet_api}/missing`), (error) => {
    assert.doesNotMatch(JSON.stringify(error), /Bearer [^"]/);
    return error.response.status === 404;
  });
});

test('the interceptor can be removed', async () => {
  const { simulator } = here;
  const client = axios.create();
  const eject = installAxios(client, simulator.m2mSession());
  assert.equal(await seen(client.get(`${simulator.planet_api}/x`)), 'bearer');
  eject();
  assert.equal(await seen(client.get(`${simulator.planet_api}/x`)), 401);
  for (const session of [undefined, null, {}]) assert.throws(() => installAxios(client, session), { code: 'INVALID_ARGUMENT' });
});
