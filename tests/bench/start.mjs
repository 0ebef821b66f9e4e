// From process start to one header on standard output. The environment holds the credential.
import { Session } from '../../bindings/node/index.mjs';

const session = Session.fromDefaults({ allowInsecureLoopback: true });
const headers = await session.headers('https://api.planet.com/basemaps/v1/mosaics');
console.log(`Authorization: ${headers.Authorization}`);
