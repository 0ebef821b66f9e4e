// One interceptor authenticates all requests of an agent, redirects included:
// node undici.mjs [URL]
import { Session } from 'planetkey';
import { authInterceptor } from 'planetkey/undici';
import { Agent, interceptors, request } from 'undici';

const url = process.argv[2] ?? 'https://api.planet.com/basemaps/v1/mosaics';
const session = Session.fromDefaults();
const dispatcher = new Agent().compose(authInterceptor(session), interceptors.redirect({ maxRedirections: 5 }));

const { statusCode, body } = await request(url, { dispatcher });
console.log(statusCode, await body.text());
