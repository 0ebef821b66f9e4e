'use strict';

const { inspect } = require('node:util');
const {
  abortSignal, boolean, callable, checked, invalid, json, options, signalOf, storage, text, texts,
  wholeNumber,
} = require('./arguments.cjs');
const { called, failure, translated } = require('./errors.cjs');
const eventLoop = require('./event-loop.cjs');
const { fetchFor } = require('./fetch.cjs');
const { login, startBrowserLogin, startDeviceLogin } = require('./login.cjs');
const native = require('./native.cjs');
const { own } = require('./own.cjs');
const { Provider } = require('./provider.cjs');
const { Storage } = require('./storage.cjs');
const { WaitingRoom, alone, cancelled } = require('./waiting.cjs');

const INTERNAL = Symbol('planetkey');
/** In place of an authorization: nothing of the session goes to this URL. */
const NOT_SERVED = Symbol('not served');
const REDACTED = '[redacted]';
const date = (seconds) =>
  seconds === null || seconds === undefined ? null : new Date(seconds * 1000);

/** What a request that carried this Authorization sent: `{ url, sent }`. */
let sentWith;

/** What one request carries. */
class Authorization {
  #accessToken;
  #sent;
  #sentUrl;
  // Declared, because assigning an undeclared property could call a setter of Object.prototype.
  headers;
  url;
  credential;
  transport;
  source;
  expiresAt;
  underDevelopment;

  constructor(key, value, url) {
    if (key !== INTERNAL) throw invalid('an Authorization comes from session.authorize()');
    this.headers = { ...value.headers };
    this.url = value.url ?? url;
    this.credential = value.credential;
    this.#accessToken = value.accessToken;
    this.#sent = value.headers.Authorization;
    this.#sentUrl = this.url;
    this.transport = value.transport;
    this.source = value.source;
    this.expiresAt = date(value.expiresAt);
    this.underDevelopment = value.underDevelopment;
  }

  get accessToken() {
    return this.#accessToken;
  }

  static {
    sentWith = (value) => {
      if (value === null || typeof value !== 'object' || !(#sent in value)) {
        throw invalid('authorization must be an Authorization');
      }
      return { url: value.#sentUrl, sent: value.#sent };
    };
  }

  /** For logs: the credential is left out. */
  toJSON() {
    const headers = Object.fromEntries(Object.keys(this.headers).map((name) => [name, REDACTED]));
    return { ...this, headers, url: native.redactUrl(this.url) };
  }

  [inspect.custom](depth, options) {
    return `Authorization ${inspect(this.toJSON(), options)}`;
  }
}

/** snake_case to camelCase, Unix seconds to Date. */
function plain(value, name = '') {
  if (Array.isArray(value)) return value.map((item) => plain(item));
  if (value !== null && typeof value === 'object') {
    const camel = (key) => key.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [camel(key), plain(item, key)]),
    );
  }
  return name.endsWith('_at') && typeof value === 'number' ? date(value) : value;
}

/** The options of a client whose tokens an application may save. */
const SAVED = { storage, profile: text };

/** The AbortSignal of a call. Throws CANCELLED if it has aborted. */
const live = (given) => notAborted(signalOf(given));

function notAborted(signal) {
  if (signal?.aborted) throw cancelled(signal);
  return signal;
}

/** The HTTP status of a response. */
function httpStatus(value) {
  if (wholeNumber(value, 'httpStatus') > 999) throw invalid('httpStatus must have three digits');
  return value;
}

/** A WWW-Authenticate header, which may be missing. */
function challenge(value) {
  return value === undefined || value === null ? undefined : text(value, 'wwwAuthenticate');
}

/**
 * For adapters of HTTP clients: null if a response is final, else the promise of the authorization
 * to repeat its request with.
 *
 * `response` is `{ url, sent, httpStatus, wwwAuthenticate, canRepeat }`: the URL and the
 * Authorization header of the request that got the response, which may have been redirected.
 */
