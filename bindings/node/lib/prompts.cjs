'use strict';
// Asking a person: a login waits on a thread of its own, and what must be shown is shown here.

const { AsyncResource } = require('node:async_hooks');
const { boolean, checked, text } = require('./arguments.cjs');
const { Registry } = require('./registry.cjs');

const prompters = new Registry();
/** Where the login cannot go on without an answer. */
const ANSWERED = new Set(['paste', 'other_user']);

/** What a person must see. */
class Prompt {
  #native;
  kind;
  message;
  url;
  userCode;
  verificationUri;
  verificationUriComplete;
  expiresInMs;
  browserOpened;

  constructor(native) {
    this.#native = native;
    this.kind = native.kind;
    this.message = native.message;
    this.url = native.url;
    this.userCode = native.userCode;
    this.verificationUri = native.verificationUri;
    this.verificationUriComplete = native.verificationUriComplete;
    this.expiresInMs = native.expiresInMs;
    this.browserOpened = native.browserOpened;
  }

  qrCode(given) {
    const { ascii } = checked(given, { ascii: boolean });
    return this.#native.qrCode(ascii ?? false);
  }
}

/** An application's function that shows prompts, for one login. */
class Prompter {
  number;
  #prompt;
  #failure;
  #giveUp;
  #over = false;
  /** For each answer that is waited for, what ends the waiting. */
  #unanswered = new Set();

  constructor(prompt) {
    // It is called by the event loop, and belongs to whoever called for the login.
    this.#prompt = AsyncResource.bind(prompt);
    this.number = prompters.add(this);
  }

  serve({ number, prompt: native }, eventLoop) {
    const end = () => eventLoop.cancel(number, 'the prompt failed; nothing was changed');
    if (this.#over) return end();
    const prompt = new Prompt(native);
    const isAnswered = ANSWERED.has(prompt.kind);
    const fail = (error) => {
      this.#unanswered.delete(end);
      this.#failure ??= { error };
      end();
      this.#giveUp?.();
    };
    const answer = (given) => {
      this.#unanswered.delete(end);
      if (!isAnswered) return;
      let value;
      try {
        value = given === undefined || given === null ? null : text(given, 'the answer of prompt');
      } catch (error) {
        return fail(error);
      }
      eventLoop.answer(number, value);
    };

    let given;
    try {
      given = this.#prompt(prompt);
    } catch (error) {
      return fail(error);
    }
    if (isAnswered) this.#unanswered.add(end);
    // Somebody may look at what is shown until the login is done.
    else eventLoop.answer(number, null);
    Promise.resolve(given).then(answer, fail);
  }

  /** Ends the login when a prompt fails after the login has gone on without its answer. */
  set giveUp(giveUp) {
    this.#giveUp = giveUp;
  }

  /** Nobody waits for an answer any more. */
  close() {
    this.#over = true;
    for (const end of this.#unanswered) end();
    this.#unanswered.clear();
  }

  /** Throws what the prompt threw, if it did. */
  check() {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** Makes a call of the addon. */
function ask(call, eventLoop) {
  const prompter = prompters.get(call.receiver);
  if (prompter !== undefined) prompter.serve(call, eventLoop);
  else eventLoop.cancel(call.number, 'the login was dropped, and its prompt with it; nothing was changed');
}

module.exports = { Prompt, Prompter, ask };
