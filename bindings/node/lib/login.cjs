'use strict';
// Logins of people.

const { abortSignal, boolean, callable, checked, text, texts, wholeNumber } = require('./arguments.cjs');
const { Prompt, Prompter } = require('./prompts.cjs');

const START = { scopes: texts, prompt: callable, timeoutMs: wholeNumber, allowOtherUser: boolean, signal: abortSignal };
const START_BROWSER = { ...START, page: text };
const LOGIN = { ...START_BROWSER, method: text, openBrowser: boolean, force: boolean };

/** What a login has brought, from the addon's JSON text. */
function loggedIn(json) {
  const { expires_at: expiresAt, ...rest } = JSON.parse(json);
  return { ...rest, expiresAt: expiresAt === null ? null : new Date(expiresAt * 1000) };
}

/**
 * The options of a login as the addon takes them, the signal, and the prompter. Whoever holds the prompter keeps it alive.
 *
 * `call(signal, start)` waits for the addon, here and below.
 */
function read(given, checks) {
  const { signal, prompt, ...options } = checked(given, checks);
  const prompter = prompt && new Prompter(prompt);
  return { signal, prompter, options: { __proto__: null, ...options, prompter: prompter?.number } };
}

/** What a prompt threw goes before what the login failed with for that reason. */
function reason(error, signal, prompter) {
  if (!signal?.aborted) prompter?.check();
  return error;
}

async function login(session, call, given) {
  const { signal, prompter, options } = read(given, LOGIN);
  try {
    const json = await call(signal, (cancellation) => {
      if (prompter !== undefined) prompter.giveUp = () => cancellation.cancel();
      return session.login(cancellation, options);
    });
    prompter?.check();
    return loggedIn(json);
  } catch (error) {
    throw reason(error, signal, prompter);
  } finally {
    prompter?.close();
  }
}

/** What both kinds of a login that is under way can do. */
class UnderWay {
  native;
  #call;
  #prompter;

  constructor(native, call, prompter) {
    this.native = native;
    this.#call = call;
    this.#prompter = prompter;
  }

  /** Aborting ends the whole login: there is nobody to wait for any more. */
  async run(signal, start) {
    try {
      return await this.#call(signal, start);
    } catch (error) {
      if (signal?.aborted) this.cancel().catch(() => {});
      throw reason(error, signal, this.#prompter);
    }
  }

  async poll(given) {
    const { signal } = checked(given, { signal: abortSignal });
    const { loggedIn: json, nextPollMs } = await this.run(signal, (cancellation) => this.native.poll(cancellation));
    return json === null ? { done: false, nextPollMs } : { done: true, loggedIn: loggedIn(json) };
  }

  async wait(given) {
    const { signal, timeoutMs } = checked(given, { timeoutMs: wholeNumber, signal: abortSignal });
    return loggedIn(await this.run(signal, (cancellation) => this.native.wait(cancellation, timeoutMs)));
  }

  async cancel() {
    this.#prompter?.close();
    await this.#call(undefined, () => this.native.cancel());
  }
}

class DeviceLogin {
  #underWay;
  userCode;
  verificationUri;
  verificationUriComplete;

  constructor(underWay) {
    this.#underWay = underWay;
    const { userCode, verificationUri, verificationUriComplete } = underWay.native;
    Object.assign(this, { userCode, verificationUri, verificationUriComplete });
  }

  get expiresInMs() {
    return this.#underWay.native.expiresInMs;
  }

  get prompt() {
    return new Prompt(this.#underWay.native.prompt);
  }

  qrCode(given) {
    return this.prompt.qrCode(given);
  }

  poll(given) {
    return this.#underWay.poll(given);
  }

  wait(given) {
    return this.#underWay.wait(given);
  }

  cancel() {
    return this.#underWay.cancel();
  }
}

class BrowserLogin {
  #underWay;
  authorizationUrl;
  redirectUri;

  constructor(underWay) {
    this.#underWay = underWay;
    const { authorizationUrl, redirectUri } = underWay.native;
    Object.assign(this, { authorizationUrl, redirectUri });
  }

  get expiresInMs() {
    return this.#underWay.native.expiresInMs;
  }

  poll(given) {
    return this.#underWay.poll(given);
  }

  wait(given) {
    return this.#underWay.wait(given);
  }

  async complete(url, given) {
    text(url, 'url');
    const { signal } = checked(given, { signal: abortSignal });
    return loggedIn(await this.#underWay.run(signal, (cancellation) => this.#underWay.native.complete(cancellation, url)));
  }

  cancel() {
    return this.#underWay.cancel();
  }
}

/** `start(cancellation, options)` gives the addon's login. */
async function begin(call, given, checks, start) {
  const { signal, prompter, options } = read(given, checks);
  let started;
  try {
    const native = await call(signal, (cancellation) => {
      started = start(cancellation, options);
      return started;
    });
    return new UnderWay(native, call, prompter);
  } catch (error) {
    // What comes in spite of an abort must not keep its port.
    started?.then((native) => native.cancel(), () => {});
    throw error;
  }
}

const startDeviceLogin = async (session, call, given) =>
  new DeviceLogin(await begin(call, given, START, (cancellation, options) => session.startDeviceLogin(cancellation, options)));

const startBrowserLogin = async (session, call, given) =>
  new BrowserLogin(await begin(call, given, START_BROWSER, (cancellation, options) => session.startBrowserLogin(cancellation, options)));

module.exports = { login, startBrowserLogin, startDeviceLogin };
