'use strict';

const { callable, checked } = require('../lib/arguments.cjs');
const { authorized, isRequested } = require('../lib/requests.cjs');
const { asSession } = require('../lib/session.cjs');

/** The codes of a session that has no token now. */
const NO_TOKEN = ['UNAVAILABLE', 'UNSUPPORTED'];

const parameters = (url, authorization) =>
  authorization === null ? { url } : { url: authorization.url, headers: authorization.headers };

function transformRequest(session) {
  asSession(session);
  return async (url) => parameters(url, await authorized(session, url));
}

function transformRequestSync(session, options) {
  asSession(session);
  const warn = (error) => process.emitWarning(error);
  const { onError = warn } = checked(options, { onError: callable });
  let isWaiting = false;
  let hasFailed = false;

  async function refresh(url) {
    if (isWaiting) return;
    isWaiting = true;
    try {
      await session.authorizeIfServed(url);
      hasFailed = false;
    } catch (error) {
      // A map requests many tiles. The same failure is reported once.
      if (!hasFailed) onError(error);
      hasFailed = true;
    } finally {
      isWaiting = false;
    }
  }

  return (url) => {
    if (!isRequested(url)) return { url };
    try {
      return parameters(url, session.authorizeIfServedSync(url));
    } catch (error) {
      if (!NO_TOKEN.includes(error.code)) throw error;
      void refresh(url);
      return { url };
    }
  };
}

module.exports = { transformRequest, transformRequestSync };
