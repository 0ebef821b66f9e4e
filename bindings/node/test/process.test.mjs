// The addon does not keep a process alive, does not block it, and does not break it.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { ENTRY, Simulator } from './simulator.mjs';

let simulator;
beforeEach(async () => { simulator = await Simulator.start(); });
afterEach(() => simulator.stop());

const begin = `
  import { Session } from ${ENTRY};
  const session = Session.fromDefaults({ timeoutMs: 600_000 });
`;
const run = (program, environment) => simulator.start(program, { environment });

const limit = { timeout: 60_000 };

test('a process that used a session exits by itself', limit, async () => {
  const result = await run(`${begin}
    console.log((await session.authorize('${simulator.planet_api}/x')).credential);
    console.log((await session.authorize('${simulator.sentinel_hub_api}/x')).credential);
  `);
  assert.deepEqual(result, { output: 'api_key\naccess_token\n', errors: '', code: 0, signal: null });
});

test('a process whose only call was aborted exits by itself', limit, async () => {
  await simulator.script('m2m.token', { hold: 'for ever' });
  const result = await run(`${begin}
    await session.accessToken({ signal: AbortSignal.timeout(1) }).catch((error) => console.log(error.code, error.cause.name));
  `);
  assert.deepEqual(result, { output: 'CANCELLED TimeoutError\n', errors: '', code: 0, signal: null });
});

test('process.exit() does not wait for a call', limit, async () => {
  await simulator.script('m2m.token', { hold: 'for ever' });
  const result = await run(`${begin}
    session.accessToken();
    const held = await fetch('${simulator.control}/wait?held=for%20ever&count=1&timeout_ms=20000');
    console.log((await held.json()).reached);
    process.exit(3);
  `);
  assert.deepEqual(result, { output: 'true\n', errors: '', code: 3, signal: null });
});

test('calls that wait do not occupy libuv\'s threads', limit, async () => {
  await simulator.script('m2m.token', { hold: 'gate' });
  const result = await run(`${begin}
    import { stat } from 'node:fs/promises';
    const tokens = Array.from({ length: 32 }, (_, index) => session.headers('${simulator.sentinel_hub_api}/' + index));
    console.log((await stat(process.execPath)).isFile());
    await fetch('${simulator.control}/release', { method: 'POST', body: '{"hold":"gate"}' });
    console.log(new Set((await Promise.all(tokens)).map((headers) => headers.Authorization)).size);
  `, { UV_THREADPOOL_SIZE: '1' });
  assert.deepEqual(result, { output: 'true\n1\n', errors: '', code: 0, signal: null });
});

test('an aborted call delays no other call', limit, async () => {
  await simulator.script('m2m.token', { hold: 'for ever' });
  const result = await run(`${begin}
    import { stat } from 'node:fs/promises';
    const controller = new AbortController();
    const token = session.accessToken({ signal: controller.signal });
    await fetch('${simulator.control}/wait?held=for%20ever&count=1&timeout_ms=20000');
    controller.abort();
    await token.catch((error) => console.log(error.code));
    // libuv has one thread, and the request is still held.
    console.log((await stat(process.execPath)).isFile());
  `, { UV_THREADPOOL_SIZE: '1' });
  assert.deepEqual(result, { output: 'CANCELLED\ntrue\n', errors: '', code: 0, signal: null });
});

test('a refresh outlives the only worker that loaded the addon', limit, async () => {
  await simulator.script('m2m.token', { hold: 'gate', status: 503 });
  const result = await run(`
    import { once } from 'node:events';
    import { Worker } from 'node:worker_threads';
    const program = ${JSON.stringify(`${begin}
      const controller = new AbortController();
      const token = session.accessToken({ signal: controller.signal });
      await fetch('${simulator.control}/wait?held=gate&count=1&timeout_ms=20000');
      controller.abort();
      await token.catch((error) => error.code);
    `)};
    const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(program)));
    const [code] = await once(worker, 'exit');
    const held = await (await fetch('${simulator.control}/held')).json();
    await fetch('${simulator.control}/release', { method: 'POST', body: '{"hold":"gate"}' });
    // The refused refresh is repeated on a thread of the addon. Its worker has ended.
    const counted = await fetch('${simulator.control}/wait?target=m2m.token&count=2&timeout_ms=20000');
    console.log(code, held.gate, (await counted.json()).reached);
  `);
  assert.deepEqual(result, { output: '0 1 true\n', errors: '', code: 0, signal: null });
});

test('f111 the event loop runs while a refresh is held', limit, async () => {
  await simulator.script('m2m.token', { hold: 'gate' });
  const result = await run(`${begin}
    let text = null;
    const own = Session.fromM2m('${simulator.client_id}', '${simulator.client_secret}', {
      timeoutMs: 600_000, allowInsecureLoopback: true, storage: { load: () => text, save: (given) => { text = given; } },
    });
    for (const used of [session, own]) {
      const token = used.accessToken();
      await fetch('${simulator.control}/wait?held=gate&count=1&timeout_ms=20000');
      // Only this timer lets the refresh continue.
      await new Promise((resolve) => setTimeout(resolve, 1));
      await fetch('${simulator.control}/release', { method: 'POST', body: '{"hold":"gate"}' });
      console.log(typeof await token);
      await fetch('${simulator.control}/script', {
        method: 'POST', body: JSON.stringify({ target: 'm2m.token', steps: [{ hold: 'gate' }] }),
      });
    }
  `);
  assert.deepEqual(result, { output: 'string\nstring\n', errors: '', code: 0, signal: null });
});

