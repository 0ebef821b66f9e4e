'use strict';

const { callable, checked } = require('../lib/arguments.cjs');
const { authorizedIfServed } = require('../lib/requests.cjs');
const { asSession } = require('../lib/session.cjs');

const parameters = (url, authorization) => (authorization === null ? { url } : { url: authorization.url, headers: authorization.headers });

function transformRequest(session) {
  asSession(session);
  return async (url) => parameters(url, await authorizedIfServed(session, url));
}

function transformRequestSync(session, options) {
  asSession(session);
  const { onError = (error) => process.emitWarning(error) } = checked(options, { onError: callable });
  let isRenewing = false;
  let hasFailed = false;

  async function renew(url) {
    if (isRenewing) return;
    isRenewing = true;
    try {
      await session.authorize(url);
      hasFailed = false;
    } catch (error) {
      // A map asks for many tiles; the same failure is said once.
      if (!hasFailed) onError(error);
      hasFailed = true;
    } finally {
      isRenewing = false;
    }
  }

  return (url) => {
    if (!/^https?:/i.test(url)) return { url };
    try {
      return parameters(url, session.authorizeSync(url));
    } catch (error) {
      if (error.code !== 'HOST_REFUSED') void renew(url);
      return { url };
    }
  };
}

module.exports = { transformRequest, transformRequestSync };
