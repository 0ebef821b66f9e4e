'use strict';

const native = require('./native.cjs');

/** Names and numbers of all statuses, from the core. */
const ErrorNumber = Object.freeze(
  Object.fromEntries(native.statuses().map((name, number) => [name, number])),
);

class PlanetkeyError extends Error {
  // Declared, because assigning an undeclared property could call a setter of Object.prototype.
  code;
  number;
  reason;
  oauthError;
  oauthErrorDescription;
  httpStatus;
  retryAfterMs;
  retryable;
  profile;

  /** Copies the attributes of the addon's error. */
  constructor(failure, options) {
    super(failure.message, options);
    this.code = failure.code;
    this.number = failure.number;
    this.reason = failure.reason;
    this.oauthError = failure.oauthError;
    this.oauthErrorDescription = failure.oauthErrorDescription;
    this.httpStatus = failure.httpStatus;
    this.retryAfterMs = failure.retryAfterMs;
    this.retryable = failure.retryable;
    this.profile = failure.profile;
  }
}
// On the prototype and not enumerable, like the names of built-in errors.
Object.defineProperty(PlanetkeyError.prototype, 'name', {
  __proto__: null, value: 'PlanetkeyError', writable: true, configurable: true,
});

/** A new error with this code. The core sets its other attributes. */
function failure(code, message, options) {
  try {
    native.fail(ErrorNumber[code], message);
  } catch (error) {
    return new PlanetkeyError(error, options);
  }
}

/** What the addon threw, as a PlanetkeyError. */
function translated(error) {
  if (error instanceof PlanetkeyError) return error;
  const isObject = error !== null && typeof error === 'object';
  if (isObject && Object.hasOwn(ErrorNumber, error.code) && typeof error.retryable === 'boolean') {
    return new PlanetkeyError(error);
  }
  const message = 'the addon failed in an unexpected way: please report this as a bug';
  return failure('INTERNAL', message, { __proto__: null, cause: error });
}

/** Calls a function of the addon and translates what it throws. */
function called(call) {
  try {
    return call();
  } catch (error) {
    throw translated(error);
  }
}

module.exports = { ErrorNumber, PlanetkeyError, called, failure, translated };
