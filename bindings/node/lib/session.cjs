'use strict';

const { inspect } = require('node:util');
const { invalid, json, options, signalOf, text, texts, wholeNumber } = require('./arguments.cjs');
const { called, failure, translated } = require('./errors.cjs');
const native = require('./native.cjs');
const { WaitingRoom, cancelled } = require('./waiting.cjs');

const INTERNAL = Symbol('planetkey');
/** More than a session has sources; what is too many is of generations that are gone. */
const MAX_KEPT = 16;
const REDACTED = '[redacted]';
const date = (seconds) => (seconds === null || seconds === undefined ? null : new Date(seconds * 1000));

/** What one request carries. */
class Authorization {
  constructor(key, value, url) {
    if (key !== INTERNAL) throw invalid('an Authorization comes from session.authorize()');
    this.headers = { ...value.headers };
    this.url = value.url ?? url;
    this.credential = value.credential;
    this.transport = value.transport;
    this.source = value.source;
    this.expiresAt = date(value.expiresAt);
    this.underDevelopment = value.underDevelopment;
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

const wouldWait = (method) => failure('UNAVAILABLE', `no valid access token is cached: await session.${method} instead`);

/** The AbortSignal of a call, which has not aborted. */
function live(given) {
  const signal = signalOf(given);
  if (signal?.aborted) throw cancelled(signal);
  return signal;
}

class Session {
  #native;
  #keys;
  #room;
  #together;
  // What was made for a key that the addon gave. The addon is asked for the key every time.
  #tokenKey;
  #token;
  #kept = new Map();

  constructor(key, nativeSession) {
    if (key !== INTERNAL) throw invalid('a Session is made by one of its static methods, such as Session.fromDefaults()');
    this.#native = nativeSession;
    this.#keys = nativeSession.cachedKeys();
    this.#room = new WaitingRoom(nativeSession.timeoutMs);
    // With one source that renews, whoever waits waits for that.
    this.#together = this.status().sources.filter((source) => source.kind === 'access_token').length < 2;
  }

  static #open(open) {
    return new Session(INTERNAL, called(open));
  }

  static fromDefaults(given) {
    const checked = options(given);
    return Session.#open(() => native.Session.fromDefaults(checked));
  }

  static fromProfile(name, given) {
    text(name, 'name');
    const checked = options(given);
    return Session.#open(() => native.Session.fromProfile(name, checked));
  }

  static fromApiKey(key, given) {
    text(key, 'key');
    const { transport, ...checked } = options(given, { transport: text });
    return Session.#open(() => native.Session.fromApiKey(key, transport, checked));
  }

  static fromM2m(clientId, clientSecret, given) {
    text(clientId, 'clientId');
    text(clientSecret, 'clientSecret');
    const checked = options(given, { scopes: texts, audience: text });
    return Session.#open(() => native.Session.fromM2m(clientId, clientSecret, checked));
  }

  static fromClientConfig(config, given) {
    const document = json(config, 'config');
    const checked = options(given);
    return Session.#open(() => native.Session.fromClientConfig(document, checked));
  }

  async authorize(url, given) {
    text(url, 'url');
    const signal = live(given);
    return new Authorization(INTERNAL, this.#cached('authorize', url) ?? (await this.#wait('authorize', url, signal)), url);
  }

  authorizeSync(url) {
    text(url, 'url');
    const value = this.#cached('authorize', url);
    if (value === null) throw wouldWait('authorize(url)');
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
    if (value === null) throw wouldWait('headers(url)');
    return { ...value.headers };
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
    if (token === null) throw wouldWait('accessToken()');
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
    await this.#room.get(
      'refresh',
      live(given),
      (cancellation, waitedMs) => this.#native.refresh(cancellation, waitedMs),
    );
  }

  status() {
    return plain(JSON.parse(called(() => this.#native.status())));
  }

  isInitialized() {
    return called(() => this.#native.isInitialized());
  }

  withTimeoutMs(timeoutMs) {
    wholeNumber(timeoutMs, 'timeoutMs');
    return Session.#open(() => this.#native.withTimeoutMs(timeoutMs));
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

  #waitForToken(signal) {
    return this.#room.get(
      this.#together ? '' : 'access token',
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
    return this.#room.get(
      this.#together ? '' : `${method} ${url.split('/', 3).join('/')}`,
      signal,
      (cancellation, waitedMs) => this.#native[method](cancellation, waitedMs, url),
      () => this.#cached(method, url),
    );
  }
}

module.exports = { Authorization, Session };
