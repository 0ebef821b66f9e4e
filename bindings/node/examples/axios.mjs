// An instance of axios that authenticates itself: node axios.mjs [URL]
import axios from 'axios';
import { Session } from 'planetkey';
import { installAxios } from 'planetkey/axios';

const url = process.argv[2] ?? 'https://api.planet.com/basemaps/v1/mosaics';
const client = axios.create({ timeout: 30_000, validateStatus: () => true });
installAxios(client, Session.fromDefaults());

const { status, data } = await client.get(url);
console.log(status, JSON.stringify(data));
