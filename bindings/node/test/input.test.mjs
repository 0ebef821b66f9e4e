// Whatever is passed in: an error with a code and no secret in it, never a crash.
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { after, before, test } from 'node:test';
import planetkey from '../index.mjs';
import { Simulator } from './simulator.mjs';

const { Authorization, PlanetkeyError, Session } = planetkey;
const KEY = 'PLAKsecret0123456789';

let simulator;
before(async () => { simulator = await Simulator.start(); });
after(() => simulator.stop());

/** `call` fails with `code` and says nothing of what was given. */
function refused(call, code = 'INVALID_ARGUMENT', secret = KEY) {
  assert.throws(call, (error) => {
    assert.ok(error instanceof PlanetkeyError, inspect(error));
    assert.equal(error.code, code, error.message);
    assert.ok(!inspect(error).includes(secret), 'the secret is in the error');
    assert.doesNotMatch(error.message, /[\r\n]/);
    return true;
  });
}

const wrongTypes = [undefined, null, 1, 1n, true, Symbol('s'), {}, [], () => {}, new String('text'), Buffer.from('text')];
const badText = ['\ud800', 'a\udc00b', `${KEY}\ud800`];
const session = () => Session.fromApiKey(KEY);

test('arguments of the wrong type', () => {
  for (const value of wrongTypes) {
    refused(() => Session.fromProfile(value));
    refused(() => Session.fromApiKey(value));
    refused(() => Session.fromM2m(value, 'secret'));
    refused(() => Session.fromM2m('id', value));
    for (const method of ['authorizeSync', 'headersSync', 'signedUrl', 'invalidate']) refused(() => session()[method](value));
    refused(() => session().authorizeIfServedSync(value));
    refused(() => session().afterResponseSync(value, 401));
    refused(() => planetkey.stripApiKey(value));
    refused(() => planetkey.redactUrl(value));
  }
  for (const value of [undefined, null, 1, true, Symbol('s'), () => {}]) refused(() => Session.fromClientConfig(value));
  const authorization = session().authorizeSync('https://api.planet.com/');
  const copy = { ...authorization };
  refused(() => session().afterResponseSync(copy, 401));
  for (const status of [undefined, null, '401', 401.5, -1, NaN, Infinity, 1000, 2 ** 53]) {
    refused(() => session().afterResponseSync(authorization, status));
  }
  refused(() => session().afterResponseSync(authorization, 401, 1));
});

test('promises reject, they do not throw', async () => {
  for (const method of ['authorize', 'authorizeIfServed', 'headers', 'afterResponse']) {
    const promise = session()[method](1);
    await assert.rejects(promise, (error) => error instanceof PlanetkeyError && error.code === 'INVALID_ARGUMENT');
  }
  await assert.rejects(session().accessToken(), { code: 'UNSUPPORTED' });
  await assert.rejects(session().refresh(), { code: 'UNSUPPORTED' });
});

test('strings that are not well-formed Unicode', () => {
  for (const value of badText) {
    refused(() => Session.fromApiKey(value));
    refused(() => Session.fromProfile(value));
    refused(() => Session.fromM2m('id', value));
    refused(() => Session.fromClientConfig(value));
    refused(() => session().headersSync(`https://api.planet.com/${value}`));
    refused(() => planetkey.redactUrl(value));
  }
});

test('invalid API keys', () => {
  for (const key of ['', ' ', `${KEY}\0`, `\0${KEY}`, `${KEY}:`, `a:${KEY}`, `${KEY}\r\nX: y`, `${KEY}\n`, `${KEY}\r`, KEY.repeat(100_000)]) {
    for (const transport of [undefined, null, 'basic', 'header', 'query']) refused(() => Session.fromApiKey(key, { transport }));
  }
});

test('other strings with invalid characters', () => {
  for (const text of [`${KEY}\0`, '']) {
    refused(() => Session.fromM2m('id', text));
    refused(() => Session.fromM2m(text, 'secret'));
  }
  refused(() => Session.fromClientConfig('{'), 'MISCONFIGURED');
  refused(() => Session.fromClientConfig(`{"client_secret": "${KEY}`), 'MISCONFIGURED');
});