/** A refresh that ends too late for a process that does not wait for it. */
const LATE = { hold: 'gate', delay_ms: 500 };

const ends = {
  'process.exit()': { last: 'process.exit(0);', code: 0, errors: /^$/ },
  'an uncaught error': { last: 'throw new Error("mine");', code: 1, errors: /Error: mine/ },
};
for (const [how, { last, code, errors }] of Object.entries(ends)) {
  test(`${how} during a refresh leaves an intact session`, limit, async () => {
    const { refresh_token } = await simulator.savedLogin();
    await simulator.script('user.token', LATE);
    const result = await simulator.start(`
      import { Session } from ${ENTRY};
      Session.fromProfile('planet-user', { timeoutMs: 600_000, allowInsecureLoopback: true }).accessToken();
      await fetch('${simulator.control}/wait?held=gate&count=1&timeout_ms=20000');
      console.log('end');
      ${last}
    `, { said: () => simulator.release('gate') });
    assert.equal(result.output, 'end\n');
    assert.match(result.errors, errors);
    assert.equal(result.code, code);
    await checkRenewedOnce(refresh_token);
  });
}

/** The file holds what the server gave last, and the session lives. */
async function checkRenewedOnce(refreshToken) {
  const [{ active, rotations, reuse, refresh_token: current }] = await simulator.sessionOf(refreshToken);
  assert.deepEqual({ active, rotations, reuse }, { active: true, rotations: 1, reuse: 0 });
  assert.equal(simulator.savedTokens().refresh_token, current);
  assert.ok(simulator.savedTokens().access_token);
  const session = simulator.userSession();
  assert.equal(await session.accessToken(), simulator.savedTokens().access_token);
  await session.refresh();
  assert.equal((await simulator.sessionOf(refreshToken))[0].reuse, 0);
}

test('a process with a refresh in the background exits by itself, and the session is intact', limit, async () => {
  // Still valid, and due.
  const { refresh_token, access_token } = await simulator.savedLogin({ age: 3500 });
  await simulator.script('user.token', LATE);
  const result = await simulator.start(`
    import { Session } from ${ENTRY};
    const session = Session.fromProfile('planet-user', { timeoutMs: 600_000, allowInsecureLoopback: true });
    console.log(session.accessTokenSync() === ${JSON.stringify(access_token)});
    await fetch('${simulator.control}/wait?held=gate&count=1&timeout_ms=20000');
    console.log('end');
  `, { said: (line) => line === 'end' && simulator.release('gate') });
  assert.deepEqual(result, { output: 'true\nend\n', errors: '', code: 0, signal: null });
  await checkRenewedOnce(refresh_token);
});

test('a storage that returns no promise is still called when the process exits', limit, async () => {
  const tokens = await simulator.login({ age: 7200 });
  await simulator.script('user.token', LATE);
  const result = await simulator.start(`
    import { Session } from ${ENTRY};
    const storage = {
      load: () => ${JSON.stringify(JSON.stringify(tokens))},
      save(text) { console.log(JSON.parse(text).refresh_token); },
      lock: (timeoutMs) => timeoutMs > 0,
      unlock() { console.log('unlock'); },
    };
    Session.fromProfile('planet-user', { timeoutMs: 600_000, allowInsecureLoopback: true, storage }).accessToken();
    await fetch('${simulator.control}/wait?held=gate&count=1&timeout_ms=20000');
    console.log('end');
    process.exit(0);
  `, { said: (line) => line === 'end' && simulator.release('gate') });
  const [{ refresh_token: current }] = await simulator.sessionOf(tokens.refresh_token);
  assert.notEqual(current, tokens.refresh_token);
  assert.deepEqual(result, { output: `end\n${current}\nunlock\n`, errors: '', code: 0, signal: null });
});

test('a storage whose promise cannot be settled any more does not delay process exit', limit, async () => {
  const result = await run(`
    import { Session } from ${ENTRY};
    let started;
    const begun = new Promise((resolve) => { started = resolve; });
    const storage = {
      load: () => new Promise(() => started()),
      save() {},
      lock: () => true,
      unlock: () => console.log('unlock'),
    };
    Session.fromProfile('planet-user', { timeoutMs: 600_000, allowInsecureLoopback: true, storage }).accessToken();
    await begun;
    // The refresh fails at once, so that it has time to unlock.
    process.exit(0);
  `);
  assert.deepEqual(result, { output: 'unlock\n', errors: '', code: 0, signal: null });
  assert.equal(await simulator.count('user.token'), 0);
});
