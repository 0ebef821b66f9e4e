// Sessions on disk: one for all sessions, threads and processes.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, test } from 'node:test';
import { Session } from '../index.mjs';
import { ENTRY, Simulator } from './simulator.mjs';

let simulator;
beforeEach(async () => { simulator = await Simulator.start(); });
afterEach(() => simulator.stop());

const limit = { timeout: 60_000 };
const M2M_PROFILE = 'planet-m2m-simulator-client';
const begin = `import { Session } from ${ENTRY};`;
const m2m = 'Session.fromDefaults({ timeoutMs: 600_000 })';
const user = `Session.fromProfile('planet-user', { timeoutMs: 600_000, allowInsecureLoopback: true })`;
const mode = (...path) => (statSync(join(simulator.home, ...path)).mode & 0o777).toString(8);
const token = (session) => {
  try {
    return session.accessTokenSync();
  } catch (error) {
    return error.code;
  }
};

/** Waits until the session has noticed; if it never does, the test's timeout ends this. */
async function until(noticed) {
  while (!noticed()) await setImmediate();
}

test('a second session finds the tokens of the first', async () => {
  const [first, second] = [simulator.m2mSession(), simulator.m2mSession()];
  const { file } = first.status().sources[0];
  assert.equal(file, join(simulator.home, '.planet', M2M_PROFILE, 'token.json'));
  assert.ok(!existsSync(file), 'opening a session writes nothing');
  const refreshed = await first.accessToken();
  assert.equal(second.accessTokenSync(), refreshed);
  assert.equal(await simulator.m2mSession().accessToken(), refreshed);
  assert.equal(await simulator.count('m2m.token'), 1);
  assert.equal(simulator.savedTokens(M2M_PROFILE).access_token, refreshed);
  assert.deepEqual([mode('.planet'), mode('.planet', M2M_PROFILE), mode('.planet', M2M_PROFILE, 'token.json')], ['700', '700', '600']);
  // The client's secret is written by logins only.
  assert.ok(!existsSync(join(simulator.home, '.planet', M2M_PROFILE, 'auth_client.json')));
});

test('a child process finds the session of its parent', limit, async () => {
  const session = simulator.m2mSession();
  const refreshed = await session.accessToken();
  assert.equal(await simulator.run(`${begin} console.log(${m2m}.accessTokenSync());`), `${refreshed}\n`);
  assert.equal(await simulator.count('m2m.token'), 1);
});

test('a refresh of a child process is noticed', limit, async () => {
  const session = simulator.m2mSession();
  const first = await session.accessToken();
  const second = (await simulator.run(`${begin}
    const session = ${m2m};
    await session.refresh();
    console.log(session.accessTokenSync());
  `)).trim();
  assert.notEqual(second, first);
  await until(() => token(session) !== first);
  assert.equal(session.accessTokenSync(), second);
  assert.equal(await simulator.count('m2m.token'), 2);
});

test('three processes at an expiry rotate the refresh token once', limit, async () => {
  const { refresh_token } = await simulator.savedLogin();
  await simulator.script('user.token', { hold: 'gate' });
  const waiting = [];
  const children = [1, 2].map(() => new Promise((resolve, reject) => {
    waiting.push(new Promise((begun) => {
      simulator.run(`${begin}
        const session = ${user};
        const token = session.accessToken();
        console.log('waiting');
        console.log(await token);
      `, { said: begun }).then(resolve, reject);
    }));
  }));
  const session = simulator.userSession();
  const own = session.accessToken();
  await simulator.waitHeld('gate');
  await Promise.all(waiting);
  await simulator.release('gate');
  const refreshed = await own;
  assert.deepEqual(await Promise.all(children), Array(2).fill(`waiting\n${refreshed}\n`));
  const [{ active, rotations, reuse, refresh_token: current }] = await simulator.sessionOf(refresh_token);
  assert.deepEqual({ active, rotations, reuse }, { active: true, rotations: 1, reuse: 0 });
  assert.equal(simulator.savedTokens().refresh_token, current);
  assert.equal(await simulator.count('user.token'), 1);
});

