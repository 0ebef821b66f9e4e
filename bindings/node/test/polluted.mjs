// A program: whatever Object.prototype holds, sessions do what they do without it. Run by
// pollution.test.mjs.
import assert from 'node:assert/strict';
import planetkey from '../index.mjs';
import { authInterceptor } from '../adapters/undici.mjs';
import { transformRequestSync } from '../adapters/maplibre.mjs';

const { Session } = planetkey;
const KEY = 'PLAK0123456789';
const HOST = 'https://api.planet.com/x';
const FOREIGN = 'https://evil.example/x';
const { sentinel_hub_api: API, home, deployment } = JSON.parse(process.env.TEST_SIMULATOR);
const { PL_AUTH_CLIENT_ID: ID, PL_AUTH_CLIENT_SECRET: SECRET } = process.env;
const CONFIG = JSON.stringify({ client_type: 'oidc_client_credentials_secret', client_id: ID, client_secret: SECRET });
const OPTIONS = { __proto__: null, deployment, allowInsecureLoopback: true, storageRoot: home };
const LENGTHY = 600_000;

/** What a call gives, or the code that it fails with. */
function told(call) {
  try {
    return call();
  } catch (error) {
    return Object.hasOwn(error, 'code') ? `${error.code} ${error.message}` : `${error}`;
  }
}

async function toldLater(call) {
  try {
    return await call();
  } catch (error) {
    return Object.hasOwn(error, 'code') ? `${error.code} ${error.message}` : `${error}`;
  }
}

const opened = {
  __proto__: null,
  fromDefaults: (options) => Session.fromDefaults(options),
  fromProfile: (options) => Session.fromProfile('planet-user', options),
  fromApiKey: (options) => Session.fromApiKey(KEY, options),
  fromM2m: (options) => Session.fromM2m(ID, SECRET, options),
  fromClientConfig: (options) => Session.fromClientConfig(CONFIG, options),
};

/** What a session's fetch hands to the global one. */
async function fetched(session, ...given) {
  const { fetch } = globalThis;
  const seen = [];
  globalThis.fetch = async (url, init) => {
    assert.equal(Object.getPrototypeOf(init), null);
    const { headers, ...rest } = init;
    seen[seen.length] = [typeof url === 'string' ? url : url.url, [...headers], Object.keys(rest).filter((name) => rest[name] !== undefined)];
    return new Response('', { __proto__: null, status: 200 });
  };
  try {
    await session.fetch(...given);
    return seen;
  } finally {
    globalThis.fetch = fetch;
  }
}

/** Where undici would send a request, and with what. */
const dispatched = (session, options) =>
  new Promise((resolve) => {
    const dispatch = authInterceptor(session)(({ origin, path, headers }) => resolve([origin, path, headers]));
    dispatch(options, { __proto__: null, onRequestStart() {}, onResponseError: (_, error) => resolve(`${error.code}`) });
  });

async function outcome() {
  const seen = { __proto__: null };
  for (const name of Object.keys(opened)) {
    for (const [options, given] of [[undefined, 'none'], [{}, 'empty'], [OPTIONS, 'some']]) {
      const session = told(() => opened[name](options));
      if (!(session instanceof Session)) {
        seen[`${name} ${given}`] = session;
        continue;
      }
      const loopback = `${API}/x`;
      seen[`${name} ${given}`] = [
        JSON.stringify(session.status()),
        ...[HOST, FOREIGN, loopback].map((url) => told(() => Object.entries(session.authorizeSync(url).headers))),
        told(() => session.signedUrl(HOST)),
        name === 'fromProfile' || given !== 'some' ? null : await toldLater(async () => (await session.authorize(loopback)).headers.Authorization.slice(0, 6)),
      ];
    }
  }
  const key = opened.fromApiKey();
  seen.fetch = [
    await toldLater(() => fetched(key, HOST)),
    await toldLater(() => fetched(key, HOST, {})),
    await toldLater(() => fetched(key, HOST, { headers: { 'X-Own': '1' } })),
    await toldLater(() => fetched(key, FOREIGN)),
  ];
  seen.undici = [
    await dispatched(key, { path: '/x', method: 'GET' }),
    await dispatched(key, { origin: 'https://api.planet.com', path: '/x', method: 'GET', headers: { 'X-Own': '1' } }),
  ];
  seen.maplibre = Object.entries(transformRequestSync(key)(HOST));
  const kept = new Map();
  const storage = { load: () => kept.get('session'), save: (text) => void kept.set('session', text) };
  const stored = told(() => Session.fromM2m(ID, SECRET, { __proto__: null, ...OPTIONS, storage }));
  seen.storage = await toldLater(async () => (await stored.authorize(`${API}/x`)).transport);
  seen.logout = await toldLater(() => stored.logout());
  const user = told(() => Session.fromProfile('planet-user', OPTIONS));
  seen.login = await toldLater(async () => Object.keys(await user.startDeviceLogin().then(async (login) => [await login.cancel(), login][1])));
  seen.auto = await toldLater(() => user.login());
  seen.refresh = await toldLater(() => opened.fromM2m(OPTIONS).refresh());
  return JSON.stringify(seen, null, 1).replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'a time').replace(/eyJ[\w.-]+/g, 'a token');
}

