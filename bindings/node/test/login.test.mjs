// Logins of users, through the simulator's pages.
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import planetkey from '../index.mjs';
import { ENTRY, Simulator } from './simulator.mjs';

const OPENID = ['planet', 'offline_access', 'openid', 'profile', 'email'];
/** A client that is registered for the browser; its redirect URI may have any port. */
const DESKTOP = { client_type: 'oidc_auth_code', client_id: 'desktop', redirect_uri: 'http://127.0.0.1/callback', scopes: OPENID };
const limit = { timeout: 60_000 };

let simulator;
let file;
beforeEach(async () => {
  simulator = await Simulator.start();
  file = join(simulator.home, '.planet/planet-user/token.json');
  await simulator.settings({ device_interval: 1 });
  await simulator.addClient({ client_id: 'desktop', public: true, server: 'user', redirect_uris: [DESKTOP.redirect_uri] });
});
afterEach(() => simulator.stop());

const desktop = (options) => planetkey.Session.fromClientConfig(DESKTOP, { timeoutMs: 600_000, ...simulator.options, ...options });

/** What the browser gets after its redirect. */
async function get(url) {
  const response = await fetch(url);
  return [response.status, await response.text()];
}

/** The port is closed. */
async function checkFree(redirectUri) {
  const server = createServer().listen(Number(new URL(redirectUri).port), '127.0.0.1');
  await once(server, 'listening');
  server.close();
}