test('a login of Planet\'s own tools is used and refreshed', async () => {
  const tokens = await simulator.savedLogin({ age: 0 });
  const session = simulator.userSession();
  assert.equal(session.isInitialized(), true);
  const [source] = session.status().sources;
  assert.deepEqual(
    { profile: source.profile, clientType: source.clientType, issuer: source.issuer, scopes: source.scopes, initialized: source.initialized },
    { profile: 'planet-user', clientType: 'oidc_device_code', issuer: simulator.user, scopes: ['planet', 'offline_access'], initialized: true },
  );
  for (const api of [simulator.planet_api, simulator.sentinel_hub_api]) {
    const { url, headers } = session.authorizeSync(`${api}/x`);
    assert.equal(headers.Authorization, `Bearer ${tokens.access_token}`);
    assert.equal((await (await fetch(url, { headers })).json()).authenticated_as, 'simulator-user');
  }
  assert.equal(await simulator.count('user.token'), 0);
  await session.refresh();
  const saved = simulator.savedTokens();
  assert.equal(saved.access_token, session.accessTokenSync());
  assert.notEqual(saved.refresh_token, tokens.refresh_token);
  const [{ active, refresh_token: current }] = await simulator.sessionOf(tokens.refresh_token);
  assert.deepEqual([active, current], [true, saved.refresh_token]);
});

test('defaults include a saved login', limit, async () => {
  const { access_token } = await simulator.savedLogin({ age: 0 });
  const nothing = { PL_API_KEY: undefined, PL_AUTH_CLIENT_ID: undefined, PL_AUTH_CLIENT_SECRET: undefined };
  const output = await simulator.run(`${begin}
    const session = Session.fromDefaults();
    console.log(session.status().sources[0].profile, session.accessTokenSync());
  `, { environment: nothing });
  assert.equal(output, `planet-user ${access_token}\n`);
});

test('why a user must log in', async () => {
  const reason = async () => {
    let failure;
    await assert.rejects(simulator.userSession().accessToken(), (error) => {
      failure = error;
      return error.code === 'LOGIN_REQUIRED' && error.profile === 'planet-user' && !error.retryable;
    });
    return failure.reason;
  };
  assert.equal(simulator.userSession().isInitialized(), false);
  assert.equal(await reason(), 'never_logged_in');
  const { refresh_token } = await simulator.savedLogin();
  await simulator.revoke({ refresh_token });
  assert.equal(await reason(), 'revoked');
  // It is not asked again with a token that is dead.
  assert.equal(await reason(), 'revoked');
  assert.equal(await simulator.count('user.token'), 1);
  await simulator.savedLogin({ scope: 'planet' });
  assert.equal(await reason(), 'expired');
});

test('a logout is noticed by other sessions and processes', limit, async () => {
  const tokens = await simulator.savedLogin({ age: 0 });
  const [first, second] = [simulator.userSession(), simulator.userSession()];
  assert.deepEqual([token(first), token(second)], [tokens.access_token, tokens.access_token]);
  assert.equal((await first.logout()).removed, true);
  assert.equal(token(first), 'UNAVAILABLE');
  assert.equal(first.isInitialized(), false);
  await assert.rejects(first.accessToken(), { code: 'LOGIN_REQUIRED', reason: 'logged_out' });
  assert.ok(!existsSync(first.status().sources[0].file));
  await until(() => token(second) === 'UNAVAILABLE');
  await assert.rejects(second.accessToken(), { code: 'LOGIN_REQUIRED', reason: 'logged_out' });
  assert.equal((await first.logout()).removed, false);
  assert.equal(await simulator.count('user.token'), 0);

  // Another login is noticed too, and its end in another process.
  const { access_token } = await simulator.savedLogin({ age: 0 });
  await until(() => token(second) === access_token);
  assert.equal(await simulator.run(`${begin} console.log((await ${user}.logout()).removed);`), 'true\n');
  await until(() => token(second) === 'UNAVAILABLE');
});