// Every name that the package reads of a caller's object, with what would do harm.
const listed = (call) => told(call).split('the options are ')[1].split(', ');
const names = new Set([
  ...Object.values(opened).flatMap((open) => listed(() => open({ nonsense: 1 }))),
  ...listed(() => transformRequestSync(opened.fromApiKey(), { nonsense: 1 })),
  'method', 'openBrowser', 'scopes', 'prompt', 'prompter', 'force', 'allowOtherUser', 'page', 'signal', 'revoke', 'ascii', 'headers', 'body',
  'redirect', 'dispatcher', 'origin', 'path', 'query', 'credentials', 'mode', 'lock', 'unlock', 'load', 'save', 'error', 'value', 'history', 'url',
  'error', 'cause', 'once', 'receiver', 'text', 'name', 'accessToken', 'transport', 'window',
]);
const HARM = {
  __proto__: null,
  save: false, storageRoot: '/proc/nowhere', timeoutMs: 1, deployment: '{"name": "evil"}', allowedHosts: ['evil.example', '127.0.0.1'],
  allowInsecureLoopback: true, caFile: '/proc/nowhere', proxy: 'http://127.0.0.1:9', transport: 'query', profile: 'evil', scopes: ['evil'],
  audience: 'evil', storage: { load: () => '{', save() {} }, method: 'evil', openBrowser: true, prompt: 'evil', prompter: 77, force: true, page: 7,
  signal: AbortSignal.abort(), headers: { Authorization: 'evil' }, origin: 'https://api.planet.com', revoke: 7, onError: 7, error: new Error('evil'),
};

async function restoring(name, descriptor, run) {
  Object.defineProperty(Object.prototype, name, { __proto__: null, configurable: true, ...descriptor });
  try {
    return await run();
  } finally {
    delete Object.prototype[name];
  }
}

setTimeout(() => { throw new Error('the program does not end'); }, LENGTHY).unref();
await outcome();
const expected = await outcome();
assert.match(expected, /Bearer/);
const differ = [];
const compare = async (what, name, descriptor) => {
  const seen = await restoring(name, descriptor, outcome);
  if (seen === expected) return;
  const [before, after] = [expected.split('\n'), seen.split('\n')];
  const index = before.findIndex((line, number) => line !== after[number]);
  let at = 0;
  while (before[index][at] === after[index]?.[at]) at += 1;
  const part = (line) => line?.slice(Math.max(0, at - 60), at + 100);
  differ[differ.length] = `${what} ${String(name)}: ${part(before[index])} became ${part(after[index])}`;
};
for (const name of names) await compare('value', name, { __proto__: null, value: HARM[name] ?? 'evil', writable: true });
// An item of Object.prototype fills the holes of an array. Node's own AsyncLocalStorage fails with
// it, so this case runs alone.
const withHole = () => told(() => Session.fromApiKey(KEY, { __proto__: null, allowedHosts: [,] }));
assert.match(await restoring(0, { __proto__: null, value: 'evil.example', writable: true }, withHole), /INVALID_ARGUMENT/);
await compare('value', Symbol.iterator, { __proto__: null, value: 'evil', writable: true });

// A setter would get what is assigned, and a property that cannot be written would refuse it.
const taken = [];
for (const name of [
  ...names, 'Authorization', 'token', 'generation', 'key', 'code', 'number', 'reason', 'retryable', 'oauthError', 'httpStatus', 'retryAfterMs',
  'credential', 'source', 'expiresAt', 'underDevelopment', 'userCode', 'authorizationUrl', 'kind', 'message',
]) {
  const set = () => { taken[taken.length] = name; };
  await compare('setter', name, { __proto__: null, get: () => undefined, set });
}
assert.deepEqual([differ, taken], [[], []]);
console.log(`${names.size} names`);
