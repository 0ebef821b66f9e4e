'use strict';
// Token providers of applications. Refreshes run on other threads and have them called here.

const { AsyncLocalStorage } = require('node:async_hooks');
const { Callee } = require('./callee.cjs');
const { ErrorNumber, PlanetkeyError } = require('./errors.cjs');
const { member } = require('./own.cjs');
const { Registry } = require('./registry.cjs');
const { Unfit, described } = require('./thrown.cjs');

/** Held weakly, so that a provider that refers to its session leaks neither. */
const providers = new Registry();
/** The numbers of the calls that have no answer yet. */
const unanswered = new Set();
/** The call of a provider that the current code runs in. */
const within = new AsyncLocalStorage();
let ending = false;

const isNothing = (value) => value === undefined || value === null;

function duration(value, name, unitMs) {
  if (isNothing(value)) return undefined;
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new Unfit(`returned an ${name} that is not a number`);
  }
  return Math.max(value * unitMs, 0);
}

/** Unix milliseconds. */
function time(value) {
  if (isNothing(value)) return undefined;
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) {
    throw new Unfit('returned an expiresAt that is not a Date');
  }
  return Math.max(value.getTime(), 0);
}

/** What a provider returned, as the addon takes it. */
function fit(value) {
  const accessToken = member(value, 'accessToken') ?? member(value, 'access_token');
  if (typeof accessToken !== 'string' || !accessToken.isWellFormed()) {
    throw new Unfit('returned no object with a string accessToken');
  }
  const expiresInMs =
    duration(member(value, 'expiresInMs'), 'expiresInMs', 1) ??
    duration(member(value, 'expires_in'), 'expires_in', 1000);
  const expiresAtMs = expiresInMs === undefined ? time(member(value, 'expiresAt')) : undefined;
  return { __proto__: null, accessToken, expiresInMs, expiresAtMs };
}

/** The attributes of an error for the addon. The text of others may hold a token. */
function failed(error) {
  if (error instanceof PlanetkeyError && Object.hasOwn(ErrorNumber, error.code)) {
    const attributes = { __proto__: null, number: ErrorNumber[error.code] };
    const types = {
      message: 'string', reason: 'string', oauthError: 'string', oauthErrorDescription: 'string',
      httpStatus: 'number', retryAfterMs: 'number', retryable: 'boolean', profile: 'string',
    };
    for (const [name, type] of Object.entries(types)) {
      if (typeof error[name] === type) attributes[name] = error[name];
    }
    return attributes;
  }
  const code = error instanceof Unfit ? 'MISCONFIGURED' : 'UNAVAILABLE';
  const failing = error instanceof Unfit ? '' : 'failed: it ';
  const message = `the token provider ${failing}${described(error)}`;
  return { __proto__: null, number: ErrorNumber[code], message };
}

class Provider extends Callee {
  number;
  /** Why a call that does not wait has no token, for the message of its error. */
  whyNot = 'a token provider cannot be called synchronously';
  #provide;

  constructor(provide) {
    super(within, 'a token provider called its own session, which waits for that provider');
    this.#provide = provide;
    this.number = providers.add(this);
  }

  /** Makes a call of the addon. The token or the failure goes to `eventLoop`. */
  serve({ number, timeoutMs, rejectedToken }, eventLoop) {
    const run = this.begin();
    const end = () => {
      run.hasEnded = true;
      unanswered.delete(number);
    };
    const fail = (error) => {
      end();
      const attributes = failed(error);
      this.hasFailed(attributes.message, error);
      eventLoop.failWith(number, attributes);
    };
    const answer = (given) => {
      let token;
      try {
        token = fit(given);
      } catch (error) {
        return fail(error);
      }
      end();
      eventLoop.provide(number, token);
    };

    unanswered.add(number);
    const request = Object.freeze({ timeoutMs, rejectedToken });
    let given;
    try {
      const provide = this.#provide;
      given = within.run(run, () => provide(request));
    } catch (error) {
      return fail(error);
    }
    Promise.resolve(given).then(answer, fail);
    if (ending) abandonTokens(eventLoop);
  }
}

/** Makes a call of the addon for a token. */
function provide(call, eventLoop) {
  const provider = providers.get(call.receiver);
  if (provider !== undefined) provider.serve(call, eventLoop);
  else eventLoop.cancel(call.number, 'the session and its token provider were garbage collected');
}

/** This thread is ending: no promise will be settled any more. */
function abandonTokens(eventLoop) {
  ending = true;
  for (const number of unanswered) {
    eventLoop.cancel(number, 'the program ended before the token provider returned');
  }
  unanswered.clear();
}

module.exports = { Provider, abandonTokens, provide };
