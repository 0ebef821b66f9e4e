'use strict';
// fetch with the session's credential in each request. Redirects are followed here, because each
// URL gets its own credential.

const { redactUrl, stripApiKey } = require('./functions.cjs');
const { member, own } = require('./own.cjs');
const { authorized, isReplayable, orReason } = require('./requests.cjs');

/** The members of RequestInit. A Request has most of them, too. */
const MEMBERS = [
  'body', 'cache', 'credentials', 'dispatcher', 'duplex', 'headers', 'integrity', 'keepalive',
  'method', 'mode', 'priority', 'redirect', 'referrer', 'referrerPolicy', 'signal', 'window',
];
const REDIRECTS = [301, 302, 303, 307, 308];
const MAX_REDIRECTS = 20;
const BODY_HEADERS = [
  'content-encoding', 'content-language', 'content-length', 'content-location', 'content-type',
];
const ORIGIN_HEADERS = ['authorization', 'cookie', 'host', 'proxy-authorization'];

/**
 * The members that are set, without a prototype: fetch itself would read the others from a polluted
 * Object.prototype.
 */
function membersOf(given) {
  const members = { __proto__: null };
  for (const name of MEMBERS) {
    const value = member(given, name);
    if (value !== undefined) members[name] = value;
  }
  return members;
}

/** Header fields in any form that fetch takes. */
function headersOf(given) {
  if (given === null || given === undefined) return new Headers({ __proto__: null });
  const isRecord = typeof given === 'object' && !Array.isArray(given);
  if (!isRecord || member(given, Symbol.iterator) !== undefined) return new Headers(given);
  return new Headers({ __proto__: null, ...given });
}

const failed = (message) =>
  new TypeError('fetch failed', { __proto__: null, cause: new Error(message) });
const discard = (response) => response.body?.cancel().catch(() => {});

/** The dispatcher of a Request. Node 24 and later store it where it cannot be read. */
function dispatcherOf(request) {
  const symbols = Object.getOwnPropertySymbols(request);
  const stored = symbols.find(({ description }) => description === 'dispatcher');
  return stored === undefined ? undefined : request[stored];
}

/** Whether this is a Request, also of another package. */
const isRequest = (input) =>
  typeof member(input, 'url') === 'string' && typeof member(input, 'headers') === 'object';

/** An AbortSignal of this Node that follows the one of another package. */
function nativeSignal(signal) {
  const controller = new AbortController();
  const abort = () => controller.abort(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { __proto__: null, once: true });
  return controller.signal;
}