test('a device login with a prompt', limit, async () => {
  const shown = [];
  const context = new AsyncLocalStorage();
  const prompt = async (prompt) => {
    shown.push([prompt, context.getStore()]);
    await simulator.approve(prompt.userCode, { username: 'ada' });
  };
  const session = simulator.userSession();
  const loggedIn = await context.run('mine', () => session.login({ prompt, openBrowser: false, scopes: OPENID }));
  const { scopes, expiresAt, ...rest } = loggedIn;
  assert.deepEqual(rest, {
    prompted: true, subject: 'user|ada', email: 'ada@example.com', profile: 'planet-user', file, store: null,
  });
  assert.deepEqual(new Set(scopes), new Set(OPENID));
  assert.ok(expiresAt instanceof Date && expiresAt > new Date());
  assert.equal(shown.length, 1);
  const [[device, store]] = shown;
  assert.equal(store, 'mine');
  assert.equal(device.kind, 'device');
  assert.ok(device.message.includes(device.userCode));
  assert.ok(device.verificationUriComplete.includes(device.userCode));
  assert.equal(device.url, device.verificationUriComplete);
  assert.ok(device.verificationUriComplete.startsWith(device.verificationUri));
  assert.ok(device.expiresInMs > 0);
  assert.equal(device.browserOpened, false);
  assert.match(device.qrCode({ ascii: true }), /^[ #\n]+$/);
  assert.match(device.qrCode(), /█/);
  assert.throws(() => device.qrCode({ ascii: 1 }), { code: 'INVALID_ARGUMENT' });

  // Saved: another session uses it, and a valid session shows no prompt.
  const other = simulator.userSession();
  assert.equal(other.isInitialized(), true);
  assert.equal((await other.login()).prompted, false);
  const [userinfo, same] = await Promise.all([session.userinfo(), session.userinfo()]);
  assert.equal(userinfo.email, 'ada@example.com');
  assert.deepEqual(same, userinfo);
  assert.notEqual(same, userinfo);
  assert.equal((await session.idTokenClaims()).sub, 'user|ada');
  const introspection = await session.introspect();
  assert.deepEqual([introspection.active, introspection.sub], [true, 'user|ada']);
  assert.deepEqual(await session.introspect('not-a-token'), { active: false });
  await assert.rejects(session.introspect(''), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(session.userinfo({ signal: AbortSignal.abort('why') }), { code: 'CANCELLED', cause: 'why' });
});

test('a device login driven by a timer', limit, async () => {
  const login = await simulator.userSession().startDeviceLogin();
  assert.ok(login.verificationUriComplete.includes(login.userCode));
  assert.ok(login.prompt.message.includes(login.verificationUri));
  assert.ok(login.expiresInMs > 0);
  assert.equal(login.qrCode(), login.prompt.qrCode());
  await assert.rejects(login.wait({ timeoutMs: 1 }), { code: 'TIMEOUT' });
  await simulator.approve(login.userCode);
  let result = await login.poll();
  for (; result === null; result = await login.poll()) {
    assert.ok(login.pollIntervalMs > 0);
    await sleep(login.pollIntervalMs);
  }
  assert.equal(result.subject, 'simulator-user');
  assert.equal(login.pollIntervalMs, 0);
  assert.deepEqual(await login.wait(), result, 'every later call returns the same');
});

test('a browser login', limit, async () => {
  const session = desktop();
  const login = await session.startBrowserLogin();
  assert.equal(await login.poll(), null);
  assert.equal(login.pollIntervalMs, 250);
  const loggedIn = login.wait();
  const location = await simulator.browse(login.authorizationUrl, { username: 'ada' });
  assert.ok(location.startsWith(`${login.redirectUri}?`));
  const [status, page] = await get(location);
  assert.equal(status, 200);
  assert.match(page, /You are logged in/);
  assert.equal((await loggedIn).subject, 'user|ada');
  assert.equal(typeof session.accessTokenSync(), 'string');
  await checkFree(login.redirectUri);
});

test('a browser login shown by a prompt, with its own page', limit, async () => {
  let page;
  // The prompt's promise ends after the login: the browser is received meanwhile.
  const prompt = async ({ kind, url, browserOpened }) => {
    assert.deepEqual([kind, browserOpened], ['browser', false]);
    page = await get(await simulator.browse(url, { username: 'ada' }));
    await loggedIn;
  };
  const loggedIn = desktop().login({ method: 'browser', openBrowser: false, prompt, page: '<p>ours' });
  assert.equal((await loggedIn).email, 'ada@example.com');
  assert.deepEqual(page, [200, '<p>ours']);
});

test('a browser login is completed with a pasted address', limit, async () => {
  const login = await desktop().startBrowserLogin();
  await assert.rejects(login.complete(`${login.redirectUri}?code=x&state=y`), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(login.complete(1), { code: 'INVALID_ARGUMENT' });
  const location = await simulator.browse(login.authorizationUrl, { username: 'ada' });
  assert.equal((await login.complete(location)).subject, 'user|ada');
});

test('f129 a denial is DENIED', limit, async () => {
  const login = await desktop().startBrowserLogin();
  const refused = assert.rejects(login.wait(), (error) => {
    assert.ok(error instanceof planetkey.PlanetkeyError);
    assert.deepEqual([error.code, error.oauthError], ['DENIED', 'access_denied']);
    return true;
  });
  const [status, page] = await get(await simulator.browse(login.authorizationUrl, { allow: false }));
  await refused;
  assert.equal(status, 200);
  assert.match(page, /denied/);
  const device = await simulator.userSession().startDeviceLogin();
  await simulator.approve(device.userCode, { allow: false });
  await assert.rejects(device.wait(), { code: 'DENIED' });
  assert.equal(existsSync(file), false);
});

test('f131 the address is pasted back', limit, async () => {
  const problems = [];
  const answers = ['nonsense'];
  const prompt = async ({ kind, url, message }) => {
    assert.equal(kind, 'paste');
    problems.push(message.includes('paste the whole address that the browser ended at; it begins with'));
    answers.push(await simulator.browse(url, { username: 'ada' }));
    return answers.shift();
  };
  assert.equal((await desktop().login({ method: 'paste', prompt })).subject, 'user|ada');
  assert.deepEqual(problems, [false, true]);
  await assert.rejects(desktop().login({ method: 'paste', prompt: () => {}, force: true }), { code: 'CANCELLED' });
  await assert.rejects(desktop().login({ method: 'paste', prompt: () => 1, force: true }), { code: 'INVALID_ARGUMENT', message: /prompt/ });
});

test('f130 a different user is reported before anything is overwritten', limit, async () => {
  await simulator.savedLogin({ age: 0, subject: 'user|ada', scope: OPENID.join(' ') });
  const before = readFileSync(file);
  const questions = [];
  const answering = (answer) => simulator.userSession().login({
    force: true,
    openBrowser: false,
    async prompt({ kind, message, userCode }) {
      if (kind === 'device') return void await simulator.approve(userCode, { username: 'bob' });
      assert.equal(kind, 'other_user');
      questions.push(message);
      assert.deepEqual(readFileSync(file), before);
      return answer;
    },
  });
  for (const refusal of ['no', undefined]) {
    await assert.rejects(answering(refusal), { code: 'DENIED', reason: 'other_user' });
    assert.deepEqual(readFileSync(file), before);
  }
  assert.equal((await answering('yes')).subject, 'user|bob');
  assert.notDeepEqual(readFileSync(file), before);
  assert.equal(questions.length, 3);
  assert.ok(questions.every((question) => question.includes('ada') && question.includes('bob')));
});

test('cancelling ends the wait and closes the port', limit, async () => {
  for (const login of [await simulator.userSession().startDeviceLogin(), await desktop().startBrowserLogin()]) {
    const waiting = assert.rejects(login.wait(), { code: 'CANCELLED' });
    await login.cancel();
    await waiting;
    await assert.rejects(login.poll(), { code: 'CANCELLED' });
    if (login.redirectUri !== undefined) await checkFree(login.redirectUri);
  }
});

test('aborting a wait or a poll cancels the login', limit, async () => {
  const abort = {
    wait: (login, controller) => { const outcome = login.wait({ signal: controller.signal }); controller.abort('why'); return outcome; },
    poll: (login, controller) => { controller.abort('why'); return login.poll({ signal: controller.signal }); },
  };
  for (const aborted of Object.values(abort)) {
    for (const login of [await simulator.userSession().startDeviceLogin(), await desktop().startBrowserLogin()]) {
      await assert.rejects(aborted(login, new AbortController()), { code: 'CANCELLED', cause: 'why' });
      await assert.rejects(login.wait(), { code: 'CANCELLED' });
      if (login.redirectUri !== undefined) await checkFree(login.redirectUri);
    }
  }
});

test('cancelling does not wait for a prompt that is shown', limit, async () => {
  await simulator.savedLogin({ age: 0, subject: 'user|ada', scope: OPENID.join(' ') });
  const before = readFileSync(file);
  let asked;
  const isAsked = new Promise((resolve) => { asked = resolve; });
  const login = await simulator.userSession().startDeviceLogin({ prompt: () => { asked(); return new Promise(() => {}); } });
  await simulator.approve(login.userCode, { username: 'bob' });
  const waiting = assert.rejects(login.wait(), { code: 'CANCELLED' });
  await isAsked;
  await login.cancel();
  await waiting;
  assert.deepEqual(readFileSync(file), before);
});

test('an aborted login rejects with its cause, whatever it waits for', limit, async () => {
  for (const method of ['device', 'browser', 'paste']) {
    const controller = new AbortController();
    const reason = new Error('not needed any more');
    const prompt = () => new Promise((_, reject) => {
      controller.signal.addEventListener('abort', () => reject(new Error('the prompt has noticed, too')));
      controller.abort(reason);
    });
    const login = desktop().login({ method, openBrowser: false, prompt, signal: controller.signal });
    await assert.rejects(login, (error) => error.code === 'CANCELLED' && error.cause === reason);
  }
  await assert.rejects(desktop().login({ signal: AbortSignal.abort('why') }), { code: 'CANCELLED', cause: 'why' });
  await assert.rejects(desktop().startBrowserLogin({ signal: AbortSignal.abort('why') }), { code: 'CANCELLED', cause: 'why' });
});

test('f108 a process whose login was aborted or dropped exits by itself', limit, async () => {
  const result = await simulator.start(`
    import { Session } from ${ENTRY};
    const options = { timeoutMs: 600_000, allowInsecureLoopback: true };
    const session = Session.fromClientConfig(${JSON.stringify(DESKTOP)}, options);
    for (const method of ['browser', 'device', 'paste']) {
      const controller = new AbortController();
      const prompt = ({ kind }) => { console.log(kind); controller.abort(); return new Promise(() => {}); };
      const login = session.login({ method, openBrowser: false, prompt, signal: controller.signal });
      await login.catch((error) => console.log(error.code, error.cause.name));
    }
    const login = await session.startBrowserLogin();
    login.wait().catch((error) => console.log(error.code));
    await login.cancel();
    await session.startDeviceLogin();
    await session.startBrowserLogin();
    console.log('end');
  `);
  const output = 'browser\nCANCELLED AbortError\ndevice\nCANCELLED AbortError\npaste\nCANCELLED AbortError\n';
  assert.deepEqual({ ...result, output: result.output.replace(/end\nCANCELLED\n|CANCELLED\nend\n/, '') }, { output, errors: '', code: 0, signal: null });
});

test('process.exit() does not wait for a login', limit, async () => {
  const result = await simulator.start(`
    import { Session } from ${ENTRY};
    const session = Session.fromProfile('planet-user', { timeoutMs: 600_000, allowInsecureLoopback: true });
    session.login({ openBrowser: false, prompt: ({ kind }) => { console.log(kind); setImmediate(() => process.exit(3)); } });
  `);
  assert.deepEqual(result, { output: 'device\n', errors: '', code: 3, signal: null });
});

test('an exception of a prompt rejects the login', limit, async () => {
  const trouble = new Error('mine');
  const prompts = {
    throws() { throw trouble; },
    rejects: () => Promise.reject(trouble),
    'rejects later': () => new Promise((_, reject) => { setImmediate(reject, trouble); }),
    'gives a strange promise': () => ({ get then() { throw trouble; } }),
  };
  for (const [how, prompt] of Object.entries(prompts)) {
    for (const method of ['device', 'browser', 'paste']) {
      await assert.rejects(desktop().login({ method, openBrowser: false, prompt }), (error) => error === trouble, `${method} ${how}`);
    }
  }
  await assert.rejects(desktop().login({ method: 'paste', prompt: () => { throw undefined; } }), (error) => error === undefined);
  // Also where it is asked by a login that was started.
  await simulator.savedLogin({ age: 0, subject: 'user|ada', scope: OPENID.join(' ') });
  const login = await simulator.userSession().startDeviceLogin({ prompt: prompts.throws });
  await simulator.approve(login.userCode, { username: 'bob' });
  for (const _ of ['first', 'again']) await assert.rejects(login.wait(), (error) => error === trouble);
});

test('bad options', limit, async () => {
  const session = desktop();
  const bad = {
    method: 'telepathy', openBrowser: 1, scopes: 'openid', prompt: 'ask', timeoutMs: 0, force: 'yes', allowOtherUser: 1, page: 1, signal: {},
    telepathy: true,
  };
  for (const [name, value] of Object.entries(bad)) {
    await assert.rejects(session.login({ [name]: value }), { code: 'INVALID_ARGUMENT' }, name);
  }
  await assert.rejects(session.login('ask'), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(session.startDeviceLogin({ page: '<p>' }), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(session.startBrowserLogin({ timeoutMs: -1 }), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(session.logout({ revoke: 'yes' }), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(session.introspect(1), { code: 'INVALID_ARGUMENT' });
  const login = await session.startBrowserLogin();
  await assert.rejects(login.wait({ timeoutMs: 0.5 }), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(login.poll({ signal: 1 }), { code: 'INVALID_ARGUMENT' });
  await login.cancel();
  assert.equal(await simulator.count('user.authorize'), 0);
});

test('without a prompt function the error says what is missing', limit, async () => {
  const login = simulator.userSession().login({ openBrowser: false });
  await assert.rejects(login, { code: 'LOGIN_REQUIRED', message: /no prompt handler was provided; pass one, or log in to the profile 'planet-user'/ });
});

test('a logout revokes the refresh token', limit, async () => {
  let { refresh_token } = await simulator.savedLogin();
  assert.deepEqual(await simulator.userSession().logout(), { removed: true, revocation: 'revoked', revocationError: null });
  assert.equal((await simulator.sessionOf(refresh_token))[0].active, false);
  assert.deepEqual(await simulator.userSession().logout(), { removed: false, revocation: 'none', revocationError: null });

  ({ refresh_token } = await simulator.savedLogin());
  assert.deepEqual(await simulator.userSession().logout({ revoke: false }), { removed: true, revocation: 'none', revocationError: null });
  assert.equal((await simulator.sessionOf(refresh_token))[0].active, true);

  await simulator.savedLogin();
  await simulator.script('user.revoke', { status: 503 });
  const { revocationError, ...out } = await simulator.userSession().logout();
  assert.deepEqual(out, { removed: true, revocation: 'unknown' });
  assert.equal(typeof revocationError, 'string');
  assert.equal(existsSync(file), false);
});

test('a session of the environment uses a login', limit, async () => {
  const url = `${simulator.planet_api}/data/v1`;
  const result = await simulator.start(`
    import { Session } from ${ENTRY};
    const session = Session.fromDefaults();
    await session.headers('${url}').catch((error) => console.log(error.code));
    const prompt = ({ userCode }) => fetch('${simulator.control}/login', { method: 'POST', body: JSON.stringify({ user_code: userCode }) });
    console.log((await session.login({ openBrowser: false, prompt })).profile);
    console.log((await session.headers('${url}')).Authorization.slice(0, 7));
  `, { environment: { PL_API_KEY: '', PL_AUTH_CLIENT_ID: '', PL_AUTH_CLIENT_SECRET: '' } });
  assert.deepEqual(result, { output: 'LOGIN_REQUIRED\nplanet-user\nBearer \n', errors: '', code: 0, signal: null });
});

test('a login is saved in the application\'s storage', limit, async () => {
  const kept = [];
  const storage = { load: async () => kept.at(-1), save: async (text) => { kept.push(text); } };
  const prompt = ({ userCode }) => simulator.approve(userCode).then(() => {});
  const loggedIn = await simulator.userSession({ storage }).login({ openBrowser: false, prompt });
  assert.deepEqual([loggedIn.prompted, loggedIn.file], [true, null]);
  assert.equal(JSON.parse(kept.at(-1)).access_token.split('.').length, 3);
  assert.equal((await simulator.userSession({ storage }).login()).prompted, false);
  assert.equal(existsSync(file), false);
});

test('M2M clients and API keys need no user', limit, async () => {
  assert.equal((await simulator.m2mSession().login()).prompted, false);
  assert.deepEqual(
    await simulator.apiKeySession().login(),
    {
      prompted: false, subject: null, email: null, scopes: [], expiresAt: null, profile: null, file: null,
      store: null,
    },
  );
  for (const call of ['userinfo', 'idTokenClaims', 'startDeviceLogin', 'startBrowserLogin']) {
    await assert.rejects(simulator.m2mSession()[call](), { code: 'UNSUPPORTED' }, call);
  }
});
