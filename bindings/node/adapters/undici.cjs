'use strict';

const { stringify } = require('node:querystring');
const { failure } = require('../lib/errors.cjs');
const { member, own } = require('../lib/own.cjs');
const { authorized, headerValue, isReplayable, orReason } = require('../lib/requests.cjs');
const { afterApiResponse, asSession } = require('../lib/session.cjs');

/** Where a request goes; null for the other forms of a target, which are for proxies. */
function urlOf(options) {
  const [origin, path, query] = ['origin', 'path', 'query'].map((name) => member(options, name));
  if (origin === undefined || origin === null) {
    throw failure(
      'INVALID_ARGUMENT',
      'the request has no origin; compose the interceptor with an Agent, not with a Client or Pool',
    );
  }
  if (typeof path !== 'string' || !path.startsWith('/')) return null;
  const parameters = query ? stringify(query) : '';
  return `${new URL(origin).origin}${path}${parameters && `?${parameters}`}`;
}

/** Headers in any form that undici takes, as pairs. */
function pairsOf(headers) {
  if (headers === null || headers === undefined) return [];
  if (typeof member(headers, Symbol.iterator) !== 'function') return Object.entries(headers);
  const items = [...headers];
  if (!Array.isArray(headers) || Array.isArray(items[0])) return items;
  return items.flatMap((name, index) => (index % 2 === 0 ? [[String(name), items[index + 1]]] : []));
}

/** The longest body that is read into memory, so that it can be sent again. */
const MAX_READ_BYTES = 16 * 1024 * 1024;

/**
 * The request with a body that can be sent again. fetch passes every body as a generator, also one
 * that was a string. Its length is known then. A body of unknown length is a stream and stays one.
 */
async function withReadBody(options) {
  const body = member(options, 'body');
  const isGenerator =
    !isReplayable(body) && typeof body[Symbol.asyncIterator] === 'function' && typeof body.pipe !== 'function';
  if (!isGenerator) return options;
  const isLength = ([name]) => name.toLowerCase() === 'content-length';
  const length = pairsOf(options.headers).find(isLength)?.[1];
  if (length === undefined || !(Number(length) <= MAX_READ_BYTES)) return options;
  const chunks = [];
  for await (const chunk of body) chunks[chunks.length] = Buffer.from(chunk);
  return { ...options, body: Buffer.concat(chunks) };
}

/** The request with the session's credential instead of its own. */
function withAuthorization(options, url, authorization) {
  if (authorization === null) return options;
  const added = Object.entries(authorization.headers);
  const isOther = ([name]) => name.toLowerCase() !== 'authorization';
  const kept = pairsOf(options.headers).filter(isOther);
  const headers = [...kept, ...added].flatMap(([name, value]) =>
    Array.isArray(value) ? value.flatMap((item) => [name, item]) : [name, value]);
  if (authorization.url === url) return { ...options, headers };
  const { pathname, search } = new URL(authorization.url);
  return { ...options, headers, path: `${pathname}${search}`, query: undefined };
}

/** One request. It passes the events of its response on to the handler of the caller. */
class Exchange {
  #session;
  #dispatch;
  #options;
  #handler;
  #url;
  #authorization;
  #history;
  /** For the request that repeats another one: the promise of its authorization. */
  #repeat;
  /** The response is not for the caller, because the request is repeated or has failed. */
  #isDiscarded = false;

  constructor(session, dispatch, options, handler, repeat = null) {
    this.#session = session;
    this.#dispatch = dispatch;
    this.#options = options;
    this.#handler = handler;
    this.#repeat = repeat;
  }

  get #signal() {
    const signal = member(this.#options, 'signal');
    return signal instanceof AbortSignal ? signal : undefined;
  }

  async send() {
    try {
      this.#url = urlOf(this.#options);
      this.#authorization = await (this.#repeat ?? this.#authorized());
      if (this.#authorization?.accessToken) this.#options = await withReadBody(this.#options);
      this.#dispatch(withAuthorization(this.#options, this.#url, this.#authorization), this);
    } catch (error) {
      this.#handler.onResponseError(null, error);
    }
  }

  async #authorized() {
    return this.#url === null ? null : authorized(this.#session, this.#url, this.#signal);
  }

  onRequestStart(controller, context) {
    this.#history = own(context, 'history');
    this.#handler.onRequestStart?.(controller, context);
  }

  onResponseStart(controller, status, headers, message) {
    if (this.#isDiscarded) return;
    let repeat = null;
    try {
      if (status >= 200 && this.#repeat === null && this.#authorization !== null) {
        repeat = this.#afterResponse(status, headers);
      }
    } catch (error) {
      this.#isDiscarded = true;
      controller.abort(error);
      return void this.#handler.onResponseError(controller, error);
    }
    if (repeat === null) {
      return void this.#handler.onResponseStart?.(controller, status, headers, message);
    }
    this.#isDiscarded = true;
    // The body may never end. Without an abort it would occupy its connection, perhaps the only
    // one.
    controller.abort(new Error('the request is repeated with a new access token'));
    const options = this.#options;
    void new Exchange(this.#session, this.#dispatch, options, this.#handler, repeat).send();
  }

  /** The promise of the authorization to repeat the request with; null if the response is final. */
  #afterResponse(status, headers) {
    // An interceptor below this one may have followed redirects.
    const last = this.#history?.at(-1);
    const isSameOrigin = last === undefined || last.origin === new URL(this.#url).origin;
    const repeat = afterApiResponse(this.#session, {
      url: isSameOrigin ? this.#authorization.url : last.href,
      sent: isSameOrigin ? this.#authorization.headers.Authorization : undefined,
      httpStatus: status,
      wwwAuthenticate: headerValue(own(headers, 'www-authenticate')),
      canRepeat: isSameOrigin && isReplayable(this.#options.body),
    }, this.#signal);
    return repeat && orReason(this.#signal, repeat);
  }

  onResponseData(controller, chunk) {
    if (!this.#isDiscarded) this.#handler.onResponseData?.(controller, chunk);
  }

  onResponseEnd(controller, trailers) {
    if (!this.#isDiscarded) this.#handler.onResponseEnd?.(controller, trailers);
  }

  onResponseError(controller, error) {
    if (!this.#isDiscarded) this.#handler.onResponseError(controller, error);
  }

  onRequestUpgrade(...told) {
    this.#handler.onRequestUpgrade?.(...told);
  }

  onResponseStarted() {
    return this.#handler.onResponseStarted?.();
  }

  onBodySent(chunk) {
    return this.#handler.onBodySent?.(chunk);
  }

  onRequestSent() {
    return this.#handler.onRequestSent?.();
  }
}

function authInterceptor(session) {
  asSession(session);
  return (dispatch) => (options, handler) => {
    if (typeof handler.onConnect === 'function' && typeof handler.onRequestStart !== 'function') {
      throw failure(
        'UNSUPPORTED',
        'the request comes from undici 6 or before, or from a fetch of another version than the ' +
          'dispatcher; use the fetch of undici 7 or later, or its setGlobalDispatcher',
      );
    }
    // A request for a proxy's tunnel is not a request to the host behind it.
    if (member(options, 'method') === 'CONNECT') return dispatch(options, handler);
    void new Exchange(session, dispatch, options, handler).send();
    return true;
  };
}

module.exports = { authInterceptor };
