'use strict';
// An application's own storage. Refreshes run on other threads and have its functions called here.

const { AsyncLocalStorage } = require('node:async_hooks');
const { Callee } = require('./callee.cjs');
const { member } = require('./own.cjs');
const { Registry } = require('./registry.cjs');
const { Unfit, described } = require('./thrown.cjs');

/**
 * Held weakly. Nothing is lost when a storage is garbage collected, because a refresh takes its
 * lock before it sends a request.
 */
const storages = new Registry();
/** The storages between lock and unlock, kept alive for the refresh that holds the lock. */
const locked = new Set();
/** The numbers of the calls that have no answer yet. */
const unanswered = new Set();
/** The call of a storage function that the current code runs in. */
const within = new AsyncLocalStorage();
let ending = false;

/** The return value of a storage function, as the addon takes it. */
function fit(name, value) {
  if (name === 'load') {
    if (value === undefined || value === null) return null;
    if (typeof value !== 'string') throw new Unfit('returned neither a string nor null');
    if (!value.isWellFormed()) {
      throw new Unfit('returned a string that contains half of a surrogate pair');
    }
    return value;
  }
  if (name !== 'lock') return null;
  if (typeof value !== 'boolean') throw new Unfit('returned neither true nor false');
  return value;
}

class Storage extends Callee {
  number;
  /** Why a call that does not wait has no token, for the message of its error. */
  whyNot = 'a storage cannot be read synchronously';
  #functions;
  #users = 0;

  constructor(functions) {
    super(
      within,
      'a storage function called its own session during a refresh, which waits for that function',
    );
    this.#functions = functions;
    this.number = storages.add(this);
  }

  /** Makes a call of the addon. The answer or the failure goes to `eventLoop`. */
  serve(call, eventLoop) {
    const { name, number } = call;
    const run = this.begin();
    const end = () => {
      run.hasEnded = true;
      unanswered.delete(number);
    };
    const fail = (error) => {
      end();
      if (name === 'lock' || name === 'unlock') this.#use(-1);
      const message = `the application's storage failed: its ${name} ${described(error)}`;
      this.hasFailed(message, error);
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
      // The refresh no longer waits for this lock, and will not unlock it.
      if (name === 'lock' && value && !isInTime) {
        return this.serve({ name: 'unlock', number }, eventLoop);
      }
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
    if (this.#users > 0) locked.add(this);
    else locked.delete(this);
  }
}

/** Makes a storage call of the addon. */
function serve(call, eventLoop) {
  const storage = storages.get(call.receiver);
  if (storage !== undefined) storage.serve(call, eventLoop);
  else eventLoop.fail(call.number, 'the session and its storage were garbage collected');
}

/** This thread is ending: no promise will be settled any more. */
function abandon(eventLoop) {
  ending = true;
  const message = 'the program ended before the promise of the application\'s storage was settled';
  for (const number of unanswered) eventLoop.fail(number, message);
  unanswered.clear();
}

/** Whether a refresh is between lock and unlock. */
const isInUse = () => locked.size > 0;

module.exports = { Storage, abandon, isInUse, serve };