test('absurd sizes', () => {
  const huge = 'a'.repeat(64 << 20);
  assert.throws(() => session().headersSync(huge), PlanetkeyError);
  assert.throws(() => session().headersSync(`https://${huge}/`), PlanetkeyError);
  assert.throws(() => Session.fromProfile(huge), PlanetkeyError);
  assert.throws(() => Session.fromClientConfig(huge), PlanetkeyError);
  assert.equal(planetkey.stripApiKey(`https://api.planet.com/${huge}`).length, 'https://api.planet.com/'.length + huge.length);
});

test('an unknown option is named, with the nearest one', () => {
  const message = (options, open = (given) => Session.fromApiKey(KEY, given)) => {
    try {
      open(options);
    } catch (error) {
      assert.equal(error.code, 'INVALID_ARGUMENT');
      return error.message;
    }
  };
  assert.equal(message({ timeoutMS: 1 }), "unknown option 'timeoutMS': did you mean 'timeoutMs'?");
  assert.equal(message({ timeout: 1 }), "unknown option 'timeout': did you mean 'timeoutMs'?");
  assert.equal(message({ allowedHost: [] }), "unknown option 'allowedHost': did you mean 'allowedHosts'?");
  assert.match(message({ nothingLikeIt: 1 }), /^unknown option 'nothingLikeIt': the options are save, .*, transport$/);
  // A name that is no identifier may be a misplaced secret.
  for (const name of ['a b', `${KEY}${KEY}${KEY}`, 'x-y', '']) assert.match(message({ [name]: 1 }), /^unknown option: the options are /);
});

test('an unknown option of a call is named', async () => {
  const one = session();
  const calls = [
    one.authorize('https://api.planet.com/', { singal: null }), one.headers('https://api.planet.com/', { singal: null }),
    one.authorizeIfServed('https://api.planet.com/', { singal: null }), one.accessToken({ singal: null }),
    one.refresh({ singal: null }), one.logout({ singal: null }), one.login({ singal: null }), one.userinfo({ singal: null }),
    one.startDeviceLogin({ singal: null }), one.startBrowserLogin({ singal: null }),
  ];
  for (const call of calls) {
    await assert.rejects(call, { code: 'INVALID_ARGUMENT', message: "unknown option 'singal': did you mean 'signal'?" });
  }
});

test('options', () => {
  const open = (options) => () => Session.fromApiKey(KEY, options);
  for (const options of ['text', 1, true, () => {}]) refused(open(options));
  refused(open({ timeout: 1000 }));
  refused(open({ timeoutMS: 1000 }));
  refused(open({ scopes: [] }));
  for (const save of ['true', 1, {}]) refused(open({ save }));
  for (const storageRoot of [1, {}, '\ud800', '']) refused(open({ storageRoot }));
  for (const profile of [1, {}, '\ud800', '', '..', 'a/b', 'a\0b']) refused(() => Session.fromM2m('id', KEY, { profile }));
  for (const timeoutMs of [0, -1, 1.5, NaN, Infinity, '1000', 2 ** 53, Number.MAX_SAFE_INTEGER]) refused(open({ timeoutMs }));
  for (const allowInsecureLoopback of [0, 1, 'true']) refused(open({ allowInsecureLoopback }));
  for (const allowedHosts of ['host', [1], ['a\ud800'], { 0: 'host' }, ['https://host/'], [',']]) refused(open({ allowedHosts }));
  for (const transport of ['Basic', 'bearer', '', 1]) refused(open({ transport }));
  for (const proxy of [1, 'no url', '']) refused(() => Session.fromM2m('id', KEY, { proxy }));
  for (const caFile of [1, '', simulator.directory]) refused(() => Session.fromM2m('id', KEY, { caFile }));
  const circular = {};
  circular.self = circular;
  for (const deployment of [circular, { big: 1n }, 5]) refused(open({ deployment }));
  refused(open({ deployment: 'no-such-preset' }), 'MISCONFIGURED');
  refused(open({ deployment: {} }), 'MISCONFIGURED');
  const throwing = { get timeoutMs() { throw new RangeError('mine'); } };
  assert.throws(open(throwing), RangeError);
  for (const name of Object.keys(simulator.options)) Session.fromApiKey(KEY, { [name]: undefined, proxy: null });
  Session.fromApiKey(KEY, null);
});

