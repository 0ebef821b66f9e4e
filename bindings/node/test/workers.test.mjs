// Worker threads, each with an environment of its own, in one process with one core.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { ENTRY, Simulator } from './simulator.mjs';

let simulator;
beforeEach(async () => { simulator = await Simulator.start(); });
afterEach(() => simulator.stop());

const limit = { timeout: 60_000 };
const control = (path) => `await (await fetch('${simulator.control}${path}')).json()`;
const release = (hold) => `await fetch('${simulator.control}/release', { method: 'POST', body: '{"hold":"${hold}"}' })`;
/** Starts a worker that runs this program, as `worker`. */
const worker = (program) => `new Worker(new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(program)})))`;
const begin = `
  import { once } from 'node:events';
  import { parentPort, Worker } from 'node:worker_threads';
  import { Session } from ${ENTRY};
`;
/** Whether the refreshes of user sessions in this process end. */
const settled = `(await import('node:module')).createRequire(${ENTRY})('./planetkey.node').settle(20_000)`;
const ended = { errors: '', code: 0, signal: null };

test('f110 two workers and the main thread use one saved session with one token request', limit, async () => {
  await simulator.script('m2m.token', { hold: 'gate' });
  const uses = `${begin}
    const session = Session.fromDefaults({ timeoutMs: 600_000 });
    const tokens = await Promise.all(Array.from({ length: 8 }, () => session.accessToken()));
    const [token] = new Set(tokens);
  `;
  const program = `${uses}
    try { session.headersSync('https://api.planet.com.evil.example/'); } catch (error) { parentPort.postMessage(error.code); }
    parentPort.postMessage(token);
  `;
  const result = await simulator.start(`
    import { Worker as Early } from 'node:worker_threads';
    const heard = [1, 2].map(() => {
      const worker = new Early(new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(program)})));
      const said = [];
      worker.on('message', (message) => said.push(message));
      return new Promise((resolve) => worker.once('exit', (code) => resolve([code, ...said])));
    });
    ${control('/wait?held=gate&count=1&timeout_ms=20000')};
    setImmediate(async () => { ${release('gate')}; });
    const { used } = await import('data:text/javascript,' + encodeURIComponent(${JSON.stringify(`${uses} export const used = token;`)}));
    for (const [code, refusal, token] of await Promise.all(heard)) console.log(code, refusal, token === used);
  `);
  assert.deepEqual(result, { output: '0 HOST_REFUSED true\n0 HOST_REFUSED true\n', ...ended });
  assert.equal(await simulator.count('m2m.token'), 1);
});

test('workers that come later find the session', limit, async () => {
  const program = `${begin}
    parentPort.postMessage(Session.fromDefaults().headersSync('${simulator.sentinel_hub_api}/x').Authorization);
  `;
  const result = await simulator.start(`${begin}
    const { Authorization } = await Session.fromDefaults().headers('${simulator.sentinel_hub_api}/x');
    for (const round of [1, 2, 3]) {
      const worker = ${worker(program)};
      const [[message], [code]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
      console.log(message === Authorization, code);
    }
  `);
  assert.deepEqual(result, { output: 'true 0\n'.repeat(3), ...ended });
  assert.equal(await simulator.count('m2m.token'), 1);
});

test('f111 a worker is terminated while it waits for a refresh', limit, async () => {
  await simulator.script('m2m.token', { hold: 'gate' });
  const result = await simulator.start(`${begin}
    const worker = ${worker(`${begin} await Session.fromDefaults({ timeoutMs: 600_000 }).accessToken();`)};
    ${control('/wait?held=gate&count=1&timeout_ms=20000')};
    console.log(await worker.terminate());
    // The refresh continues for the other users of the session.
    setImmediate(async () => { ${release('gate')}; });
    console.log((await Session.fromDefaults({ timeoutMs: 600_000 }).accessToken()).length > 0);
  `);
  assert.deepEqual(result, { output: '1\ntrue\n', ...ended });
  assert.equal(await simulator.count('m2m.token'), 1);
});

const storages = {
  'that gives no promise': '{ load: () => text, save() {} }',
  'that gives promises': '{ load: async () => text, save: async () => {} }',
};
for (const [kind, storage] of Object.entries(storages)) {
  test(`f111 a worker with its own storage ${kind} is terminated during a held refresh`, limit, async () => {
    const text = JSON.stringify(await simulator.login({ age: 7200 }));
    await simulator.script('user.token', { hold: 'gate' });
    const result = await simulator.start(`${begin}
      const worker = ${worker(`${begin}
        const text = ${JSON.stringify(text)};
        await Session.fromProfile('planet-user', { timeoutMs: 600_000, allowInsecureLoopback: true, storage: ${storage} }).accessToken();
      `)};
      ${control('/wait?held=gate&count=1&timeout_ms=20000')};
      // Its storage ends with it, so that the refresh's later storage calls fail.
      console.log(await worker.terminate());
      ${release('gate')};
      console.log((${control('/wait?target=user.token.issued&count=1&timeout_ms=20000')}).reached, ${settled});
    `);
    assert.deepEqual(result, { output: '1\ntrue true\n', ...ended });
  });
}

test('f111 a worker is terminated while the refresh waits for its own storage', limit, async () => {
  const result = await simulator.start(`${begin}
    const worker = ${worker(`${begin}
      const storage = { load: () => { parentPort.postMessage('load'); return new Promise(() => {}); }, save() {} };
      await Session.fromProfile('planet-user', { timeoutMs: 600_000, allowInsecureLoopback: true, storage }).accessToken();
    `)};
    console.log(...(await once(worker, 'message')), await worker.terminate());
    // The refresh does not wait for an answer that cannot come.
    console.log(${settled});
  `);
  assert.deepEqual(result, { output: 'load 1\ntrue\n', ...ended });
  assert.equal(await simulator.count('user.token'), 0);
});

test('f111 a worker is terminated while its storage blocks', limit, async () => {
  const result = await simulator.start(`${begin}
    const worker = ${worker(`${begin}
      const storage = { load: () => { parentPort.postMessage('load'); for (;;); }, save() {} };
      await Session.fromProfile('planet-user', { timeoutMs: 600_000, allowInsecureLoopback: true, storage }).accessToken();
    `)};
    console.log(...(await once(worker, 'message')), await worker.terminate());
    console.log(${settled});
  `);
  assert.deepEqual(result, { output: 'load 1\ntrue\n', ...ended });
});

test('when the main thread exits the process, the refresh of a worker is still saved', limit, async () => {
  const { refresh_token } = await simulator.savedLogin();
  // So late that a process which does not wait for it does not live to see it.
  await simulator.script('user.token', { hold: 'gate', delay_ms: 500 });
  // The main thread has never loaded the addon.
  const result = await simulator.start(`
    import { Worker } from 'node:worker_threads';
    ${worker(`${begin}
      await Session.fromProfile('planet-user', { timeoutMs: 600_000, allowInsecureLoopback: true }).accessToken();
    `)};
    ${control('/wait?held=gate&count=1&timeout_ms=20000')};
    console.log('end');
    process.exit(0);
  `, { said: () => simulator.release('gate') });
  assert.deepEqual(result, { output: 'end\n', ...ended });
  const [{ active, rotations, refresh_token: current }] = await simulator.sessionOf(refresh_token);
  assert.deepEqual({ active, rotations }, { active: true, rotations: 1 });
  assert.equal(simulator.savedTokens().refresh_token, current);
});
