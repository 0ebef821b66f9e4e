// One simulator and one foreign server for the tests of a file, empty before each test.
import assert from 'node:assert/strict';
import { after, before, beforeEach } from 'node:test';
import { Foreign } from '../../../bindings/node/test/foreign.mjs';
import { Simulator } from '../../../bindings/node/test/simulator.mjs';

export function bench() {
  const here = {};
  before(async () => {
    here.simulator = await Simulator.start();
    here.foreign = await Foreign.start();
  });
  beforeEach(async () => {
    await here.simulator.reset();
    here.foreign.requests.length = 0;
  });
  after(async () => {
    await here.foreign.stop();
    await here.simulator.stop();
  });
  return here;
}

/** A session of its own token, which the servers have revoked. */
export async function revoked(simulator) {
  const session = simulator.m2mSession({ save: false });
  await session.accessToken();
  await simulator.revoke({ all: true });
  return session;
}

export const redirecting = (api, to) => `${api}/redirect?to=${encodeURIComponent(to)}`;

/** The headers of the requests to a target, in their order. */
export async function headersOf(simulator, target) {
  const requests = await simulator.requests(target);
  return requests.map(({ headers }) => Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])));
}

/** Requests to the token endpoint and to an API. */
export async function assertCounts(simulator, token, api, target = 'sentinel_hub_api') {
  assert.deepEqual([await simulator.count('m2m.token'), await simulator.count(target)], [token, api]);
}
