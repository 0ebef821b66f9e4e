// session.fetch is fetch with the right credential: node fetch.mjs [URL]
import { Session } from 'planetkey';

const url = process.argv[2] ?? 'https://api.planet.com/basemaps/v1/mosaics';
const session = Session.fromDefaults();
const response = await session.fetch(url);
console.log(response.status, await response.text());
