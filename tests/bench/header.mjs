// Nanoseconds for a header from a cached valid token: planetkey and its peers in Node.
//
// Started by report.py, which sets the simulator's address and the token in the environment. Each
// peer does through its usual call what it does for every request. All must return the same header.

import assert from 'node:assert/strict';
import { ConfidentialClientApplication } from '@azure/msal-node';
import { OAuth2Client } from 'google-auth-library';
import * as openid from 'openid-client';
import { ClientCredentials } from 'simple-oauth2';
import { Session } from '../../bindings/node/index.mjs';

const token = process.env.BENCH_TOKEN;
const issuer = process.env.PLANETKEY_SIMULATOR_M2M;
const clientId = process.env.PL_AUTH_CLIENT_ID;
const clientSecret = process.env.PL_AUTH_CLIENT_SECRET;
const expected = `Bearer ${token}`;
const life = 86400;
const api = 'https://api.planet.com/basemaps/v1/mosaics';
const tile = 'https://tiles.planet.com/basemaps/v1/planet-tiles/global_monthly_2024_01_mosaic/gmap/12/654/1583.png';
const batchNs = 2e6;
const batches = 150;

let sink;

function report(name, means) {
  means.sort((a, b) => a - b);
  console.log(`${name}\t${means[0].toFixed(1)}\t${means[means.length >> 1].toFixed(1)}`);
}

/** Each function has its own loop, because a shared loop would be optimized for none of them. */
function loops(source) {
  return new Function('call', 'calls', `return ${source}`);
}

function measure(name, call, header) {
  assert.equal(header(call()), expected, name);
  const run = loops('(() => { let last; for (let i = 0; i < calls; i++) last = call(); return last; })()');
  const batch = (calls) => {
    const start = process.hrtime.bigint();
    sink = run(call, calls);
    return Number(process.hrtime.bigint() - start) / calls;
  };
  for (let i = 0; i < 20; i++) batch(1000);
  const calls = Math.max(1, Math.floor(batchNs / batch(1000)));
  report(name, Array.from({ length: batches }, () => batch(calls)));
}

async function measureAsync(name, call, header) {
  assert.equal(header(await call()), expected, name);
  const run = loops('(async () => { let last; for (let i = 0; i < calls; i++) last = await call(); return last; })()');
  const batch = async (calls) => {
    const start = process.hrtime.bigint();
    sink = await run(call, calls);
    return Number(process.hrtime.bigint() - start) / calls;
  };
  for (let i = 0; i < 20; i++) await batch(100);
  const calls = Math.max(1, Math.floor(batchNs / (await batch(100))));
  const means = [];
  for (let i = 0; i < batches; i++) means.push(await batch(calls));
  report(name, means);
}

const bearer = (text) => `Bearer ${text}`;
const ofHeaders = (headers) => headers.Authorization;

async function floor() {
  const expiresAt = Date.now() + life * 1000;
  await measureAsync('floor: await, Date.now', async () => (Date.now() < expiresAt ? `Bearer ${token}` : undefined), String);
}

async function planetkey() {
  const session = Session.fromDefaults({ allowInsecureLoopback: true });
  await session.refresh();
  measure('planetkey accessTokenSync()', () => session.accessTokenSync(), bearer);
  measure('planetkey headersSync(url)', () => session.headersSync(api), ofHeaders);
  measure('planetkey headersSync(tile url)', () => session.headersSync(tile), ofHeaders);
  await measureAsync('planetkey await accessToken()', () => session.accessToken(), bearer);
  await measureAsync('planetkey await headers(url)', () => session.headers(api), ofHeaders);
}

async function simpleOauth2() {
  const client = new ClientCredentials({ client: { id: clientId, secret: clientSecret }, auth: { tokenHost: 'https://as.example' } });
  const accessToken = client.createToken({ access_token: token, token_type: 'Bearer', expires_in: life });
  measure('simple-oauth2 expired() and string', () => (accessToken.expired() ? undefined : `Bearer ${accessToken.token.access_token}`), String);
}

async function openidClient() {
  const execute = [openid.allowInsecureRequests];
  const configuration = await openid.discovery(new URL(issuer), clientId, clientSecret, undefined, { execute });
  const tokens = await openid.clientCredentialsGrant(configuration);
  measure('openid-client expiresIn() and string', () => (tokens.expiresIn() > 0 ? `Bearer ${tokens.access_token}` : undefined), String);
}

async function googleAuthLibrary() {
  const client = new OAuth2Client({ clientId, clientSecret });
  client.setCredentials({ access_token: token, expiry_date: Date.now() + life * 1000 });
  await measureAsync('google-auth-library getRequestHeaders', () => client.getRequestHeaders(api), (headers) => headers.get('authorization'));
}

/** MSAL's own HTTP is replaced: metadata and token without a server. */
async function msalNode() {
  const authority = 'https://as.example/realm/';
  const answer = async (body) => ({ status: 200, headers: {}, body });
  const metadata = { issuer: authority, authorization_endpoint: `${authority}authorize`, token_endpoint: `${authority}token`, jwks_uri: `${authority}jwks` };
  const application = new ConfidentialClientApplication({
    auth: { clientId, clientSecret, authority, knownAuthorities: ['as.example'] },
    system: {
      protocolMode: 'OIDC',
      networkClient: {
        sendGetRequestAsync: () => answer(metadata),
        sendPostRequestAsync: () => answer({ access_token: token, token_type: 'Bearer', expires_in: life }),
      },
    },
  });
  const call = () => application.acquireTokenByClientCredential({ scopes: ['scope/.default'] });
  await measureAsync('@azure/msal-node cached', call, (result) => bearer(result.accessToken));
}

await floor();
await planetkey();
await simpleOauth2();
await openidClient();
await googleAuthLibrary();
await msalNode();
assert.ok(sink);
