// A polluted Object.prototype becomes no option of a session.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { Simulator } from './simulator.mjs';

let simulator;
before(async () => { simulator = await Simulator.start(); });
after(() => simulator.stop());

test('i9_13_a_polluted_object_prototype_is_no_option', async () => {
  const { sentinel_hub_api, home, deployment } = simulator;
  await simulator.savedLogin({ age: 0 });
  const program = JSON.stringify(pathToFileURL(join(import.meta.dirname, 'polluted.mjs')).href);
  // Of the simulator's variables only what does not turn on an option that pollution would turn on.
  const environment = { TEST_SIMULATOR: JSON.stringify({ sentinel_hub_api, home, deployment }), PLANETKEY_ALLOW_INSECURE_LOOPBACK: '0' };
  assert.match(await simulator.run(`await import(${program});`, { environment }), /^\d+ names$/m);
});
