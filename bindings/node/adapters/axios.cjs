'use strict';

const { stripApiKey } = require('../lib/functions.cjs');
const { own } = require('../lib/own.cjs');
const { asksToRepeat, authorizedIfServed, isReplayable } = require('../lib/requests.cjs');
const { asSession } = require('../lib/session.cjs');

/** What stands in a request's config for the one that repeats it. */
const REPETITION = Symbol('repetition');
/** Of the config: what is changed below, and what axios changes itself. */
const CHANGED = ['auth', 'baseURL', 'beforeRedirect', 'data', 'params', 'transformRequest', 'url'];

/** Where a request goes; null for what is no URL, which axios will say itself. */
function urlOf(instance, config) {
  let url;
  try {
    url = instance.getUri(config);
  } catch {
    // As parameters that it cannot write.
    return null;
  }
  return URL.canParse(url) ? new URL(url).href : null;
}

function withoutAuthorization(headers) {
  for (const name of Object.keys(headers)) if (name.toLowerCase() === 'authorization') delete headers[name];
}

/** Gives what follow-redirects is about to send another URL on the same host. A path that is a whole URL is for a proxy. */
function leadTo(options, href) {
  const { pathname, search } = new URL(href);
  const path = options.path.startsWith('/') ? `${pathname}${search}` : href;
  Object.assign(options, { href, pathname, search, path });
}

/** What a request carries, between its config and its answer. */
class Carried {
  #session;
  #authorization;
  #keyInUrl;
  #before;
  #isRepetition;

  constructor(session, authorization, config) {
    this.#session = session;
    this.#authorization = authorization;
    this.#keyInUrl = authorization?.transport === 'query';
    this.#isRepetition = own(config, 'planetkey') === REPETITION;
    this.#before = { ...Object.fromEntries(CHANGED.map((name) => [name, own(config, name)])), headers: config.headers.concat() };
  }

  /** A redirect leads the request to another URL. */
  follow(options) {
    withoutAuthorization(options.headers);
    this.#authorization = null;
    try {
      this.#authorization = this.#session.authorizeSync(options.href);
    } catch {
      // Nothing for this host, or nothing without waiting, which cannot be done here: the server says that something is missing.
    }
    Object.assign(options.headers, this.#authorization?.headers);
    // No server is to send a key in a URL on to another one.
    const href = this.#authorization?.url ?? (this.#keyInUrl ? stripApiKey(options.href) : options.href);
    this.#keyInUrl ||= this.#authorization?.transport === 'query';
    if (href !== options.href) leadTo(options, href);
  }

  /** The config of the request that repeats the one with this answer; null for an answer that stands. */
  repetition({ status, headers, config }) {
    if (this.#isRepetition || !asksToRepeat(this.#session, this.#authorization, status, headers.get('www-authenticate'))) return null;
    return isReplayable(config.data) ? { ...config, ...this.#before, planetkey: REPETITION } : null;
  }
}

function installAxios(instance, session) {
  asSession(session);

  const request = instance.interceptors.request.use(async (config) => {
    const url = urlOf(instance, config);
    const given = own(config, 'signal');
    const signal = given instanceof AbortSignal ? given : undefined;
    // That it was aborted is for axios to say, in its own words.
    if (url === null || signal?.aborted) return config;
    let authorization;
    try {
      authorization = await authorizedIfServed(session, url, signal);
    } catch (error) {
      if (signal?.aborted) return config;
      throw error;
    }
    const carried = new Carried(session, authorization, config);
    config.planetkey = carried;
    if (authorization === null) return config;

    config.headers.delete('Authorization');
    config.headers.set(authorization.headers);
    config.auth = undefined;
    config.redact = [...(own(config, 'redact') ?? []), 'authorization'];
    if (authorization.url !== url) Object.assign(config, { url: authorization.url, baseURL: undefined, params: undefined });
    // Interceptors that come after this one may send the request elsewhere; the data is transformed after all of them.
    const { origin } = new URL(authorization.url);
    config.transformRequest = [own(config, 'transformRequest') ?? []].flat().concat(function lookAgain(data, headers) {
      if (!urlOf(instance, this)?.startsWith(`${origin}/`)) headers.delete('Authorization');
      return data;
    });
    const beforeRedirect = own(config, 'beforeRedirect');
    config.beforeRedirect = (options, ...details) => {
      beforeRedirect?.(options, ...details);
      carried.follow(options);
    };
    return config;
  });

  const repeated = (response) => {
    const config = own(response?.config, 'planetkey') instanceof Carried ? response.config.planetkey.repetition(response) : null;
    if (config === null) return null;
    if (typeof response.data?.destroy === 'function') response.data.destroy();
    return instance.request(config);
  };
  const response = instance.interceptors.response.use(
    // What validateStatus lets through.
    (answer) => repeated(answer) ?? answer,
    (error) => repeated(error?.response) ?? Promise.reject(error),
  );

  return () => {
    instance.interceptors.request.eject(request);
    instance.interceptors.response.eject(response);
  };
}

module.exports = { installAxios };
