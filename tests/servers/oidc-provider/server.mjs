// A certified OpenID provider on loopback, configured like Planet's authorization server for users:
// an issuer that ends with a slash, `audience` as in Auth0, refresh tokens that are valid once,
// `iss` in authorization responses. It runs until its input closes. Its first line of output names
// its URLs. It writes nothing to disk.

import { createPrivateKey, createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

import { createRemoteJWKSet, jwtVerify } from 'jose';
import Provider, { errors } from 'oidc-provider';
// The server's storage is outside the provider, so that a rotation of keys does not lose the
// grants.
import { createMemoryAdapter } from 'oidc-provider/lib/adapters/memory_adapter.js';

const AUDIENCE = 'https://api.planet.com/';
const MINUTE = 60;
const HOUR = 60 * MINUTE;

const { secret, assertion_keys: assertionKeys } = JSON.parse(readFileSync(process.argv[2], 'utf8'));

function publicJwk(file) {
  const key = createPublicKey(createPrivateKey(readFileSync(file)));
  return { ...key.export({ format: 'jwk' }), use: 'sig' };
}

function m2mClient(id, method, more = {}) {
  return {
    client_id: id,
    token_endpoint_auth_method: method,
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
    scope: 'planet',
    ...more,
  };
}

function userClient(id) {
  return {
    client_id: id,
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    response_types: ['code'],
    redirect_uris: ['http://127.0.0.1/callback'],
  };
}

const clients = [
  m2mClient('m2m-basic', 'client_secret_basic', { client_secret: secret }),
  m2mClient('m2m-post', 'client_secret_post', { client_secret: secret }),
  m2mClient('m2m-rsa', 'private_key_jwt', { jwks: { keys: [publicJwk(assertionKeys.rsa)] } }),
  m2mClient('m2m-ec', 'private_key_jwt', { jwks: { keys: [publicJwk(assertionKeys.ec)] }, token_endpoint_auth_signing_alg: 'ES256' }),
  userClient('user'),
  userClient('device'),
  userClient('stranger'),
];

function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: randomUUID() };
}

const configuration = {
  adapter: createMemoryAdapter(),
  clients,
  cookies: { keys: [randomUUID()] },
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
  scopes: ['openid', 'offline_access', 'planet', 'other'],
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({ sub, name: 'A User', email: 'user@example.com', email_verified: true }),
  }),
  rotateRefreshToken: true,
  ttl: {
    AccessToken: HOUR,
    AuthorizationCode: MINUTE,
    ClientCredentials: HOUR,
    DeviceCode: 10 * MINUTE,
    Grant: HOUR,
    IdToken: HOUR,
    Interaction: HOUR,
    RefreshToken: HOUR,
    Session: HOUR,
  },
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    // A public client may introspect the tokens that it holds.
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: (_, client, token) => token.clientId === client.clientId },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => {
        if (resource !== AUDIENCE) {
          throw new errors.InvalidTarget('unknown audience');
        }
        return { scope: 'planet', audience: AUDIENCE, accessTokenFormat: 'jwt', accessTokenTTL: HOUR, jwt: { sign: { alg: 'RS256' } } };
      },
    },
  },
};

// Requests to the token endpoint, oldest first.
const tokenRequests = [];

function note(ctx, error) {
  const { client, params } = ctx.oidc;
  tokenRequests.push({
    client_id: client?.clientId ?? params?.client_id ?? null,
    grant_type: params?.grant_type ?? null,
    error: error?.error ?? null,
  });
}

// Auth0 calls `resource` (RFC 8707) `audience`, and issues a refresh token for `offline_access`
// without a prompt.
async function likeAuth0(ctx, next) {
  const renamed = (parameters) => {
    const audience = parameters.get('audience');
    if (audience !== null) {
      parameters.delete('audience');
      parameters.append('resource', audience);
    }
    return parameters;
  };
  const query = renamed(new URLSearchParams(ctx.querystring));
  if (ctx.path === '/auth' && query.get('scope')?.split(' ').includes('offline_access') && !query.has('prompt')) {
    query.append('prompt', 'consent');
  }
  ctx.querystring = query.toString();
  if (ctx.method === 'POST' && ctx.is('urlencoded') && ['/token', '/device/auth'].includes(ctx.path)) {
    const body = {};
    for (const [name, value] of renamed(new URLSearchParams(await text(ctx.req)))) {
      body[name] = name in body ? [body[name], value].flat() : value;
    }
    ctx.req.body = body;
  }
  await next();
}

function makeProvider(issuer, keys) {
  const provider = new Provider(issuer, { ...configuration, jwks: { keys } });
  provider.use(likeAuth0);
  provider.on('grant.success', (ctx) => note(ctx));
  provider.on('grant.error', note);
  provider.on('server_error', (_, error) => console.error(error));
  return provider.callback();
}

let serve;
const server = createServer((request, response) => serve(request, response));
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}/`;
serve = makeProvider(issuer, [signingKey()]);

// Validates a token as Planet's APIs do.
async function isAccepted(token) {
  const keys = createRemoteJWKSet(new URL('jwks', issuer));
  try {
    await jwtVerify(token, keys, { issuer, audience: AUDIENCE, typ: 'at+jwt' });
    return true;
  } catch {
    return false;
  }
}

const control = createServer(async (request, response) => {
  const answer = (value) => response.setHeader('Content-Type', 'application/json').end(JSON.stringify(value));
  switch (`${request.method} ${request.url}`) {
    case 'GET /token-requests':
      return answer(tokenRequests);
    case 'POST /forget-requests':
      tokenRequests.length = 0;
      return answer(null);
    case 'POST /is-accepted':
      return answer(await isAccepted(await text(request)));
    case 'POST /rotate-keys':
      serve = makeProvider(issuer, [signingKey()]);
      return answer(null);
    default:
      response.statusCode = 404;
      return answer(null);
  }
});
await new Promise((listening) => control.listen(0, '127.0.0.1', listening));

process.stdin.resume().on('end', () => process.exit(0));
process.stdout.write(`${JSON.stringify({ issuer, control: `http://127.0.0.1:${control.address().port}` })}\n`);
