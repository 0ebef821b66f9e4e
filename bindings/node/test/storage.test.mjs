// An application's own storage: plain functions or promises, in order, and never a deadlock.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterEach, beforeEach, test } from 'node:test';
import { PlanetkeyError, Session } from '../index.mjs';
import { ENTRY, Simulator } from './simulator.mjs';

let simulator;
beforeEach(async () => { simulator = await Simulator.start(); });
afterEach(() => simulator.stop());

const limit = { timeout: 60_000 };

/** A storage that records its calls; `answer(name, value)` makes the result of a function. */
function recorded(text = null, answer = (name, value) => value) {
  const calls = [];
  const storage = {
    calls,
    text,
    load() {
      calls.push('load');
      return answer('load', storage.text);
    },
    save(saved) {
      calls.push('save');
      storage.text = saved;
      return answer('save', undefined);
    },
    lock(timeoutMs) {
      calls.push('lock');
      assert.ok(Number.isSafeInteger(timeoutMs) && timeoutMs > 0 && timeoutMs <= 600_000, `${timeoutMs}`);
      return answer('lock', true);
    },
    unlock() {
      calls.push('unlock');
      return answer('unlock', undefined);
    },
  };
  return storage;
}

const forms = {
  'plain functions': (name, value) => value,
  'promises': async (name, value) => value,
  'promises that take a while': async (name, value) => {
    await setImmediate();
    return value;
  },
  'things with a then': (name, value) => ({ then: (resolve) => resolve(value) }),
};
for (const [form, answer] of Object.entries(forms)) {
  test(`a storage of ${form}`, limit, async () => {
    const storage = recorded(null, answer);
    const session = simulator.m2mSession({ storage });
    assert.equal(session.status().sources[0].file, null);
    const first = await session.accessToken();
    assert.deepEqual(storage.calls, ['lock', 'load', 'save', 'unlock']);
    assert.equal(JSON.parse(storage.text).access_token, first);
    assert.equal(session.accessTokenSync(), first);
    await session.refresh();
    assert.equal(JSON.parse(storage.text).access_token, session.accessTokenSync());

    // Another session finds what this one has saved.
    const other = simulator.m2mSession({ storage: recorded(storage.text, answer) });
    assert.equal(await other.accessToken(), session.accessTokenSync());
    assert.equal(await simulator.count('m2m.token'), 2);

    assert.equal((await session.logout()).removed, true);
    assert.equal(storage.text, null);
    assert.equal((await session.logout()).removed, false);
    assert.deepEqual(readdirSync(simulator.home), []);
  });
}

test('a user session, opened by every constructor', limit, async () => {
  const tokens = await simulator.login({ age: 7200 });
  const storage = recorded(JSON.stringify(tokens));
  const session = simulator.userSession({ storage });
  const { headers } = await session.authorize(`${simulator.planet_api}/x`);
  assert.equal(headers.Authorization, `Bearer ${JSON.parse(storage.text).access_token}`);
  const [{ active, refresh_token: current }] = await simulator.sessionOf(tokens.refresh_token);
  assert.deepEqual([active, JSON.parse(storage.text).refresh_token], [true, current]);
  const config = { client_type: 'oidc_device_code', auth_server: simulator.user, client_id: simulator.user_client_id };
  const same = Session.fromClientConfig(config, { ...simulator.options, storage });
  assert.equal(`Bearer ${await same.accessToken()}`, headers.Authorization);
  assert.equal(await simulator.count('user.token'), 1);
  const empty = simulator.userSession({ storage: { load: () => undefined, save() {} } });
  await assert.rejects(empty.accessToken(), { code: 'LOGIN_REQUIRED', reason: 'never_logged_in' });
});

test('synchronous calls are UNSUPPORTED with a storage', async () => {
  const session = simulator.m2mSession({ storage: recorded() });
  for (const [call, instead] of [
    [() => session.accessTokenSync(), 'await session.accessToken()'],
    [() => session.authorizeSync(`${simulator.planet_api}/x`), 'await session.authorize(url)'],
    [() => session.headersSync(`${simulator.planet_api}/x`), 'await session.headers(url)'],
  ]) {
    assert.throws(call, (error) => error.code === 'UNSUPPORTED' && error.message.includes(instead));
  }
  const token = await session.accessToken();
  assert.equal(session.accessTokenSync(), token);
  assert.equal(session.headersSync(`${simulator.planet_api}/x`).Authorization, `Bearer ${token}`);
  session.invalidate(token);
  assert.throws(() => session.withTimeoutMs(1000).accessTokenSync(), { code: 'UNSUPPORTED' });
});