/** The whole body, so that it can be sent again. */
async function bodyOf(request, body, signal) {
  if (typeof member(request, 'arrayBuffer') !== 'function') return body;
  const reading = request.arrayBuffer();
  if (signal === undefined || signal === null) return reading;
  let abort;
  const aborted = new Promise((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { __proto__: null, once: true });
    if (signal.aborted) abort();
  });
  try {
    return await Promise.race([reading, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/**
 * The arguments of fetch as a URL and options that contain everything else that can be read.
 * `request` is the Request, if there is one.
 */
async function read(input, init) {
  const options = membersOf(init);
  if (!isRequest(input)) return { url: new URL(input).href, options };
  const { body, duplex, ...inherited } = membersOf(input);
  if ((options.body ?? null) === null && (body ?? null) !== null) {
    const signal = options.signal === undefined ? inherited.signal : options.signal;
    options.body = await bodyOf(input, body, signal);
  }
  if (options.dispatcher === undefined) {
    inherited.dispatcher = dispatcherOf(input) ?? inherited.dispatcher;
  }
  const all = { __proto__: null, ...inherited, ...options };
  if (all.dispatcher === undefined) delete all.dispatcher;
  // fetch takes only its own classes of AbortSignal and Request.
  if (all.signal && !(all.signal instanceof AbortSignal)) all.signal = nativeSignal(all.signal);
  const request = input instanceof Request ? input : undefined;
  return { url: new URL(input.url).href, request, options: all };
}

/** The options of the request that a redirect asks for (Fetch standard, 4.4). */
function redirected(options, status, isSameOrigin) {
  const method = (options.method ?? 'GET').toUpperCase();
  const headers = headersOf(options.headers);
  const next = { __proto__: null, ...options, headers };
  const isPostMoved = (status === 301 || status === 302) && method === 'POST';
  if (isPostMoved || (status === 303 && method !== 'GET' && method !== 'HEAD')) {
    next.method = 'GET';
    delete next.body;
    BODY_HEADERS.forEach((name) => headers.delete(name));
  } else if (!isReplayable(options.body)) {
    throw failed('a stream cannot be sent again to the URL of a redirect');
  }
  if (!isSameOrigin) ORIGIN_HEADERS.forEach((name) => headers.delete(name));
  return next;
}

/** The URL that a redirect leads to; null for any other response. */
function locationOf(response, url) {
  const header = REDIRECTS.includes(response.status) ? response.headers.get('location') : null;
  if (header === null) return null;
  // Like fetch, which reads the bytes as UTF-8.
  const location = Buffer.from(header, 'latin1').toString('utf8');
  const next = URL.canParse(location, url) ? new URL(location, url) : null;
  if (!/^https?:$/.test(next?.protocol)) {
    throw failed('the redirect leads to a URL that is neither http nor https');
  }
  return next.href;
}

/** `afterApiResponse` is the function of session.cjs. */
async function fetchFor(session, afterApiResponse, input, init) {
  let { url, request, options } = await read(input, init);
  const { signal } = options;
  // With `integrity` fetch follows redirects itself, because it checks the final response only. It
  // sends no Authorization header to other origins then.
  const follows = (options.redirect ?? 'follow') === 'follow' && !options.integrity;
  let redirects = 0;
  let isRepetition = false;
  let hasKeyInUrl = false;
  // The session must serve the host that the caller names.
  let authorization = await orReason(signal, session.authorize(url, { __proto__: null, signal }));

  for (;;) {
    // A server must not send a key in a URL on to another server.
    const target = authorization?.url ?? (hasKeyInUrl ? stripApiKey(url) : url);
    hasKeyInUrl ||= authorization?.transport === 'query';
    const headers = headersOf(options.headers);
    if (authorization !== null) headers.delete('authorization');
    for (const [name, value] of Object.entries(authorization?.headers ?? [])) {
      headers.set(name, value);
    }
    // fetch takes the dispatcher that cannot be read from the Request itself.
    const response = await globalThis.fetch(target === request?.url ? request : target, {
      __proto__: null, ...options, headers, redirect: follows ? 'manual' : options.redirect,
    });
    try {
      const repeat = isRepetition ? null : await afterResponse(response, target);
      if (repeat !== null) {
        isRepetition = true;
        authorization = repeat;
        discard(response);
        continue;
      }
      const next = follows ? locationOf(response, url) : null;
      if (next === null) return finished(response, redirects > 0, hasKeyInUrl);
      redirects += 1;
      if (redirects > MAX_REDIRECTS) throw failed('redirect count exceeded');
      const isSameOrigin = new URL(next).origin === new URL(url).origin;
      options = redirected(options, response.status, isSameOrigin);
      url = next;
      authorization = await authorized(session, url, signal);
      // Its body is used up and must not be read any more.
      request = undefined;
      discard(response);
    } catch (error) {
      discard(response);
      throw error;
    }
  }

  async function afterResponse(response, target) {
    const isSameOrigin =
      !response.redirected || new URL(response.url).origin === new URL(target).origin;
    const described = {
      url: response.redirected ? response.url : target,
      sent: isSameOrigin ? authorization?.headers.Authorization : undefined,
      httpStatus: response.status,
      wwwAuthenticate: response.headers.get('www-authenticate') ?? undefined,
      canRepeat: !response.redirected && isReplayable(options.body),
    };
    // An abort that comes now is for the body.
    if (signal?.aborted) return null;
    return orReason(signal, afterApiResponse(session, described, signal));
  }
}

/** The response as fetch itself would return it, without a key in its URL. */
function finished(response, isRedirected, hasKeyInUrl) {
  const define = (name, value) =>
    Object.defineProperty(response, name, { __proto__: null, value });
  if (isRedirected) define('redirected', true);
  if (hasKeyInUrl) define('url', redactUrl(response.url));
  if (isRedirected || hasKeyInUrl) {
    const clone = () => Response.prototype.clone.call(response);
    define('clone', () => finished(clone(), isRedirected, hasKeyInUrl));
  }
  return response;
}

module.exports = { fetchFor };
