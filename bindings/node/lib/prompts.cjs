'use strict';
// Calls the prompt functions of applications. The login waits on its own thread meanwhile.

const { AsyncResource } = require('node:async_hooks');
const { boolean, checked, text } = require('./arguments.cjs');
const { Registry } = require('./registry.cjs');

const prompters = new Registry();
/** The kinds that need an answer. */
const ANSWERED = new Set(['paste', 'other_user']);

/** What a user who logs in must see. */
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

/** The prompt function of one login. */
class Prompter {
  number;
  #prompt;
  #failure;
  #giveUp;
  #isClosed = false;
  /** Cancels each prompt whose answer is pending. */
  #unanswered = new Set();

  constructor(prompt) {
    // The event loop calls it, in the asynchronous context of the caller of login().
    this.#prompt = AsyncResource.bind(prompt);
    this.number = prompters.add(this);
  }

  serve({ number, prompt: native }, eventLoop) {
    const end = () => eventLoop.cancel(number, 'the prompt failed; nothing was changed');
    if (this.#isClosed) return end();
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
    // The login continues while the prompt is shown.
    else eventLoop.answer(number, null);
    Promise.resolve(given).then(answer, fail);
  }

  /** Cancels the login if a prompt fails later that needs no answer. */
  set giveUp(giveUp) {
    this.#giveUp = giveUp;
  }

  /** Cancels all prompts. */
  close() {
    this.#isClosed = true;
    for (const end of this.#unanswered) end();
    this.#unanswered.clear();
  }

  /** Throws what the prompt function threw. */
  check() {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** Makes a prompt call of the addon. */
function ask(call, eventLoop) {
  const prompter = prompters.get(call.receiver);
  if (prompter !== undefined) prompter.serve(call, eventLoop);
  else eventLoop.cancel(call.number, 'the login was garbage collected; nothing was changed');
}

module.exports = { Prompt, Prompter, ask };
