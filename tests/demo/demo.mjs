// One session with an API key and an M2M client: each API gets the credential that it takes.
import { Session } from 'planetkey';

function printRow(api, credential, result) {
  console.log(`${'Node'.padEnd(8)} ${api.padEnd(26)} ${credential.padEnd(22)} ${result}`);
}

async function request({ url, headers }) {
  const response = await fetch(url, { headers });
  await response.arrayBuffer();
  return response.status;
}

async function call(session, api, url) {
  const authorization = await session.authorize(url);
  printRow(api, `${authorization.credential} (${authorization.transport})`, await request(authorization));
}

/** An API key alone must get no authorization for this URL. If it does, it is sent and counted. */
async function refuse(session, api, url) {
  let result = 'OK';
  try {
    await request(await session.authorize(url));
  } catch (error) {
    result = error.code;
  }
  printRow(api, 'api_key alone', result);
}

const environment = process.env;
const planetApi = `${environment.PLANETKEY_SIMULATOR_PLANET_API}/basemaps/v1/mosaics`;
const sentinelHubApi = `${environment.PLANETKEY_SIMULATOR_SENTINEL_HUB_API}/api/v1/catalog/1.0.0/`;

const session = Session.fromDefaults();
await call(session, 'planet api', planetApi);
await call(session, 'sentinel hub api', sentinelHubApi);

const apiKey = environment.PL_API_KEY;
await refuse(Session.fromApiKey(apiKey, { allowInsecureLoopback: true }), 'sentinel hub api', sentinelHubApi);
await refuse(
  Session.fromApiKey(apiKey, { deployment: 'planet' }),
  'services.sentinel-hub.com',
  'https://services.sentinel-hub.com/api/v1/catalog/1.0.0/',
);
