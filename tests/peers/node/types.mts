// Compiled, never run: the adapters fit the types of the libraries that they are for.
import axios from 'axios';
import { Session } from 'planetkey';
import { installAxios } from 'planetkey/axios';
import { authInterceptor } from 'planetkey/undici';
import { Agent, interceptors, setGlobalDispatcher, type Dispatcher } from 'undici';

const session = Session.fromDefaults();

const interceptor: Dispatcher.DispatcherComposeInterceptor = authInterceptor(session);
const agent = new Agent().compose(authInterceptor(session), interceptors.redirect());
setGlobalDispatcher(agent.compose([interceptor]));

const eject: () => void = installAxios(axios, session);
installAxios(axios.create({ baseURL: 'https://api.planet.com/' }), session);
const client = axios.create({ adapter: 'fetch', env: { fetch: session.fetch } });

console.log(eject, client);