test('scopes', () => {
  const open = (options) => () => Session.fromM2m('id', KEY, options);
  for (const scopes of ['a b', [1], {}, ['\ud800']]) refused(open({ scopes }));
  refused(open({ scopes: ['offline_access'] }));
  refused(open({ audience: 1 }));
  open({ scopes: [], audience: null })();
});

test('classes are made by the session only', () => {
  refused(() => new Session());
  refused(() => new Authorization());
  assert.throws(() => Session.prototype.accessTokenSync.call({}), TypeError);
});

test('the URL must literally be the host', () => {
  const tricks = [
    'http://api.planet.com/', 'https://api.planet.com.evil.example/', 'https://evil.example/?api.planet.com',
    'https://evil.example#api.planet.com', 'https://user@api.planet.com/', 'https://api.planet.com@evil.example/',
    'https://user:password@api.planet.com/', 'https:\\\\api.planet.com\\', 'https://api.planet.com\\@evil.example/',
    'https://evil.example\\.api.planet.com/', ' https://api.planet.com/', 'https://api.planet.com /', 'https://api.planet\t.com/',
    'https://api.plan\net.com/', 'https://api.planet.com./', 'https://api%2Eplanet.com/', 'https://\uff41pi.planet.com/',
    'https://api\u3002planet.com/', 'https://api.planet.com:8443/', 'https://api.planet.com:0443/', 'https://api.planet.com:/',
    'https:///api.planet.com/', 'https:/api.planet.com/', 'https:api.planet.com/', '//api.planet.com/', 'api.planet.com', '',
    'ftp://api.planet.com/', 'javascript:alert(1)', 'https://', 'https://api.planet.com%00.evil.example/', 'https://[::1]/',
    'https://api.planet.com/\0', '\0https://api.planet.com/', 'https://api.planet.com\0/', 'https://api.planet.com\0.evil.example/',
    'https://127.0.0.1/', 'https://xapi.planet.com/', 'https://planet.com/', 'https://api.planet.com,evil.example/',
  ];
  for (const url of tricks) {
    for (const method of ['authorizeSync', 'headersSync', 'signedUrl']) {
      assert.throws(
        () => session()[method](url),
        (error) => ['INVALID_ARGUMENT', 'HOST_REFUSED'].includes(error.code) && !error.message.includes(KEY),
        `${method} took ${JSON.stringify(url)}`,
      );
    }
  }
  for (const url of ['https://api.planet.com', 'https://API.Planet.com/x?y#z', 'https://api.planet.com:443/', 'https://tiles0.planet.com/{z}/{x}/{y}.png']) {
    assert.equal(session().authorizeSync(url).url, url);
    assert.ok(session().headersSync(url).Authorization.startsWith('Basic '));
  }
});

test('nothing that is printed contains a credential', async () => {
  const m2m = simulator.m2mSession();
  const token = await m2m.accessToken();
  for (const [object, secret] of [
    [m2m, token], [m2m, simulator.client_secret], [m2m.status(), token], [m2m.status(), simulator.client_secret],
    [await m2m.authorize(`${simulator.planet_api}/x`), token],
    [session(), KEY], [session().status(), KEY], [session().authorizeSync('https://api.planet.com/'), btoa(`${KEY}:`)],
    [Session.fromApiKey(KEY, { transport: 'query' }).authorizeSync('https://api.planet.com/?x=1'), KEY],
  ]) {
    assert.ok(!inspect(object, { depth: 9, showHidden: true }).includes(secret));
    assert.ok(!JSON.stringify(object).includes(secret));
    assert.ok(!String(object).includes(secret));
  }
});