const SECRET = 'secret-of-the-storage';
const failures = {
  'throws': () => { throw Object.assign(new RangeError(SECRET), { code: 'ENOSPC' }); },
  'rejects': async () => { throw Object.assign(new RangeError(SECRET), { code: 'ENOSPC' }); },
};
for (const [how, fail] of Object.entries(failures)) {
  for (const name of ['load', 'lock']) {
    test(`a session that cannot be read because ${name} ${how}`, async () => {
      const storage = recorded(JSON.stringify(await simulator.login({ age: 7200 })), (called, value) => (called === name ? fail() : value));
      const session = simulator.userSession({ storage });
      for (const call of [() => session.accessToken(), () => session.headers(`${simulator.planet_api}/x`), () => session.refresh()]) {
        await assert.rejects(call, (error) => {
          assert.ok(error instanceof PlanetkeyError);
          assert.equal(error.code, 'STORAGE');
          assert.ok(error.message.includes(`its ${name} threw RangeError ENOSPC`), error.message);
          assert.ok(!error.message.includes(SECRET));
          assert.equal(error.cause.message, SECRET);
          return true;
        });
      }
      assert.equal(await simulator.count('user.token'), 0);
      const times = (called) => storage.calls.filter((call) => call === called).length;
      assert.equal(times('unlock'), name === 'lock' ? 0 : times('lock'));
    });
  }

  test(`a session that cannot be saved because save ${how} continues in memory`, async () => {
    const tokens = await simulator.login({ age: 7200 });
    const storage = recorded(JSON.stringify(tokens), (called, value) => (called === 'save' ? fail() : value));
    const session = simulator.userSession({ storage });
    const token = await session.accessToken();
    assert.equal(session.accessTokenSync(), token);
    const { notes } = session.status();
    assert.equal(notes.length, 1);
    assert.ok(notes[0].includes('its save threw') && !notes[0].includes(SECRET), notes[0]);
    // It continues with the refresh token that could not be saved.
    await session.refresh();
    const [{ active, reuse, rotations }] = await simulator.sessionOf(tokens.refresh_token);
    assert.deepEqual({ active, reuse, rotations }, { active: true, reuse: 0, rotations: 2 });
    assert.deepEqual(storage.calls.at(-1), 'unlock');
  });

  test(`an unlock that ${how} changes nothing`, async () => {
    const session = simulator.m2mSession({ storage: recorded(null, (called, value) => (called === 'unlock' ? fail() : value)) });
    await session.accessToken();
    await session.refresh();
    assert.equal(await simulator.count('m2m.token'), 2);
  });
}

test('any value may be thrown', async () => {
  const hostile = { get name() { throw new Error('name'); } };
  for (const thrown of [undefined, null, 1, SECRET, Symbol(SECRET), { code: `${SECRET} with blanks` }, hostile]) {
    const session = simulator.userSession({ storage: { load() { throw thrown; }, save() {} } });
    await assert.rejects(session.accessToken(), (error) => error.code === 'STORAGE' && !error.message.includes(SECRET));
  }
});

test('return values of a storage are checked', async () => {
  for (const given of [1, true, {}, Buffer.from('{}'), '\ud800']) {
    const session = simulator.userSession({ storage: { load: () => given, save() {} } });
    await assert.rejects(session.accessToken(), { code: 'STORAGE' }, inspect(given));
  }
  for (const given of [undefined, null, 1, 'true', {}]) {
    const wrong = (name, value) => (name === 'lock' ? given : value);
    const session = simulator.userSession({ storage: recorded('{"refresh_token": "saved"}', wrong) });
    await assert.rejects(session.accessToken(), { code: 'STORAGE' }, inspect(given));
  }
  for (const text of ['{', '[]', '{"refresh_token": 1}']) {
    const session = simulator.userSession({ storage: { load: () => text, save() {} } });
    await assert.rejects(session.accessToken(), { code: 'LOGIN_REQUIRED' }, text);
  }
  assert.equal(await simulator.count('m2m.token'), 0);
});