let afterApiResponse;

class Session {
  #native;
  /** The storage or the token provider of the application. */
  #functions;
  #lookups;
  #room;
  #hasOneToken;
  // What the lookups of the addon returned, by its key. The addon is asked for the key every time.
  #token;
  #authorizations = new Map();
  #headers = new Map();
  #fetch;

  constructor(key, nativeSession, functions) {
    if (key !== INTERNAL) {
      throw invalid('a Session is made by a static method, such as Session.fromDefaults()');
    }
    this.#native = nativeSession;
    this.#functions = functions;
    this.#lookups = nativeSession.lookups();
    this.#room = new WaitingRoom(nativeSession.timeoutMs);
  }

  /** `open` gets the event loop and the options, and returns a session of the addon. */
  static #open(checked, open) {
    const functions = own(checked, 'storage');
    const ownStorage = functions && new Storage(functions);
    const all = { __proto__: null, ...checked, storage: ownStorage?.number };
    return new Session(INTERNAL, called(() => open(eventLoop, all)), ownStorage);
  }

  static fromDefaults(given) {
    const open = (loop, checked) => native.Session.fromDefaults(loop, checked);
    return Session.#open(options(given, { storage }), open);
  }

  static fromProfile(name, given) {
    text(name, 'name');
    const open = (loop, checked) => native.Session.fromProfile(loop, name, checked);
    return Session.#open(options(given, { storage }), open);
  }

  static fromApiKey(key, given) {
    text(key, 'key');
    const { transport, ...common } = options(given, { transport: text });
    const open = (loop, checked) => native.Session.fromApiKey(loop, key, transport, checked);
    return Session.#open(common, open);
  }

  static fromM2m(clientId, clientSecret, given) {
    text(clientId, 'clientId');
    text(clientSecret, 'clientSecret');
    const open = (loop, checked) => native.Session.fromM2m(loop, clientId, clientSecret, checked);
    return Session.#open(options(given, { ...SAVED, scopes: texts, audience: text }), open);
  }

  static fromClientConfig(config, given) {
    const document = json(config, 'config');
    const open = (loop, checked) => native.Session.fromClientConfig(loop, document, checked);
    return Session.#open(options(given, SAVED), open);
  }

  static fromTokenProvider(provider, given) {
    const ours = new Provider(callable(provider, 'provider'));
    const checked = options(given);
    const open = () => native.Session.fromTokenProvider(eventLoop, ours.number, checked);
    return new Session(INTERNAL, called(open), ours);
  }

  async authorize(url, given) {
    text(url, 'url');
    return this.#authorize('authorize', url, live(given));
  }

  authorizeSync(url) {
    text(url, 'url');
    return this.#authorizeSync('authorize', url);
  }

  async authorizeIfServed(url, given) {
    text(url, 'url');
    return this.#authorize('authorizeIfServed', url, live(given));
  }

  authorizeIfServedSync(url) {
    text(url, 'url');
    return this.#authorizeSync('authorizeIfServed', url);
  }

  async headers(url, given) {
    text(url, 'url');
    const signal = live(given);
    return this.#cachedHeaders(url) ?? { ...(await this.#waitForHeaders(url, signal)) };
  }

  headersSync(url) {
    text(url, 'url');
    const headers = this.#cachedHeaders(url);
    if (headers === null) throw this.#wouldWait('headers(url)');
    return headers;
  }

  /** The same function every time. It can be passed on without the session. */
  get fetch() {
    return (this.#fetch ??= (input, init) => fetchFor(this, afterApiResponse, input, init));
  }

  signedUrl(url) {
    text(url, 'url');
    return called(() => this.#native.signedUrl(url));
  }

  async accessToken(given) {
    const signal = live(given);
    return this.#cachedToken() ?? (await this.#waitForToken(signal));
  }

  accessTokenSync() {
    const token = this.#cachedToken();
    if (token === null) throw this.#wouldWait('accessToken()');
    return token;
  }

  apiKey() {
    return called(() => this.#native.apiKey());
  }

  invalidate(accessToken) {
    text(accessToken, 'accessToken');
    return called(() => this.#native.invalidate(accessToken));
  }

  async afterResponse(authorization, status, wwwAuthenticate, given) {
    const response = Session.#response(authorization, status, wwwAuthenticate);
    return this.#afterResponse(response, live(given));
  }

  afterResponseSync(authorization, status, wwwAuthenticate) {
    const response = Session.#response(authorization, status, wwwAuthenticate);
    const repeat = called(() => this.#native.afterResponse(response));
    if (repeat === true) {
      throw this.#wouldWait('afterResponse(authorization, httpStatus, wwwAuthenticate)');
    }
    return repeat === null ? null : new Authorization(INTERNAL, repeat, response.url);
  }

  async refresh(given) {
    await this.#get('refresh', live(given), (...waiting) => this.#native.refresh(...waiting));
  }

  login(given) {
    return login(this.#native, this.#alone, given);
  }

  startDeviceLogin(given) {
    return startDeviceLogin(this.#native, this.#alone, given);
  }

  startBrowserLogin(given) {
    return startBrowserLogin(this.#native, this.#alone, given);
  }

  async logout(given) {
    const { revoke = true, signal } = checked(given, { revoke: boolean, signal: abortSignal });
    const start = (...waiting) => this.#native.logout(...waiting, revoke);
    const key = revoke ? 'logout' : 'logout without revocation';
    return { ...(await this.#get(key, notAborted(signal), start)) };
  }

  async userinfo(given) {
    const start = (...waiting) => this.#native.userinfo(...waiting);
    return JSON.parse(await this.#get('userinfo', live(given), start));
  }

  async idTokenClaims(given) {
    const start = (...waiting) => this.#native.idTokenClaims(...waiting);
    return JSON.parse(await this.#get('ID token', live(given), start));
  }

  async introspect(token, given) {
    const other = token === undefined || token === null ? undefined : text(token, 'token');
    const key = other === undefined ? 'introspection' : `introspection of ${other}`;
    const start = (...waiting) => this.#native.introspect(...waiting, other);
    return JSON.parse(await this.#get(key, live(given), start));
  }

  status() {
    return plain(JSON.parse(called(() => this.#native.status())));
  }

  isInitialized() {
    return called(() => this.#native.isInitialized());
  }

  withTimeoutMs(timeoutMs) {
    wholeNumber(timeoutMs, 'timeoutMs');
    const nativeSession = called(() => this.#native.withTimeoutMs(timeoutMs));
    return new Session(INTERNAL, nativeSession, this.#functions);
  }

  /** A response to a request that carried this authorization, as the addon takes it. */
  static #response(authorization, status, wwwAuthenticate) {
    return {
      __proto__: null,
      ...sentWith(authorization),
      httpStatus: httpStatus(status),
      wwwAuthenticate: challenge(wwwAuthenticate),
      canRepeat: true,
    };
  }

  /** The promise of what to repeat the request with; null if the response is final. */
  #afterResponse(response, signal) {
    const repeat = called(() => this.#native.afterResponse(response));
    if (repeat === null) return null;
    if (repeat === true) return this.#authorize('authorizeIfServed', response.url, signal);
    return Promise.resolve(new Authorization(INTERNAL, repeat, response.url));
  }

  /** `method` is authorize or authorizeIfServed. */
  async #authorize(method, url, signal) {
    const value = this.#cached(method, url) ?? (await this.#wait(method, url, signal));
    return value === NOT_SERVED ? null : new Authorization(INTERNAL, value, url);
  }

  #authorizeSync(method, url) {
    const value = this.#cached(method, url);
    if (value === null) throw this.#wouldWait(`${method}(url)`);
    return value === NOT_SERVED ? null : new Authorization(INTERNAL, value, url);
  }

  /** The access token; null if the caller has to wait for one. */
  #cachedToken() {
    let found;
    try {
      found = this.#lookups.accessToken();
    } catch (error) {
      throw translated(error);
    }
    if (found === null) return null;
    if (typeof found !== 'number') this.#token = found.token;
    return this.#token;
  }

  #wouldWait(method) {
    // With functions of the application, a refresh would need this very thread.
    const code = this.#functions === undefined ? 'UNAVAILABLE' : 'UNSUPPORTED';
    const why = this.#functions === undefined ? '' : `, and ${this.#functions.whyNot}`;
    return failure(code, `no valid access token is cached${why}; await session.${method} instead`);
  }

  /** Whether the session has at most one source with a token, so that all callers wait for it. */
  #waitsForOneToken() {
    this.#hasOneToken ??=
      this.status().sources.filter((source) => source.kind === 'access_token').length < 2;
    return this.#hasOneToken;
  }

  /** As WaitingRoom.get. */
  async #get(key, signal, start, cached) {
    if (this.#functions === undefined) return this.#room.get(key, signal, start, cached);
    this.#functions.refuseToWaitWithin();
    try {
      return await this.#room.get(key, signal, start, cached);
    } catch (error) {
      throw this.#functions.explained(error);
    }
  }

  /** As `alone`. Logins call it without the session. */
  #alone = async (signal, start) => {
    this.#functions?.refuseToWaitWithin();
    try {
      return await alone(signal, start);
    } catch (error) {
      throw this.#functions?.explained(error) ?? error;
    }
  };

  #waitForToken(signal) {
    return this.#get(
      this.#waitsForOneToken() ? '' : 'access token',
      signal,
      async (...waiting) => (await this.#native.accessToken(...waiting)).token,
      () => this.#cachedToken(),
    );
  }

  /** New headers for this URL; null if the caller has to wait. */
  #cachedHeaders(url) {
    let found;
    try {
      found = this.#lookups.headers(url);
    } catch (error) {
      throw translated(error);
    }
    if (found === null) return null;
    if (typeof found === 'number') return { Authorization: this.#headers.get(found) };
    if (found.isFirst) this.#headers.clear();
    this.#headers.set(found.key, found.value);
    return { Authorization: found.value };
  }

  /**
   * What `method` (authorize or authorizeIfServed) returns for this URL: an object or NOT_SERVED;
   * null if the caller has to wait.
   */
  #cached(method, url) {
    let found;
    try {
      found = this.#lookups[method](url);
    } catch (error) {
      throw translated(error);
    }
    if (found === null) return null;
    // Only NOT_SERVED has a key that is not kept.
    if (typeof found === 'number') return this.#authorizations.get(found) ?? NOT_SERVED;
    if (found.isFirst) this.#authorizations.clear();
    if (found.key >= 0) this.#authorizations.set(found.key, { ...found, url: null });
    return found;
  }

  /** The same after waiting for a token. */
  #wait(method, url, signal) {
    return this.#get(
      this.#waitsForOneToken() ? '' : `${method} ${url.split('/', 3).join('/')}`,
      signal,
      async (...waiting) => (await this.#native[method](...waiting, url)) ?? NOT_SERVED,
      () => this.#cached(method, url),
    );
  }

  #waitForHeaders(url, signal) {
    return this.#get(
      this.#waitsForOneToken() ? '' : `headers ${url.split('/', 3).join('/')}`,
      signal,
      async (...waiting) => (await this.#native.headers(...waiting, url)).headers,
      () => this.#cachedHeaders(url),
    );
  }

  static {
    afterApiResponse = (session, response, signal) =>
      session.#afterResponse({ __proto__: null, ...response }, notAborted(signal ?? undefined));
  }
}

/** The session of an adapter. */
function asSession(value) {
  if (!(value instanceof Session)) throw invalid('session must be a Session');
  return value;
}

module.exports = { Authorization, Session, afterApiResponse, asSession };
