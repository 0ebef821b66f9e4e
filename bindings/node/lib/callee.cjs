'use strict';
// What an application's storage and its token provider have in common: the addon calls their
// functions during a refresh.

const { failure } = require('./errors.cjs');

class Callee {
  #within;
  #refusal;
  #failure;

  /**
   * @param {AsyncLocalStorage} within - The call of a function that the current code runs in.
   * @param {string} refusal - The message for code in such a call that would wait for it.
   */
  constructor(within, refusal) {
    this.#within = within;
    this.#refusal = refusal;
  }

  /** Starts a call. The result is the store of `within`; `hasEnded` is set when the call ends. */
  begin() {
    return { callee: this, hasEnded: false };
  }

  /** Remembers what a function threw, for the error with this message. */
  hasFailed(message, error) {
    this.#failure = { message, error };
  }

  /** Adds what a function threw as `cause` to the error that it made the call fail with. */
  explained(error) {
    if (error.message === this.#failure?.message && !Object.hasOwn(error, 'cause')) {
      Object.defineProperty(error, 'cause', {
        __proto__: null, value: this.#failure.error, writable: true, configurable: true,
      });
    }
    return error;
  }

  /** Refuses to wait, in a function that the addon calls, for the refresh that calls it. */
  refuseToWaitWithin() {
    const run = this.#within.getStore();
    if (run?.callee === this && !run.hasEnded) throw failure('UNAVAILABLE', this.#refusal);
  }
}

module.exports = { Callee };