test('an object that is no storage is refused', () => {
  const load = () => null;
  const save = () => {};
  for (const storage of [
    1, 'text', load, {}, { load }, { save }, { load, save: 1 }, { load: null, save }, { load, save, lock: () => true }, { load, save, unlock() {} },
    { load, save, lock: 1, unlock: 1 },
  ]) {
    assert.throws(() => simulator.m2mSession({ storage }), { code: 'INVALID_ARGUMENT' }, inspect(storage));
  }
  simulator.m2mSession({ storage: { load, save, lock: undefined, unlock: null } });
  assert.throws(() => Session.fromApiKey('key', { storage: { load, save } }), { code: 'INVALID_ARGUMENT' });
  for (const open of [(options) => Session.fromDefaults(options), (options) => Session.fromApiKey('key', options)]) {
    assert.throws(() => open({ profile: 'mine' }), { code: 'INVALID_ARGUMENT' });
  }
  assert.throws(() => Session.fromProfile('planet-user', { profile: 'mine' }), { code: 'INVALID_ARGUMENT' });
});

test('fromDefaults has a storage for its M2M client', async () => {
  const program = `
    import { Session } from 'planetkey';
    let text = null;
    const storage = { load: () => text, save(given) { text = given; } };
    const token = await Session.fromDefaults({ storage }).accessToken();
    console.log(JSON.parse(text).access_token === token);
    console.log(await Session.fromDefaults({ storage }).accessToken() === token);
  `;
  assert.equal(await simulator.run(program), 'true\ntrue\n');
  assert.equal(await simulator.count('m2m.token'), 1);
});

