'use strict';

const native = require('./native.cjs');

/** Names and numbers of all statuses, from the core. */
const ErrorNumber = Object.freeze(Object.fromEntries(native.statuses().map((name, number) => [name, number])));

class PlanetkeyError extends Error {
  // Declared, because assigning to what is not there could call a setter of Object.prototype.
  code;
  number;
  reason;
  oauthError;
  oauthErrorDescription;
  httpStatus;
  retryAfterMs;
  retryable;
  profile;

  /** Takes the addon's error, or another error's attributes. */
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
// On the prototype and hidden, as the names of built-in errors are.
Object.defineProperty(PlanetkeyError.prototype, 'name', {
  __proto__: null, value: 'PlanetkeyError', writable: true, configurable: true,
});

/** An error of this status, with the attributes that the core gives it. */
function failure(code, message, options) {
  try {
    native.fail(ErrorNumber[code], message);
  } catch (error) {
    return new PlanetkeyError(error, options);
  }
}

/** Whatever the addon threw, as a PlanetkeyError. */
function translated(error) {
  if (error instanceof PlanetkeyError) return error;
  if (error !== null && typeof error === 'object' && Object.hasOwn(ErrorNumber, error.code) && typeof error.retryable === 'boolean') {
    return new PlanetkeyError(error);
  }
  return failure('INTERNAL', 'the addon failed in an unexpected way: please report this as a bug', { __proto__: null, cause: error });
}

/** Calls into the addon. */
function called(call) {
  try {
    return call();
  } catch (error) {
    throw translated(error);
  }
}

module.exports = { ErrorNumber, PlanetkeyError, called, failure, translated };
