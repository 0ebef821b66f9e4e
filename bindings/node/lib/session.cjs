'use strict';

const { inspect } = require('node:util');
const {
  abortSignal, boolean, checked, invalid, json, options, signalOf, storage, text, texts, wholeNumber,
} = require('./arguments.cjs');
const { called, failure, translated } = require('./errors.cjs');
const eventLoop = require('./event-loop.cjs');
const { fetchFor } = require('./fetch.cjs');
const { login, startBrowserLogin, startDeviceLogin } = require('./login.cjs');
const native = require('./native.cjs');
const { own } = require('./own.cjs');
const { Storage } = require('./storage.cjs');
const { WaitingRoom, alone, cancelled } = require('./waiting.cjs');

const INTERNAL = Symbol('planetkey');
/** More than a session has sources; what is too many is of generations that are gone. */
const MAX_KEPT = 16;
const REDACTED = '[redacted]';
const date = (seconds) => (seconds === null || seconds === undefined ? null : new Date(seconds * 1000));

/** What one request carries. */
class Authorization {
  #accessToken;
  // Declared, because assigning to what is not there could call a setter of Object.prototype.
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
    this.transport = value.transport;
    this.source = value.source;
    this.expiresAt = date(value.expiresAt);
    this.underDevelopment = value.underDevelopment;
  }

  get accessToken() {
    return this.#accessToken;
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
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()), plain(item, key)]),
    );
  }
  return name.endsWith('_at') && typeof value === 'number' ? date(value) : value;
}

/** The options of a client whose tokens an application may keep. */
const KEPT = { storage, profile: text };

/** The AbortSignal of a call, which has not aborted. */
function live(given) {
  const signal = signalOf(given);
  if (signal?.aborted) throw cancelled(signal);
  return signal;
}

class Session {
  #native;
  #storage;
  #keys;
  #room;
  #together;
  // What was made for a key that the addon gave. The addon is asked for the key every time.
  #tokenKey;
  #token;
  #kept = new Map();
  #fetch;

  constructor(key, nativeSession, ownStorage) {
    if (key !== INTERNAL) throw invalid('a Session is made by one of its static methods, such as Session.fromDefaults()');
    this.#native = nativeSession;
    this.#storage = ownStorage;
    this.#keys = nativeSession.cachedKeys();
    this.#room = new WaitingRoom(nativeSession.timeoutMs);
  }

