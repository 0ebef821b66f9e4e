// planetkey/maplibre, used as a map uses it: it asks for the parameters of a request, and sends
// that.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, beforeEach, test } from 'node:test';
import { transformRequest, transformRequestSync } from 'planetkey/maplibre';
import { Simulator } from './simulator.mjs';

let simulator;
before(async () => { simulator = await Simulator.start(); });
beforeEach(() => simulator.reset());
after(() => simulator.stop());

/** What a map does with the parameters of a tile. */
async function load({ url, headers }) {
  const response = await fetch(url, { headers });
  return response.ok ? (await response.json()).credential : response.status;
}
const tile = () => `${simulator.planet_api}/basemaps/v1/planet-tiles/mosaic/gmap/3/2/1.png`;
const OTHERS = ['https://example.org/style.json', 'http://api.planet.com/x', 'data:application/json,{}', 'blob:https://example.org/1', 'sprite', ''];

test('a map that takes a Promise', async () => {
  const transform = transformRequest(simulator.m2mSession());
  assert.equal(await load(await transform(tile(), 'Tile')), 'bearer');
  for (const url of OTHERS) assert.deepEqual(await transform(url, 'Style'), { url });
  await simulator.revoke({ all: true });
  // Each request asks anew.
  assert.equal(await load(await transform(tile())), 401);
  const refused = transformRequest(simulator.m2mSession({ save: false }));
  await simulator.always('m2m.token', { status: 401, json: { error: 'invalid_client' } });
  await assert.rejects(refused(tile()), { code: 'MISCONFIGURED' });
});

test('every form of an API key', async () => {
  for (const transport of ['basic', 'header', 'query']) {
    const session = simulator.apiKeySession(transport);
    for (const transform of [transformRequest(session), transformRequestSync(session)]) {
      const parameters = await transform(tile(), 'Tile');
      assert.equal(await load(parameters), `api_key_${transport}`);
      assert.equal(parameters.url.startsWith(tile()), true);
      assert.deepEqual(await transform(`${simulator.sentinel_hub_api}/x`), { url: `${simulator.sentinel_hub_api}/x` });
    }
  }
});

test('a map that cannot wait has the token as soon as it is cached', async () => {
  const session = simulator.m2mSession();
  const transform = transformRequestSync(session, { onError: assert.fail });
  await simulator.script('m2m.token', { hold: 'token' });
  assert.deepEqual(transform(tile(), 'Tile'), { url: tile() });
  assert.deepEqual(transform(tile(), 'Tile'), { url: tile() });
  for (const url of OTHERS) assert.deepEqual(transform(url), { url });
  await simulator.waitHeld('token');
  await simulator.release('token');
  await session.accessToken();
  assert.equal(await load(transform(tile(), 'Tile')), 'bearer');
  assert.equal(await simulator.count('m2m.token'), 1);
});

test('a failure in the background is reported once', async () => {
  await simulator.always('m2m.token', { status: 401, json: { error: 'invalid_client' } });
  const session = simulator.m2mSession();
  const errors = [];
  const transform = transformRequestSync(session, { onError: (error) => errors.push(error.code) });
  for (let time = 0; time < 3; time += 1) {
    assert.deepEqual(transform(tile()), { url: tile() });
    await assert.rejects(session.accessToken());
  }
  assert.deepEqual(errors, ['MISCONFIGURED']);

  // By default as a warning.
  const warned = once(process, 'warning');
  assert.deepEqual(transformRequestSync(session)(tile()), { url: tile() });
  assert.equal((await warned)[0].code, 'MISCONFIGURED');
});

test('wrong arguments', () => {
  for (const session of [undefined, null, {}, 'session']) {
    for (const make of [transformRequest, transformRequestSync]) assert.throws(() => make(session), { code: 'INVALID_ARGUMENT' });
  }
  assert.throws(() => transformRequestSync(simulator.m2mSession(), { onError: 'log' }), { code: 'INVALID_ARGUMENT' });
  assert.equal(typeof transformRequestSync(simulator.m2mSession(), null), 'function');
});