test('after a logout an M2M client gets a new token', async () => {
  const session = simulator.m2mSession();
  const first = await session.accessToken();
  const signal = new AbortController().signal;
  const outs = await Promise.all([session.logout({ signal }), session.logout()]);
  assert.deepEqual(outs.map((out) => out.removed), [true, true]);
  assert.equal(token(session), 'UNAVAILABLE');
  assert.equal(session.isInitialized(), true);
  assert.notEqual(await session.accessToken(), first);
  assert.equal(await simulator.count('m2m.token'), 2);
});

test('logout waits for a refresh, and deletes its token too', limit, async () => {
  await simulator.savedLogin();
  await simulator.script('user.token', { hold: 'gate' });
  const session = simulator.userSession();
  const refreshed = session.accessToken();
  await simulator.waitHeld('gate');
  const loggedOut = session.logout();
  await simulator.release('gate');
  assert.equal(typeof await refreshed, 'string');
  assert.equal((await loggedOut).removed, true);
  await assert.rejects(session.accessToken(), { code: 'LOGIN_REQUIRED', reason: 'logged_out' });
});

test('logout of a session without tokens', async () => {
  await assert.rejects(simulator.apiKeySession().logout(), { code: 'UNSUPPORTED' });
  const session = simulator.m2mSession();
  assert.equal((await session.logout()).removed, false);
  await assert.rejects(session.logout({ signal: AbortSignal.abort() }), { code: 'CANCELLED' });
  await assert.rejects(session.logout({ signal: 1 }), { code: 'INVALID_ARGUMENT' });
});

test('save: false neither writes nor reads', async () => {
  const unsaved = simulator.m2mSession({ save: false });
  const first = await unsaved.accessToken();
  assert.equal(unsaved.status().sources[0].file, null);
  assert.deepEqual(readdirSync(simulator.home), []);
  const saved = await simulator.m2mSession({ save: true }).accessToken();
  assert.notEqual(saved, first);
  assert.notEqual(await simulator.m2mSession({ save: false }).accessToken(), saved);
  assert.equal(await simulator.count('m2m.token'), 3);
  assert.equal((await unsaved.logout()).removed, true);
  assert.equal(simulator.savedTokens(M2M_PROFILE).access_token, saved);
});

test('the profile in which tokens are saved', async () => {
  const session = simulator.m2mSession({ profile: 'Mine' });
  await session.accessToken();
  assert.deepEqual(readdirSync(join(simulator.home, '.planet')), ['mine']);
  assert.equal(session.status().sources[0].profile, 'Mine');
  assert.equal(session.status().sources[0].file, join(simulator.home, '.planet/mine/token.json'));
  const config = { client_type: 'oidc_client_credentials_secret', client_id: simulator.client_id, client_secret: simulator.client_secret };
  const same = Session.fromClientConfig(config, { ...simulator.options, profile: 'mine' });
  assert.equal(same.accessTokenSync(), session.accessTokenSync());
  for (const profile of ['', '..', 'a/b', 'a\\b', '.']) {
    assert.throws(() => simulator.m2mSession({ profile }), { code: 'INVALID_ARGUMENT' }, profile);
  }
  assert.equal(await simulator.count('m2m.token'), 1);
});

test('a storage root instead of the home directory', limit, async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'planetkey-root-'));
  t.after(() => rmSync(root, { recursive: true }));
  const session = simulator.m2mSession({ storageRoot: root });
  const refreshed = await session.accessToken();
  assert.equal(session.status().sources[0].file, join(root, '.planet', M2M_PROFILE, 'token.json'));
  const program = `${begin} console.log(${m2m}.accessTokenSync());`;
  assert.equal(await simulator.run(program, { environment: { PLANETKEY_STORAGE_ROOT: root } }), `${refreshed}\n`);
  assert.deepEqual(readdirSync(simulator.home), []);
});

test('a file that cannot be written leaves a working session with a note', async () => {
  const session = simulator.m2mSession();
  // Nothing can be renamed to this, whatever rights the user has.
  mkdirSync(join(session.status().sources[0].file, 'in the way'), { recursive: true });
  const refreshed = await session.accessToken();
  assert.equal(session.accessTokenSync(), refreshed);
  const { notes } = session.status();
  assert.equal(notes.length, 1);
  assert.match(notes[0], /lives in this process only/);
  assert.ok(!notes[0].includes(refreshed));
});