test('the functions of a storage are called on its object', async () => {
  class Kept {
    #text = null;
    load() { return this.#text; }
    async save(text) { this.#text = text; }
    get saved() { return this.#text; }
  }
  const storage = new Kept();
  const token = await simulator.m2mSession({ storage }).accessToken();
  assert.equal(JSON.parse(storage.saved).access_token, token);
});

test('a lock that cannot be taken is a timeout', async () => {
  const session = simulator.m2mSession({ storage: recorded(null, (name, value) => (name === 'lock' ? false : value)) });
  await assert.rejects(session.accessToken(), { code: 'TIMEOUT' });
  await assert.rejects(session.logout(), { code: 'TIMEOUT' });
  assert.equal(await simulator.count('m2m.token'), 0);
});

test('a lock that is taken too late is released', limit, async () => {
  let grant;
  let unlocked;
  const given = new Promise((resolve) => { grant = resolve; });
  const back = new Promise((resolve) => { unlocked = resolve; });
  const storage = { load: () => null, save() {}, lock: () => given, unlock: () => unlocked('unlocked') };
  const session = simulator.m2mSession({ storage, timeoutMs: 20 });
  await assert.rejects(session.logout(), { code: 'TIMEOUT' });
  grant(true);
  assert.equal(await back, 'unlocked');
});

test('a storage that never returns fails at the deadline', limit, async () => {
  const storage = recorded('{}', (name, value) => (name === 'load' ? new Promise(() => {}) : value));
  const session = simulator.userSession({ storage, timeoutMs: 20 });
  await assert.rejects(session.withTimeoutMs(600_000).accessToken(), (error) => {
    assert.equal(error.code, 'STORAGE');
    assert.match(error.message, /its load did not return within 20 ms/);
    return true;
  });
  assert.deepEqual(storage.calls, ['lock', 'load', 'unlock']);
});

test('logout waits for a refresh in progress, with or without a lock', limit, async () => {
  for (const hold of ['first', 'second']) {
    const storage = recorded(JSON.stringify(await simulator.login({ age: 7200 })));
    const withoutLock = { load: () => storage.load(), save: (text) => storage.save(text) };
    await simulator.script('user.token', { hold });
    const session = simulator.userSession({ storage: hold === 'first' ? storage : withoutLock });
    const refreshed = session.accessToken();
    await simulator.waitHeld(hold);
    const loggedOut = session.logout();
    await simulator.release(hold);
    assert.equal(typeof await refreshed, 'string');
    assert.equal((await loggedOut).removed, true);
    assert.equal(storage.text, null);
    await assert.rejects(session.accessToken(), { code: 'LOGIN_REQUIRED' });
  }
});

test('an aborted call leaves the refresh and its storage intact', limit, async () => {
  let grant;
  const begun = new Promise((resolve) => { grant = resolve; });
  let answer;
  const storage = recorded(null, (name, value) => {
    if (name !== 'load') return value;
    grant();
    return new Promise((resolve) => { answer = () => resolve(value); });
  });
  const session = simulator.m2mSession({ storage });
  const controller = new AbortController();
  const aborted = session.accessToken({ signal: controller.signal });
  await begun;
  controller.abort();
  await assert.rejects(aborted, { code: 'CANCELLED' });
  const second = session.accessToken();
  answer();
  assert.equal(JSON.parse(storage.text ?? `{"access_token": "${await second}"}`).access_token, await second);
  assert.equal(await simulator.count('m2m.token'), 1);
});

test('f099 a storage may use the session, and does not wait for its own refresh', limit, async () => {
  const outcomes = [];
  let session;
  const attempt = async (name, call) => {
    const outcome = await call().then(() => 'done', (error) => error.code);
    outcomes.push(`${name}: ${outcome}`);
  };
  const within = async (name) => {
    assert.equal(typeof session.isInitialized(), 'boolean');
    assert.equal(session.status().sources.length, 1);
    await attempt(`${name} accessToken`, () => session.accessToken());
    await attempt(`${name} headers`, () => session.headers(`${simulator.planet_api}/x`));
    await attempt(`${name} refresh`, () => session.refresh());
    await attempt(`${name} logout`, () => session.withTimeoutMs(600_000).logout());
    await attempt(`${name} accessTokenSync`, async () => session.accessTokenSync());
    await setImmediate();
    await attempt(`${name} later`, () => session.refresh());
  };
  const storage = recorded(null, async (name, value) => {
    await within(name);
    return value;
  });
  session = simulator.m2mSession({ storage });
  assert.equal(typeof await session.accessToken(), 'string');
  const waiting = (name) => ['accessToken', 'headers', 'refresh', 'logout'].map((call) => `${name} ${call}: UNAVAILABLE`);
  const before = (name) => [...waiting(name), `${name} accessTokenSync: UNSUPPORTED`, `${name} later: UNAVAILABLE`];
  assert.deepEqual(outcomes.slice(0, 18), [...before('lock'), ...before('load'), ...before('save')]);
  // The token is cached by now.
  assert.deepEqual(outcomes.slice(18), [
    'unlock accessToken: done', 'unlock headers: done', 'unlock refresh: UNAVAILABLE', 'unlock logout: UNAVAILABLE',
    'unlock accessTokenSync: done', 'unlock later: UNAVAILABLE',
  ]);
  assert.equal(await simulator.count('m2m.token'), 1);
});

test('f099 what a storage leaves pending may use the session again', limit, async () => {
  let session;
  let later;
  const left = new Promise((resolve) => { later = resolve; });
  const storage = recorded(null, (name, value) => {
    // The timer outlives the call of the storage that started it.
    if (name === 'load') setTimeout(() => later(session.refresh().then(() => 'done', (error) => error.code)), 1);
    return value;
  });
  await simulator.script('m2m.token', { hold: 'gate' });
  session = simulator.m2mSession({ storage });
  const token = session.accessToken();
  await simulator.waitHeld('gate');
  await simulator.release('gate');
  assert.equal(typeof await token, 'string');
  assert.equal(await left, 'done');
});

test('f099 a storage may use another session', limit, async () => {
  const inner = simulator.m2mSession({ storage: recorded() });
  const outer = simulator.m2mSession({
    storage: recorded(null, async (name, value) => {
      await inner.refresh();
      return value;
    }),
  });
  assert.equal(typeof await outer.accessToken(), 'string');
  assert.equal(await simulator.count('m2m.token'), 5);
});

test('sessions whose storages need libuv\'s only thread do not wait for each other', limit, async () => {
  const output = await simulator.run(`
    import { readFile, writeFile } from 'node:fs/promises';
    import { Session } from ${ENTRY};
    const sessions = Array.from({ length: 8 }, (_, index) => {
      const file = process.env.HOME + '/' + index;
      const storage = {
        load: () => readFile(file, 'utf8').catch(() => null),
        save: (text) => writeFile(file, text ?? ''),
      };
      return Session.fromM2m('${simulator.client_id}', '${simulator.client_secret}', {
        timeoutMs: 600_000, allowInsecureLoopback: true, storage,
      });
    });
    console.log(new Set(await Promise.all(sessions.map((session) => session.accessToken()))).size);
  `, { environment: { UV_THREADPOOL_SIZE: '1' } });
  assert.equal(output, '8\n');
});

const collect = `
  import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
  /** Whether it goes away; a program that waits for ever fails by the test's timeout. */
  async function gone(reference) {
    // A look keeps it alive until the next turn of the event loop.
    do {
      await setImmediate();
      globalThis.gc();
      await setImmediate();
    } while (reference.deref() !== undefined);
  }
`;

test('a storage that refers to its session is collected with it', limit, async () => {
  const output = await simulator.run(`${collect}
    import { Session } from ${ENTRY};
    async function use() {
      const storage = { load: () => null, save() {} };
      storage.session = Session.fromM2m('${simulator.client_id}', '${simulator.client_secret}', { allowInsecureLoopback: true, storage });
      await storage.session.accessToken();
      return new WeakRef(storage);
    }
    const storage = await use();
    await gone(storage);
    console.log('gone');
  `, { flags: ['--expose-gc'] });
  assert.equal(output, 'gone\n');
});

test('a refresh keeps its storage alive, although nothing else does', limit, async () => {
  const tokens = await simulator.login({ age: 7200 });
  await simulator.script('user.token', { hold: 'gate' });
  const output = await simulator.run(`${collect}
    import { Session } from ${ENTRY};
    let saved;
    const kept = new Promise((resolve) => { saved = resolve; });
    async function use() {
      const storage = { load: () => ${JSON.stringify(JSON.stringify(tokens))}, save: (text) => saved(JSON.parse(text).refresh_token) };
      const session = Session.fromProfile('planet-user', { timeoutMs: 600_000, allowInsecureLoopback: true, storage });
      const controller = new AbortController();
      const token = session.accessToken({ signal: controller.signal });
      await fetch('${simulator.control}/wait?held=gate&count=1&timeout_ms=20000');
      controller.abort();
      await token.catch((error) => console.log(error.code));
      return new WeakRef(session);
    }
    const session = await use();
    await gone(session);
    await fetch('${simulator.control}/release', { method: 'POST', body: '{"hold":"gate"}' });
    // Only this timer keeps the process alive until then.
    const active = setInterval(() => {}, 1000);
    console.log(await kept);
    clearInterval(active);
  `, { flags: ['--expose-gc'] });
  const [{ active, refresh_token: current }] = await simulator.sessionOf(tokens.refresh_token);
  assert.equal(active, true);
  assert.equal(output, `CANCELLED\n${current}\n`);
});

/** A profile whose session this shell script saves. */
function withHelper(script) {
  const directory = join(simulator.home, '.planet', 'work');
  const program = join(simulator.home, 'helper');
  writeFileSync(program, `#!/bin/sh\n${script}`);
  chmodSync(program, 0o700);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(join(directory, 'auth_client.json'), JSON.stringify({
    client_type: 'oidc_client_credentials_secret',
    auth_server: simulator.m2m,
    client_id: simulator.client_id,
    client_secret: simulator.client_secret,
    storage_command: [program, 'work'],
  }));
  return { program, directory, session: Session.fromProfile('work', simulator.options) };
}

test('a storage_command of a profile saves the session', { ...limit, skip: process.platform === 'win32' }, async () => {
  const { program, directory, session } = withHelper(`case $2 in
    get) cat "$0.secret" 2>/dev/null || echo '{}' ;;
    store) cat >"$0.secret" ;;
    erase) rm -f "$0.secret" ;;
  esac`);
  const token = await session.accessToken();
  const saved = JSON.parse(readFileSync(`${program}.secret`, 'utf8'));
  assert.deepEqual([saved.version, saved.profile, saved.session.access_token], [1, 'work', token]);
  assert.deepEqual(readdirSync(directory).sort(), ['auth_client.json', 'token.json.lock', 'token.planetkey.json']);
  const [source] = session.status().sources;
  assert.equal(source.file, null);
  assert.deepEqual(source.store, { name: `storage_command ${program}`, reachable: true, holds: 'token', problem: null });
  assert.equal((await session.logout()).removed, true);
  assert.equal(existsSync(`${program}.secret`), false);

  const failing = withHelper("echo 'the key ring is locked' >&2; exit 1");
  await assert.rejects(failing.session.logout(), (error) => {
    assert.equal(error.code, 'STORAGE');
    assert.match(error.message, /"the key ring is locked"/);
    return true;
  });
  assert.equal(existsSync(join(directory, 'token.json')), false);
});
