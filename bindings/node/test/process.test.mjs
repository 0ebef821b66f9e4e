// The addon as a guest in somebody's process: it neither keeps it alive, nor blocks it, nor breaks it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { Simulator } from './simulator.mjs';

let simulator;
beforeEach(async () => { simulator = await Simulator.start(); });
afterEach(() => simulator.stop());

const entry = JSON.stringify(pathToFileURL(join(import.meta.dirname, '../index.mjs')).href);
const begin = `
  import { Session } from ${entry};
  const session = Session.fromDefaults({ timeoutMs: 600_000 });
`;

/** Runs a program to its own end. A program that is not able to end fails by the test's timeout. */
async function run(program, environment = {}) {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    env: { ...simulator.variables, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [output, errors, [code, signal]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { output, errors, code, signal };
}

const limit = { timeout: 60_000 };

test('a process that used a session ends by itself', limit, async () => {
  const result = await run(`${begin}
    console.log((await session.authorize('${simulator.planet_api}/x')).credential);
    console.log((await session.authorize('${simulator.sentinel_hub_api}/x')).credential);
  `);
  assert.deepEqual(result, { output: 'api_key\naccess_token\n', errors: '', code: 0, signal: null });
});

test('a process whose only call was aborted ends by itself', limit, async () => {
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

test('calls that wait leave libuv its threads', limit, async () => {
  await simulator.script('m2m.token', { hold: 'gate' });
  const result = await run(`${begin}
    import { stat } from 'node:fs/promises';
    const tokens = Array.from({ length: 32 }, (_, index) => session.headers('${simulator.sentinel_hub_api}/' + index));
    console.log((await stat(process.execPath)).isFile());
    await fetch('${simulator.control}/release', { method: 'POST', body: '{"hold":"gate"}' });
    console.log(new Set((await Promise.all(tokens)).map((headers) => headers.Authorization)).size);
  `, { UV_THREADPOOL_SIZE: '2' });
  assert.deepEqual(result, { output: 'true\n1\n', errors: '', code: 0, signal: null });
});

test('an aborted call gives its thread back', limit, async () => {
  await simulator.script('m2m.token', { hold: 'for ever' });
  const result = await run(`${begin}
    import { stat } from 'node:fs/promises';
    const controller = new AbortController();
    const token = session.accessToken({ signal: controller.signal });
    await fetch('${simulator.control}/wait?held=for%20ever&count=1&timeout_ms=20000');
    controller.abort();
    await token.catch((error) => console.log(error.code));
    // There is one thread, and the request is still held.
    console.log((await stat(process.execPath)).isFile());
  `, { UV_THREADPOOL_SIZE: '1' });
  assert.deepEqual(result, { output: 'CANCELLED\ntrue\n', errors: '', code: 0, signal: null });
});

test('worker threads have sessions of their own', limit, async () => {
  const result = await run(`
    import { once } from 'node:events';
    import { Worker } from 'node:worker_threads';
    const program = ${JSON.stringify(`${begin}
      import { parentPort } from 'node:worker_threads';
      const tokens = await Promise.all(Array.from({ length: 8 }, () => session.accessToken()));
      parentPort.postMessage(new Set(tokens).size);
      try { session.headersSync('https://api.planet.com.evil.example/'); } catch (error) { parentPort.postMessage(error.code); }
    `)};
    const url = new URL('data:text/javascript,' + encodeURIComponent(program));
    for (const round of [1, 2]) {
      console.log(...(await Promise.all([1, 2, 3, 4].map(async () => {
        const worker = new Worker(url);
        const said = [];
        worker.on('message', (message) => said.push(message));
        const [code] = await once(worker, 'exit');
        return said.join() + ' ' + code;
      }))));
    }
  `);
  const round = Array(4).fill('1,HOST_REFUSED 0').join(' ');
  assert.deepEqual(result, { output: `${round}\n${round}\n`, errors: '', code: 0, signal: null });
  assert.equal(await simulator.count('m2m.token'), 8);
});

test('a renewal outlives the only worker that loaded the addon', limit, async () => {
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
    // Refused, the renewal asks again, in a thread of the addon whose worker is gone.
    const counted = await fetch('${simulator.control}/wait?target=m2m.token&count=2&timeout_ms=20000');
    console.log(code, held.gate, (await counted.json()).reached);
  `);
  assert.deepEqual(result, { output: '0 1 true\n', errors: '', code: 0, signal: null });
});
