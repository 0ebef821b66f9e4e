// Compiled, never run: the CommonJS entries of the adapters.
import planetkey = require('planetkey');
import axios = require('planetkey/axios');
import maplibre = require('planetkey/maplibre');
import undici = require('planetkey/undici');

const session = planetkey.Session.fromDefaults();
const dispatch: (options: { path: string }, handler: object) => boolean = () => true;
const same: typeof dispatch = undici.authInterceptor(session)(dispatch);
console.log(same, axios.installAxios, maplibre.transformRequest(session));
