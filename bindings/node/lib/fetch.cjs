'use strict';
// fetch with the session's credential in each request that it makes. Redirects are followed here, because each of their hosts has to be
// looked at by itself.

const { redactUrl, stripApiKey } = require('./functions.cjs');
const { member, own } = require('./own.cjs');
const { asksToRepeat, authorized, authorizedIfServed, isReplayable } = require('./requests.cjs');

/** Of RequestInit; a Request has most of them too. */
const MEMBERS = [
  'body', 'cache', 'credentials', 'dispatcher', 'duplex', 'headers', 'integrity', 'keepalive', 'method', 'mode', 'priority', 'redirect',
  'referrer', 'referrerPolicy', 'signal', 'window',
];
const REDIRECTS = [301, 302, 303, 307, 308];
const MAX_REDIRECTS = 20;
const OF_THE_BODY = ['content-encoding', 'content-language', 'content-length', 'content-location', 'content-type'];
const OF_THE_ORIGIN = ['authorization', 'cookie', 'host', 'proxy-authorization'];

/** Those that are there, without a prototype; fetch itself would take them from a polluted Object.prototype. */
function membersOf(given) {
  const members = { __proto__: null };
  for (const name of MEMBERS) {
    const value = member(given, name);
    if (value !== undefined) members[name] = value;
  }
  return members;
}

/** Header fields in any of the forms that fetch takes. */
function headersOf(given) {
  if (given === null || given === undefined) return new Headers({ __proto__: null });
  if (typeof given !== 'object' || Array.isArray(given) || member(given, Symbol.iterator) !== undefined) return new Headers(given);
  return new Headers({ __proto__: null, ...given });
}

const failed = (message) => new TypeError('fetch failed', { __proto__: null, cause: new Error(message) });
const discard = (response) => response.body?.cancel().catch(() => {});

/** The dispatcher that a Request was made with. undici does not show it, and newer Nodes, as 24, keep it where nobody can read it. */
function dispatcherOf(request) {
  const kept = Object.getOwnPropertySymbols(request).find(({ description }) => description === 'dispatcher');
  return kept === undefined ? undefined : request[kept];
}

/** Whether this is a Request, whichever package its class comes from. */
const isRequest = (input) => typeof member(input, 'url') === 'string' && typeof member(input, 'headers') === 'object';

/** An AbortSignal of this Node that aborts together with another package's. */
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

/** The arguments of fetch as a URL and options that hold everything else that can be read; `request` is the Request, if there is one. */
async function read(input, init) {
  const options = membersOf(init);
  if (!isRequest(input)) return { url: new URL(input).href, options };
  const { body, duplex, ...inherited } = membersOf(input);
  if ((options.body ?? null) === null && (body ?? null) !== null) {
    const signal = options.signal === undefined ? inherited.signal : options.signal;
    options.body = await bodyOf(input, body, signal);
  }
  if (options.dispatcher === undefined) inherited.dispatcher = dispatcherOf(input) ?? inherited.dispatcher;
  const all = { __proto__: null, ...inherited, ...options };
  if (all.dispatcher === undefined) delete all.dispatcher;
  // fetch takes an AbortSignal and a Request of its own class only.
  if (all.signal && !(all.signal instanceof AbortSignal)) all.signal = nativeSignal(all.signal);
  return { url: new URL(input.url).href, request: input instanceof Request ? input : undefined, options: all };
}

/** The options of the request that a redirect asks for (Fetch standard, 4.4). */
function redirected(options, status, isSameOrigin) {
  const method = (options.method ?? 'GET').toUpperCase();
  const headers = headersOf(options.headers);
  const next = { __proto__: null, ...options, headers };
  if ((status === 303 && method !== 'GET' && method !== 'HEAD') || ((status === 301 || status === 302) && method === 'POST')) {
    next.method = 'GET';
    delete next.body;
    OF_THE_BODY.forEach((name) => headers.delete(name));
  } else if (!isReplayable(options.body)) {
    throw failed('a stream cannot be sent again to where it is redirected');
  }
  if (!isSameOrigin) OF_THE_ORIGIN.forEach((name) => headers.delete(name));
  return next;
}

/** Where a redirect leads; null for an answer that is none. */
function locationOf(response, url) {
  const header = REDIRECTS.includes(response.status) ? response.headers.get('location') : null;
  if (header === null) return null;
  // fetch takes the bytes for UTF-8, too.
  const location = Buffer.from(header, 'latin1').toString('utf8');
  const next = URL.canParse(location, url) ? new URL(location, url) : null;
  if (!/^https?:$/.test(next?.protocol)) throw failed('the redirect leads to no http or https URL');
  return next.href;
}

async function fetchFor(session, input, init) {
  let { url, request, options } = await read(input, init);
  const { signal } = options;
  // What is to have a certain hash cannot be told from a redirect before it is there; fetch takes the header away from other origins.
  const follows = (options.redirect ?? 'follow') === 'follow' && !options.integrity;
  let redirects = 0;
  let isRepetition = false;
  let keyInUrl = false;

  for (;;) {
    // The host that the caller names has to be one of the session; those that servers name need not.
    const authorization = await (redirects === 0 ? authorized : authorizedIfServed)(session, url, signal);
    // No server is to send a key in a URL on to another one.
    const target = authorization?.url ?? (keyInUrl ? stripApiKey(url) : url);
    keyInUrl ||= authorization?.transport === 'query';
    const headers = headersOf(options.headers);
    if (authorization !== null) headers.delete('authorization');
    for (const [name, value] of Object.entries(authorization?.headers ?? [])) headers.set(name, value);
    // From the Request itself fetch takes the dispatcher that cannot be read.
    const asked = target === request?.url ? request : target;
    const response = await globalThis.fetch(asked, {
      __proto__: null, ...options, headers, redirect: follows ? 'manual' : options.redirect,
    });

    const isAnswer = !response.redirected && !isRepetition;
    if (isAnswer && asksToRepeat(session, authorization, response.status, response.headers.get('www-authenticate')) && isReplayable(options.body)) {
      isRepetition = true;
      discard(response);
      continue;
    }
    try {
      const next = follows ? locationOf(response, url) : null;
      if (next === null) return finished(response, redirects > 0, keyInUrl);
      redirects += 1;
      if (redirects > MAX_REDIRECTS) throw failed('redirect count exceeded');
      options = redirected(options, response.status, new URL(next).origin === new URL(url).origin);
      url = next;
      // Its body is used up, and may not be asked for any more.
      request = undefined;
      discard(response);
    } catch (error) {
      discard(response);
      throw error;
    }
  }
}

/** As fetch itself would give it, without a key in its URL. */
function finished(response, isRedirected, keyInUrl) {
  if (isRedirected) Object.defineProperty(response, 'redirected', { __proto__: null, value: true });
  if (keyInUrl) Object.defineProperty(response, 'url', { __proto__: null, value: redactUrl(response.url) });
  if (isRedirected || keyInUrl) {
    const clone = () => finished(Response.prototype.clone.call(response), isRedirected, keyInUrl);
    Object.defineProperty(response, 'clone', { __proto__: null, value: clone });
  }
  return response;
}

module.exports = { fetchFor };
