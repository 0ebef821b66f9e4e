'use strict';
// Waiting for the addon with few threads.
//
// Each call that waits in the addon has a thread. So of all callers that wait for the same thing only one goes into the
// addon, and the others wait for that one in JavaScript.

const { failure, translated } = require('./errors.cjs');
const native = require('./native.cjs');

const cancelled = (signal) => failure('CANCELLED', 'the call was aborted', { __proto__: null, cause: signal.reason });

/** One call in the addon, and everybody who waits for it. */
class Waiting {
  #cancellation = new native.Cancellation();
  #outcome;
  #left;
  #callers = 0;

  /** `left` is called as soon as nobody can join any more. */
  constructor(left) {
    this.#left = left;
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
      this.#left();
    }
  }

  /** Resolves with `{ value, error }`, one of them undefined; rejects as soon as the signal aborts. */
  join(signal) {
    this.#callers += 1;
    if (signal === undefined) return this.#outcome;
    return new Promise((resolve, reject) => {
      const abort = () => {
        reject(cancelled(signal));
        this.#callers -= 1;
        if (this.#callers > 0) return;
        this.#left();
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

/** What a session waits for, by a key. */
class WaitingRoom {
  #waiting = new Map();
  #timeoutMs;

  constructor(timeoutMs) {
    this.#timeoutMs = timeoutMs;
  }

  /**
   * The answer of `start(cancellation, waitedMs)`. Calls with the same key wait together, and whoever waited for another
   * one asks `cached`, which is null when there is still nothing; without `cached` they share the answer itself.
   */
  async get(key, signal, start, cached) {
    const since = performance.now();
    const waitedMs = () => performance.now() - since;
    for (;;) {
      const joined = this.#waiting.get(key);
      const waiting = joined ?? this.#enter(key, (cancellation) => start(cancellation, waitedMs()));
      const { value, error } = await waiting.join(signal);
      // Whoever was waited for may have come earlier and had less time left; any other failure is everybody's.
      const mayGoOn = joined !== undefined && error?.code === 'TIMEOUT' && waitedMs() < this.#timeoutMs;
      if (error !== undefined && !mayGoOn) throw error;
      if (error === undefined) {
        const answer = joined === undefined || cached === undefined ? value : cached();
        if (answer !== null) return answer;
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

/** The answer of `start(cancellation)`, which nobody else waits for. */
async function alone(signal, start) {
  if (signal?.aborted) throw cancelled(signal);
  const waiting = new Waiting(() => {});
  waiting.begin(start);
  const { value, error } = await waiting.join(signal);
  if (error !== undefined) throw error;
  return value;
}

module.exports = { WaitingRoom, alone, cancelled };
