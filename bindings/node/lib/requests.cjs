'use strict';
// What an adapter asks of a session about requests of another HTTP client. The rules are the core's.

/** What a request to this URL carries. An abort rejects with its own reason, as HTTP clients do it. */
async function authorized(session, url, signal) {
  try {
    return await session.authorize(url, { __proto__: null, signal });
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  }
}

/** The same; null where the session has nothing for the host, so that the request goes out as it is. */
async function authorizedIfServed(session, url, signal) {
  // Whatever else a client can load, as data: URLs, is no request.
  if (!/^https?:/i.test(url)) return null;
  try {
    return await authorized(session, url, signal);
  } catch (error) {
    if (error?.code === 'HOST_REFUSED') return null;
    throw error;
  }
}

/** Whether a request that carried this authorization is to be sent once more after this answer. */
function asksToRepeat(session, authorization, status, challenge) {
  const token = authorization?.accessToken ?? null;
  const joined = Array.isArray(challenge) ? challenge.join(', ') : challenge;
  return token !== null && session.shouldRetry(token, status, joined);
}

/** What is as it was after it has been sent, whoever's class it is. The package form-data calls its streams FormData too. */
const KEPT = ['ArrayBuffer', 'Blob', 'File', 'FormData', 'URLSearchParams'];

function isReplayable(body) {
  if (body === null || body === undefined || typeof body !== 'object' || ArrayBuffer.isView(body)) return true;
  return KEPT.includes(body[Symbol.toStringTag]) && typeof body.pipe !== 'function';
}

module.exports = { asksToRepeat, authorized, authorizedIfServed, isReplayable };
