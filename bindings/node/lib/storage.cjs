'use strict';
// An application's own storage: renewals run on threads of their own, and what they want of the storage is called here.

const { AsyncLocalStorage } = require('node:async_hooks');
const { failure } = require('./errors.cjs');
const { member } = require('./own.cjs');
const { Registry } = require('./registry.cjs');

/** Nothing is lost when one goes away, because a renewal asks it for the lock before it asks a server for anything. */
const storages = new Registry();
/** Those between lock and unlock, which must stay although nobody but a renewal may need them any more. */
const used = new Set();
/** Calls that have no answer yet, by number. */
const unanswered = new Set();
/** The call of a storage that the present code runs in. */
const within = new AsyncLocalStorage();
let ending = false;

/** What is wrong with what a storage gave. */
class Unfit extends Error {}

/** Of what was thrown, which may be anything: what holds no secret. */
function described(thrown) {
  if (thrown instanceof Unfit) return thrown.message;
  try {
    const words = [thrown.name, thrown.code].filter((word) => typeof word === 'string' && /^\w{1,60}$/.test(word));
    if (words.length > 0) return `threw ${words.join(' ')}`;
  } catch {
    // Not even its name is to be had.
  }
  return `threw ${thrown === null ? 'null' : typeof thrown}`;
}

/** What a function of a storage gave, as the addon takes it. */
function fit(name, value) {
  if (name === 'load') {
    if (value === undefined || value === null) return null;
    if (typeof value !== 'string') throw new Unfit('gave neither a string nor null');
    if (!value.isWellFormed()) throw new Unfit('gave a string that has half of a surrogate pair in it');
    return value;
  }
  if (name !== 'lock') return null;
  if (typeof value !== 'boolean') throw new Unfit('gave neither true nor false');
  return value;
}

class Storage {
  number;
  #functions;
  #users = 0;
  #failure;

  constructor(functions) {
    this.#functions = functions;
    this.number = storages.add(this);
  }

  /** Makes a call of the addon; the answer, or the failure, goes to `eventLoop`. */
  serve(call, eventLoop) {
    const { name, number } = call;
    const run = { storage: this, ended: false };
    const end = () => {
      run.ended = true;
      unanswered.delete(number);
    };
    const fail = (error) => {
      end();
      if (name === 'lock' || name === 'unlock') this.#use(-1);
      const message = `the application's storage failed: its ${name} ${described(error)}`;
      this.#failure = { message, error };
      eventLoop.fail(number, message);
    };
    const answer = (given) => {
      let value;
      try {
        value = fit(name, given);
      } catch (error) {
        return fail(error);
      }
      end();
      const isInTime = eventLoop.answer(number, value);
      // Nobody waits for this lock any more, so nobody ends it.
      if (name === 'lock' && value && !isInTime) return this.serve({ name: 'unlock', number }, eventLoop);
      if (name === 'unlock' || (name === 'lock' && !value)) this.#use(-1);
    };

    unanswered.add(number);
    if (name === 'lock') this.#use(1);
    let given;
    let isPromise;
    try {
      given = within.run(run, () => this.#call(call));
      isPromise = typeof given?.then === 'function';
    } catch (error) {
      return fail(error);
    }
    if (!isPromise) return answer(given);
    Promise.resolve(given).then(answer, fail);
    if (ending) abandon(eventLoop);
  }

  #call({ name, text, timeoutMs }) {
    const functions = this.#functions;
    switch (name) {
      case 'load':
        return functions.load();
      case 'save':
        return functions.save(text);
      case 'lock':
        return typeof member(functions, 'lock') === 'function' ? functions.lock(timeoutMs) : true;
      default:
        return typeof member(functions, 'unlock') === 'function' ? functions.unlock() : undefined;
    }
  }

  #use(more) {
    this.#users += more;
    if (this.#users > 0) used.add(this);
    else used.delete(this);
  }

  /** An error of a call that needed the storage: with what the storage threw, where that is the cause. */
  explained(error) {
    if (error.message === this.#failure?.message && !Object.hasOwn(error, 'cause')) {
      Object.defineProperty(error, 'cause', {
        __proto__: null, value: this.#failure.error, writable: true, configurable: true,
      });
    }
    return error;
  }

  /** What a storage awaits must not wait for the renewal that waits for that storage. */
  refuseToWaitWithin() {
    const run = within.getStore();
    if (run?.storage === this && !run.ended) {
      throw failure('UNAVAILABLE', 'a storage called the session from inside its own renewal, which cannot wait for itself');
    }
  }
}

/** Makes a call of the addon. */
function serve(call, eventLoop) {
  const storage = storages.get(call.receiver);
  if (storage !== undefined) storage.serve(call, eventLoop);
  else eventLoop.fail(call.number, 'the session was dropped, and its storage with it');
}

/** This thread ends: no promise will be settled any more. */
function abandon(eventLoop) {
  ending = true;
  for (const number of unanswered) eventLoop.fail(number, 'the program ended before the promise of the application\'s storage did');
  unanswered.clear();
}

/** Whether a renewal is between lock and unlock. */
const isInUse = () => used.size > 0;

module.exports = { Storage, abandon, isInUse, serve };
