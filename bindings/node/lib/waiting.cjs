'use strict';
// Waits for the addon with few threads.
//
// Each call that waits in the addon occupies a thread. Of all callers that wait for the same thing
// only the first one calls the addon. The others wait for that call in JavaScript.

const { failure, translated } = require('./errors.cjs');
const native = require('./native.cjs');

const cancelled = (signal) =>
  failure('CANCELLED', 'the call was aborted', { __proto__: null, cause: signal.reason });

/** One call of the addon, and all callers that wait for it. */
class Waiting {
  #cancellation = new native.Cancellation();
  #outcome;
  #onClosed;
  #callers = 0;

  /** `onClosed` is called as soon as no further caller can join. */
  constructor(onClosed) {
    this.#onClosed = onClosed;
  }

  begin(start) {
    this.#outcome = this.#run(start);
  }

  async #run(start) {
    try {
      return { value: await start(this.#cancellation), error: undefined };
    } catch (error) {
      return { value: undefined, error: translated(error) };
    } finally {
      this.#onClosed();
    }
  }

  /**
   * Resolves with `{ value, error }`, one of them undefined. Rejects as soon as the signal aborts.
   */
  join(signal) {
    this.#callers += 1;
    if (signal === undefined) return this.#outcome;
    return new Promise((resolve, reject) => {
      const abort = () => {
        reject(cancelled(signal));
        this.#callers -= 1;
        if (this.#callers > 0) return;
        this.#onClosed();
        this.#cancellation.cancel();
      };
      signal.addEventListener('abort', abort, { __proto__: null, once: true });
      this.#outcome.then((outcome) => {
        signal.removeEventListener('abort', abort);
        resolve(outcome);
      });
    });
  }
}

/** The calls of one session that are in progress, by key. */
class WaitingRoom {
  #waiting = new Map();
  #timeoutMs;

  constructor(timeoutMs) {
    this.#timeoutMs = timeoutMs;
  }

  /**
   * The result of `start(cancellation, waitedMs)`.
   *
   * Calls with the same key wait together. A caller that joined another call then asks `cached`,
   * which returns null if there is still no result for it. Without `cached` all share one result.
   */
  async get(key, signal, start, cached) {
    const since = performance.now();
    const waitedMs = () => performance.now() - since;
    for (;;) {
      const joined = this.#waiting.get(key);
      const waiting = joined ?? this.#enter(key, (cancellation) => start(cancellation, waitedMs()));
      const { value, error } = await waiting.join(signal);
      // The first caller may have had less time left. Any other failure is shared.
      const hasTimeLeft =
        joined !== undefined && error?.code === 'TIMEOUT' && waitedMs() < this.#timeoutMs;
      if (error !== undefined && !hasTimeLeft) throw error;
      if (error === undefined) {
        const result = joined === undefined || cached === undefined ? value : cached();
        if (result !== null) return result;
      }
    }
  }

  #enter(key, start) {
    const waiting = new Waiting(() => {
      if (this.#waiting.get(key) === waiting) this.#waiting.delete(key);
    });
    this.#waiting.set(key, waiting);
    waiting.begin(start);
    return waiting;
  }
}

/** The result of `start(cancellation)`, which no other caller shares. */
async function alone(signal, start) {
  if (signal?.aborted) throw cancelled(signal);
  const waiting = new Waiting(() => {});
  waiting.begin(start);
  const { value, error } = await waiting.join(signal);
  if (error !== undefined) throw error;
  return value;
}

module.exports = { WaitingRoom, alone, cancelled };
