'use strict';

const { stripApiKey } = require('../lib/functions.cjs');
const { own } = require('../lib/own.cjs');
const { authorized, headerValue, isReplayable, isRequested } = require('../lib/requests.cjs');
const { afterApiResponse, asSession } = require('../lib/session.cjs');

/** The member `planetkey` of the config of a repeated request. */
const REPETITION = Symbol('repetition');
/** The members of the config that are changed below, or by axios itself. */
const CHANGED = [
  'auth', 'baseURL', 'beforeRedirect', 'data', 'params', 'transformRequest', 'url',
];
/** The codes of a session that has no token now. */
const NO_TOKEN = ['UNAVAILABLE', 'UNSUPPORTED'];

/** Where a request goes; null if that is no URL, which axios itself reports. */
function urlOf(instance, config) {
  let url;
  try {
    url = instance.getUri(config);
  } catch {
    // For example for parameters that axios cannot write.
    return null;
  }
  return URL.canParse(url) ? new URL(url).href : null;
}

function signalOf(config) {
  const given = own(config, 'signal');
  return given instanceof AbortSignal ? given : undefined;
}

function deleteAuthorization(headers) {
  for (const name of Object.keys(headers)) {
    if (name.toLowerCase() === 'authorization') delete headers[name];
  }
}

/** Makes follow-redirects send another URL of the same host. A proxy gets a whole URL as path. */
function setUrl(options, href) {
  const { pathname, search } = new URL(href);
  const path = options.path.startsWith('/') ? `${pathname}${search}` : href;
  Object.assign(options, { href, pathname, search, path });
}

/** A request between its config and its response. */
class Exchange {
  #session;
  /** The URL and the Authorization header that were sent last. */
  #url;
  #sent;
  #hasKeyInUrl;
  #before;
  #isRepetition;

  constructor(session, url, authorization, config) {
    this.#session = session;
    this.#url = authorization?.url ?? url;
    this.#sent = authorization?.headers.Authorization;
    this.#hasKeyInUrl = authorization?.transport === 'query';
    this.#isRepetition = own(config, 'planetkey') === REPETITION;
    const members = CHANGED.map((name) => [name, own(config, name)]);
    this.#before = { ...Object.fromEntries(members), headers: config.headers.concat() };
  }

  /** A redirect leads the request to another URL. */
  follow(options) {
    deleteAuthorization(options.headers);
    const authorization = this.#cached(options.href);
    Object.assign(options.headers, authorization?.headers);
    // A server must not send a key in a URL on to another server.
    const stripped = this.#hasKeyInUrl ? stripApiKey(options.href) : options.href;
    const href = authorization?.url ?? stripped;
    this.#url = href;
    this.#sent = authorization?.headers.Authorization;
    this.#hasKeyInUrl ||= authorization?.transport === 'query';
    if (href !== options.href) setUrl(options, href);
  }

  /** What a redirected request carries. A redirect cannot wait for a token. */
  #cached(url) {
    if (!isRequested(url)) return null;
    try {
      return this.#session.authorizeIfServedSync(url);
    } catch (error) {
      // The response is a 401 then, and the whole request is repeated.
      if (NO_TOKEN.includes(error.code)) return null;
      throw error;
    }
  }

  /** The config of the request that repeats this one; null if the response is final. */
  async repetition({ status, headers, config }) {
    if (this.#isRepetition || !isRequested(this.#url)) return null;
    const again = { ...config, ...this.#before, planetkey: REPETITION };
    const signal = signalOf(config);
    const response = {
      url: this.#url,
      sent: this.#sent,
      httpStatus: status,
      wwwAuthenticate: headerValue(headers.get('www-authenticate')),
      canRepeat: isReplayable(config.data),
    };
    try {
      return (await afterApiResponse(this.#session, response, signal)) === null ? null : again;
    } catch (error) {
      // axios itself reports the abort when it gets the request again.
      if (signal?.aborted) return again;
      throw error;
    }
  }
}

function installAxios(instance, session) {
  asSession(session);

  const request = instance.interceptors.request.use(async (config) => {
    const url = urlOf(instance, config);
    const signal = signalOf(config);
    // axios itself reports the abort.
    if (url === null || signal?.aborted) return config;
    let authorization;
    try {
      authorization = await authorized(session, url, signal);
    } catch (error) {
      if (signal?.aborted) return config;
      throw error;
    }
    const exchange = new Exchange(session, url, authorization, config);
    config.planetkey = exchange;
    if (authorization === null) return config;

    config.headers.delete('Authorization');
    config.headers.set(authorization.headers);
    config.auth = undefined;
    config.redact = [...(own(config, 'redact') ?? []), 'authorization'];
    if (authorization.url !== url) {
      Object.assign(config, { url: authorization.url, baseURL: undefined, params: undefined });
    }
    // Later interceptors may send the request to another URL. The data is transformed after them.
    const { origin } = new URL(authorization.url);
    const given = [own(config, 'transformRequest') ?? []].flat();
    config.transformRequest = given.concat(function checkOrigin(data, headers) {
      if (!urlOf(instance, this)?.startsWith(`${origin}/`)) headers.delete('Authorization');
      return data;
    });
    const beforeRedirect = own(config, 'beforeRedirect');
    config.beforeRedirect = (options, ...details) => {
      beforeRedirect?.(options, ...details);
      exchange.follow(options);
    };
    return config;
  });

  /** The response to the repeated request; null if this one is final. */
  const repeated = async (response) => {
    const exchange = own(response?.config, 'planetkey');
    const config = exchange instanceof Exchange ? await exchange.repetition(response) : null;
    if (config === null) return null;
    if (typeof response.data?.destroy === 'function') response.data.destroy();
    return instance.request(config);
  };
  const response = instance.interceptors.response.use(
    // A status that validateStatus accepts.
    async (accepted) => (await repeated(accepted)) ?? accepted,
    async (error) => {
      const response = await repeated(error?.response);
      if (response === null) throw error;
      return response;
    },
  );

  return () => {
    instance.interceptors.request.eject(request);
    instance.interceptors.response.eject(response);
  };
}

module.exports = { installAxios };