  /** `open` gets what every constructor of the addon begins with, and the options. */
  static #open(checked, open) {
    const functions = own(checked, 'storage');
    const ownStorage = functions && new Storage(functions);
    const nativeSession = called(() => open(eventLoop, { __proto__: null, ...checked, storage: ownStorage?.number }));
    return new Session(INTERNAL, nativeSession, ownStorage);
  }

  static fromDefaults(given) {
    return Session.#open(options(given), (loop, checked) => native.Session.fromDefaults(loop, checked));
  }

  static fromProfile(name, given) {
    text(name, 'name');
    return Session.#open(options(given, { storage }), (loop, checked) => native.Session.fromProfile(loop, name, checked));
  }

  static fromApiKey(key, given) {
    text(key, 'key');
    const { transport, ...common } = options(given, { transport: text });
    return Session.#open(common, (loop, checked) => native.Session.fromApiKey(loop, key, transport, checked));
  }

  static fromM2m(clientId, clientSecret, given) {
    text(clientId, 'clientId');
    text(clientSecret, 'clientSecret');
    return Session.#open(
      options(given, { ...KEPT, scopes: texts, audience: text }),
      (loop, checked) => native.Session.fromM2m(loop, clientId, clientSecret, checked),
    );
  }

  static fromClientConfig(config, given) {
    const document = json(config, 'config');
    return Session.#open(options(given, KEPT), (loop, checked) => native.Session.fromClientConfig(loop, document, checked));
  }

  async authorize(url, given) {
    text(url, 'url');
    const signal = live(given);
    return new Authorization(INTERNAL, this.#cached('authorize', url) ?? (await this.#wait('authorize', url, signal)), url);
  }

  authorizeSync(url) {
    text(url, 'url');
    const value = this.#cached('authorize', url);
    if (value === null) throw this.#wouldWait('authorize(url)');
    return new Authorization(INTERNAL, value, url);
  }

  async headers(url, given) {
    text(url, 'url');
    const signal = live(given);
    return { ...(this.#cached('headers', url) ?? (await this.#wait('headers', url, signal))).headers };
  }

  headersSync(url) {
    text(url, 'url');
    const value = this.#cached('headers', url);
    if (value === null) throw this.#wouldWait('headers(url)');
    return { ...value.headers };
  }

  /** One function for each session, which may be handed on without it. */
  get fetch() {
    return (this.#fetch ??= (input, init) => fetchFor(this, input, init));
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

  shouldRetry(accessToken, httpStatus, wwwAuthenticate) {
    text(accessToken, 'accessToken');
    if (wholeNumber(httpStatus, 'httpStatus') > 999) throw invalid('httpStatus has three digits');
    const challenge = wwwAuthenticate === undefined || wwwAuthenticate === null ? undefined : text(wwwAuthenticate, 'wwwAuthenticate');
    return called(() => this.#native.shouldRetry(accessToken, httpStatus, challenge));
  }

  async refresh(given) {
    await this.#get('refresh', live(given), (cancellation, waitedMs) => this.#native.refresh(cancellation, waitedMs));
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
    const { revoke = true } = checked(given, { revoke: boolean, signal: abortSignal });
    const start = (cancellation, waitedMs) => this.#native.logout(cancellation, waitedMs, revoke);
    return { ...(await this.#get(revoke ? 'logout' : 'logout without revocation', live(given), start)) };
  }

  async userinfo(given) {
    return JSON.parse(await this.#get('userinfo', live(given), (...waiting) => this.#native.userinfo(...waiting)));
  }

  async idTokenClaims(given) {
    return JSON.parse(await this.#get('ID token', live(given), (...waiting) => this.#native.idTokenClaims(...waiting)));
  }

  async introspect(token, given) {
    const asked = token === undefined || token === null ? undefined : text(token, 'token');
    const key = asked === undefined ? 'introspection' : `introspection of ${asked}`;
    return JSON.parse(await this.#get(key, live(given), (...waiting) => this.#native.introspect(...waiting, asked)));
  }

  status() {
    return plain(JSON.parse(called(() => this.#native.status())));
  }

  isInitialized() {
    return called(() => this.#native.isInitialized());
  }

  withTimeoutMs(timeoutMs) {
    wholeNumber(timeoutMs, 'timeoutMs');
    return new Session(INTERNAL, called(() => this.#native.withTimeoutMs(timeoutMs)), this.#storage);
  }

  #cachedToken() {
    let key;
    try {
      key = this.#keys.accessToken();
    } catch (error) {
      throw translated(error);
    }
    if (key === this.#tokenKey) return this.#token;
    const value = called(() => this.#native.accessTokenCached());
    if (value === null) return null;
    this.#tokenKey = value.generation;
    this.#token = value.token;
    return value.token;
  }

  #wouldWait(method) {
    // Here the renewal would need the very thread that waits for it.
    const code = this.#storage === undefined ? 'UNAVAILABLE' : 'UNSUPPORTED';
    const why = this.#storage === undefined ? '' : ', and a session with a storage of its own is not read without waiting';
    return failure(code, `no valid access token is cached${why}: await session.${method} instead`);
  }

  /** With one source that renews, whoever waits waits for that. */
  #waitsTogether() {
    this.#together ??= this.status().sources.filter((source) => source.kind === 'access_token').length < 2;
    return this.#together;
  }

  /** As WaitingRoom.get. */
  async #get(key, signal, start, cached) {
    if (this.#storage === undefined) return this.#room.get(key, signal, start, cached);
    this.#storage.refuseToWaitWithin();
    try {
      return await this.#room.get(key, signal, start, cached);
    } catch (error) {
      throw this.#storage.explained(error);
    }
  }

  /** As `alone`; a function by itself, for logins that are under way. */
  #alone = async (signal, start) => {
    this.#storage?.refuseToWaitWithin();
    try {
      return await alone(signal, start);
    } catch (error) {
      throw this.#storage?.explained(error) ?? error;
    }
  };

  #waitForToken(signal) {
    return this.#get(
      this.#waitsTogether() ? '' : 'access token',
      signal,
      async (cancellation, waitedMs) => (await this.#native.accessToken(cancellation, waitedMs)).token,
      () => this.#cachedToken(),
    );
  }

  /** What `method`, authorize or headers, gives for this URL without waiting; null where it would wait. */
  #cached(method, url) {
    let key;
    try {
      key = this.#keys[method](url);
    } catch (error) {
      throw translated(error);
    }
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    const value = called(() => this.#native[`${method}Cached`](url));
    if (value !== null && value.url === url) {
      if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
      this.#kept.set(value.key, { ...value, url: null });
    }
    return value;
  }

  #wait(method, url, signal) {
    return this.#get(
      this.#waitsTogether() ? '' : `${method} ${url.split('/', 3).join('/')}`,
      signal,
      (cancellation, waitedMs) => this.#native[method](cancellation, waitedMs, url),
      () => this.#cached(method, url),
    );
  }
}

/** The session of an adapter. */
function asSession(value) {
  if (!(value instanceof Session)) throw invalid('session must be a Session');
  return value;
}

module.exports = { Authorization, Session, asSession };
