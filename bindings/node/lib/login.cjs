'use strict';
// Logins of users.

const {
  abortSignal, boolean, callable, checked, signalOf, text, texts, wholeNumber,
} = require('./arguments.cjs');
const { Prompt, Prompter } = require('./prompts.cjs');

const START = {
  scopes: texts,
  prompt: callable,
  timeoutMs: wholeNumber,
  allowOtherUser: boolean,
  signal: abortSignal,
};
const START_BROWSER = { ...START, page: text };
const LOGIN = { ...START_BROWSER, method: text, openBrowser: boolean, force: boolean };

/** A LoginResult, from the addon's JSON text. */
function loginResult(json) {
  const { expires_at: expiresAt, ...rest } = JSON.parse(json);
  return { ...rest, expiresAt: expiresAt === null ? null : new Date(expiresAt * 1000) };
}

/**
 * The options of a login as the addon takes them, the signal, and the prompter. The addon does not
 * keep the prompter alive: the caller must hold it until the login has ended.
 */
function read(given, checks) {
  const { signal, prompt, ...options } = checked(given, checks);
  const prompter = prompt && new Prompter(prompt);
  return { signal, prompter, options: { __proto__: null, ...options, prompter: prompter?.number } };
}

/** Throws what the prompt function threw, if that made the login fail; else returns `error`. */
function reason(error, signal, prompter) {
  if (!signal?.aborted) prompter?.check();
  return error;
}

/** Logs in. `call(signal, start)` waits for the addon, here and below. */
async function login(session, call, given) {
  const { signal, prompter, options } = read(given, LOGIN);
  try {
    const json = await call(signal, (cancellation) => {
      if (prompter !== undefined) prompter.giveUp = () => cancellation.cancel();
      return session.login(cancellation, options);
    });
    prompter?.check();
    return loginResult(json);
  } catch (error) {
    throw reason(error, signal, prompter);
  } finally {
    prompter?.close();
  }
}

/** What device and browser logins have in common while they are pending. */
class Pending {
  native;
  #call;
  #prompter;

  constructor(native, call, prompter) {
    this.native = native;
    this.#call = call;
    this.#prompter = prompter;
  }

  /** Waits for the addon. An abort cancels the whole login, not only this call. */
  async run(signal, start) {
    try {
      return await this.#call(signal, start);
    } catch (error) {
      if (signal?.aborted) this.cancel().catch(() => {});
      throw reason(error, signal, this.#prompter);
    }
  }

  async poll(given) {
    const json = await this.run(signalOf(given), (cancellation) => this.native.poll(cancellation));
    return json === null ? null : loginResult(json);
  }

  async wait(given) {
    const { signal, timeoutMs } = checked(given, { timeoutMs: wholeNumber, signal: abortSignal });
    const start = (cancellation) => this.native.wait(cancellation, timeoutMs);
    return loginResult(await this.run(signal, start));
  }

  async cancel() {
    this.#prompter?.close();
    await this.#call(undefined, () => this.native.cancel());
  }
}

class DeviceLogin {
  #pending;
  userCode;
  verificationUri;
  verificationUriComplete;

  constructor(pending) {
    this.#pending = pending;
    const { userCode, verificationUri, verificationUriComplete } = pending.native;
    Object.assign(this, { userCode, verificationUri, verificationUriComplete });
  }

  get expiresInMs() {
    return this.#pending.native.expiresInMs;
  }

  get pollIntervalMs() {
    return this.#pending.native.pollIntervalMs;
  }

  get prompt() {
    return new Prompt(this.#pending.native.prompt);
  }

  qrCode(given) {
    return this.prompt.qrCode(given);
  }

  poll(given) {
    return this.#pending.poll(given);
  }

  wait(given) {
    return this.#pending.wait(given);
  }

  cancel() {
    return this.#pending.cancel();
  }
}

class BrowserLogin {
  #pending;
  authorizationUrl;
  redirectUri;

  constructor(pending) {
    this.#pending = pending;
    const { authorizationUrl, redirectUri } = pending.native;
    Object.assign(this, { authorizationUrl, redirectUri });
  }

  get expiresInMs() {
    return this.#pending.native.expiresInMs;
  }

  get pollIntervalMs() {
    return this.#pending.native.pollIntervalMs;
  }

  poll(given) {
    return this.#pending.poll(given);
  }

  wait(given) {
    return this.#pending.wait(given);
  }

  async complete(url, given) {
    text(url, 'url');
    const start = (cancellation) => this.#pending.native.complete(cancellation, url);
    return loginResult(await this.#pending.run(signalOf(given), start));
  }

  cancel() {
    return this.#pending.cancel();
  }
}

/** Starts a login. `start(cancellation, options)` returns the addon's login. */
async function begin(call, given, checks, start) {
  const { signal, prompter, options } = read(given, checks);
  let started;
  try {
    const native = await call(signal, (cancellation) => {
      started = start(cancellation, options);
      return started;
    });
    return new Pending(native, call, prompter);
  } catch (error) {
    // A login that starts in spite of an abort must not keep its port open.
    started?.then((native) => native.cancel(), () => {});
    throw error;
  }
}

async function startDeviceLogin(session, call, given) {
  const start = (cancellation, options) => session.startDeviceLogin(cancellation, options);
  return new DeviceLogin(await begin(call, given, START, start));
}

async function startBrowserLogin(session, call, given) {
  const start = (cancellation, options) => session.startBrowserLogin(cancellation, options);
  return new BrowserLogin(await begin(call, given, START_BROWSER, start));
}

module.exports = { login, startBrowserLogin, startDeviceLogin };
