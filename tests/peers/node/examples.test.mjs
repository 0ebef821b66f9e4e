// The examples of the package, installed beside the libraries.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { against, needsOthers, readmeExamples } from '../../../bindings/node/test/readme.mjs';
import { bench } from './bench.mjs';

const here = bench();
const examples = join(import.meta.dirname, '../../../bindings/node/examples');
const directory = mkdtempSync(join(tmpdir(), 'planetkey-examples-'));
symlinkSync(join(import.meta.dirname, 'node_modules'), join(directory, 'node_modules'));
after(() => rmSync(directory, { recursive: true }));

async function run(program, ...args) {
  writeFileSync(join(directory, 'example.mjs'), program);
  const child = spawn(process.execPath, ['example.mjs', ...args], {
    cwd: directory,
    env: here.simulator.variables,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { output, errors, code };
}

// That of the login is run in tests/browser.
for (const name of readdirSync(examples).filter((name) => name !== 'log_in.mjs')) {
  test(name, async () => {
    const { simulator, foreign } = here;
    const program = readFileSync(join(examples, name), 'utf8');
    for (const [url, credential] of [[`${simulator.planet_api}/x`, 'api_key_basic'], [`${simulator.sentinel_hub_api}/x`, 'bearer']]) {
      const { output, errors, code } = await run(program, url);
      assert.deepEqual({ errors, code }, { errors: '', code: 0 });
      assert.match(output, new RegExp(`^200 .*"credential": ?"${credential}"`));
    }
    const { errors, code } = await run(program, foreign.url);
    if (name === 'fetch.mjs') assert.match(errors, /HOST_REFUSED/);
    else assert.equal(foreign.requests[0].headers.authorization, undefined);
    assert.equal(code, name === 'fetch.mjs' ? 1 : 0);
  });
}

test('the README\'s examples of other packages run as printed', async () => {
  const programs = readmeExamples().filter(needsOthers);
  assert.equal(programs.length, 2);
  for (const program of programs) {
    assert.deepEqual(await run(against(here.simulator, program)), { output: '200 object\n', errors: '', code: 0 });
  }
});
