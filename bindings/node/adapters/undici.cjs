'use strict';

const { stringify } = require('node:querystring');
const { failure } = require('../lib/errors.cjs');
const { member, own } = require('../lib/own.cjs');
const { asksToRepeat, authorizedIfServed, isReplayable } = require('../lib/requests.cjs');
const { asSession } = require('../lib/session.cjs');

/** Where a request goes; null for the other forms of a target, which belong to proxies. */
function urlOf(options) {
  const [origin, path, query] = ['origin', 'path', 'query'].map((name) => member(options, name));
  if (origin === undefined || origin === null) {
    throw failure('INVALID_ARGUMENT', 'this request does not say where it goes: compose the interceptor with an Agent, not with a Client or Pool');
  }
  if (typeof path !== 'string' || !path.startsWith('/')) return null;
  const parameters = query ? stringify(query) : '';
  return `${new URL(origin).origin}${path}${parameters && `?${parameters}`}`;
}

/** Headers, in any of the forms that undici takes, as pairs. */
function pairsOf(headers) {
  if (headers === null || headers === undefined) return [];
  if (typeof member(headers, Symbol.iterator) !== 'function') return Object.entries(headers);
  const items = [...headers];
  if (!Array.isArray(headers) || Array.isArray(items[0])) return items;
  return items.flatMap((name, index) => (index % 2 === 0 ? [[String(name), items[index + 1]]] : []));
}

/** As much of a body is read before it is sent. */
const MAX_READ_BYTES = 16 * 1024 * 1024;

/**
 * The request with a body that can be sent again. A body of fetch arrives as a generator, also where it was a string; its length is then known. A
 * body of unknown length is a stream and stays one.
 */
async function withReadBody(options) {
  const body = member(options, 'body');
  if (isReplayable(body) || typeof body[Symbol.asyncIterator] !== 'function' || typeof body.pipe === 'function') return options;
  const length = pairsOf(options.headers).find(([name]) => name.toLowerCase() === 'content-length')?.[1];
  if (length === undefined || !(Number(length) <= MAX_READ_BYTES)) return options;
  const chunks = [];
  for await (const chunk of body) chunks[chunks.length] = Buffer.from(chunk);
  return { ...options, body: Buffer.concat(chunks) };
}

/** A request with what it has to carry, in place of what it brings along. */
function withAuthorization(options, url, authorization) {
  if (authorization === null) return options;
  const added = Object.entries(authorization.headers);
  const kept = pairsOf(options.headers).filter(([name]) => name.toLowerCase() !== 'authorization');
  const headers = [...kept, ...added].flatMap(([name, value]) => (Array.isArray(value) ? value.flatMap((item) => [name, item]) : [name, value]));
  if (authorization.url === url) return { ...options, headers };
  const { pathname, search } = new URL(authorization.url);
  return { ...options, headers, path: `${pathname}${search}`, query: undefined };
}

/** One request, whose repetition is another one. What it is told of the answer it tells the handler of the caller. */
class Exchange {
  #session;
  #dispatch;
  #options;
  #handler;
  #url;
  #authorization;
  #history;
  #isRepetition;
  /** Whether the answer is not the one for the caller. */
  #isDiscarded = false;

  constructor(session, dispatch, options, handler, isRepetition = false) {
    this.#session = session;
    this.#dispatch = dispatch;
    this.#options = options;
    this.#handler = handler;
    this.#isRepetition = isRepetition;
  }

  async send() {
    const signal = member(this.#options, 'signal');
    try {
      this.#url = urlOf(this.#options);
      this.#authorization =
        this.#url === null ? null : await authorizedIfServed(this.#session, this.#url, signal instanceof AbortSignal ? signal : undefined);
      if (this.#authorization?.accessToken) this.#options = await withReadBody(this.#options);
      this.#dispatch(withAuthorization(this.#options, this.#url, this.#authorization), this);
    } catch (error) {
      this.#handler.onResponseError(null, error);
    }
  }

  /** Whether the answer is one to the authorization; an interceptor below this one may have followed redirects. */
  #isOwnAnswer() {
    const last = this.#history?.at(-1);
    return last === undefined || last.origin === new URL(this.#url).origin;
  }

  onRequestStart(controller, context) {
    this.#history = own(context, 'history');
    this.#handler.onRequestStart?.(controller, context);
  }

  onResponseStart(controller, status, headers, message) {
    if (this.#isDiscarded) return;
    if (status >= 200 && !this.#isRepetition && this.#authorization !== null && this.#isOwnAnswer()) {
      const repeat = asksToRepeat(this.#session, this.#authorization, status, own(headers, 'www-authenticate'));
      this.#isDiscarded = repeat && isReplayable(this.#options.body);
    }
    if (!this.#isDiscarded) return void this.#handler.onResponseStart?.(controller, status, headers, message);
    // The end of a body that nobody wants may never come. Without an abort it would keep its connection, which may be the only one.
    controller.abort(new Error('the request is repeated with a new access token'));
    void new Exchange(this.#session, this.#dispatch, this.#options, this.#handler, true).send();
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
        'this request comes from undici 6 or before, or from a fetch of another version than the dispatcher: ' +
          'use the fetch of undici 7 or later, or its setGlobalDispatcher',
      );
    }
    // The tunnel of a proxy is no request to the host behind it.
    if (member(options, 'method') === 'CONNECT') return dispatch(options, handler);
    void new Exchange(session, dispatch, options, handler).send();
    return true;
  };
}

module.exports = { authInterceptor };
