'use strict';
// What the adapters of HTTP clients have in common. Which request carries what, and which one is
// repeated, is decided by the core.

/** Whether this URL makes a request. Clients also load others, such as data: URLs. */
const isRequested = (url) => /^https?:/i.test(url);

/** The result of `promise`. If the signal aborted, rejects with its reason, as HTTP clients do. */
async function orReason(signal, promise) {
  try {
    return await promise;
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  }
}

/** What a request to this URL carries; null if it goes out as it is. */
async function authorized(session, url, signal) {
  if (!isRequested(url)) return null;
  return orReason(signal, session.authorizeIfServed(url, { __proto__: null, signal }));
}

/** The value of a header that may be missing, or an array. */
const headerValue = (value) => (Array.isArray(value) ? value.join(', ') : (value ?? undefined));

/**
 * The class names of bodies that can be sent again. They may be classes of other packages. The
 * package form-data has a stream of the name FormData.
 */
const REPLAYABLE = ['ArrayBuffer', 'Blob', 'File', 'FormData', 'URLSearchParams'];

function isReplayable(body) {
  if (body === null || body === undefined || typeof body !== 'object') return true;
  if (ArrayBuffer.isView(body)) return true;
  return REPLAYABLE.includes(body[Symbol.toStringTag]) && typeof body.pipe !== 'function';
}

module.exports = { authorized, headerValue, isReplayable, isRequested, orReason };
