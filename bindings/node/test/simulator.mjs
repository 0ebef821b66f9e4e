// The simulator as a process of its own, and sessions that use it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import planetkey from '../index.mjs';

const BINARY = process.env.PLANETKEY_SIMULATOR_BINARY ?? join(import.meta.dirname, '../../../target/release/planetkey-simulator');

/** What a program begins with that uses the package. */
export const ENTRY = JSON.stringify(pathToFileURL(join(import.meta.dirname, '../index.mjs')).href);

export class Simulator {
  #process;

  static async start(...args) {
    const simulator = new Simulator();
    simulator.#process = spawn(BINARY, ['--until-stdin-closes', ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    const failed = once(simulator.#process, 'exit').then(([code]) => {
      throw new Error(`the simulator ended with ${code}`);
    });
    failed.catch(() => {});
    const [line] = await Promise.race([once(createInterface(simulator.#process.stdout), 'line'), failed]);
    return Object.assign(simulator, JSON.parse(line));
  }

  async stop() {
    const ended = once(this.#process, 'exit');
    this.#process.stdin.end();
    await ended;
  }

  async #control(path, body) {
    const response = await fetch(`${this.control}${path}`, body && { method: 'POST', body: JSON.stringify(body) });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    return answer;
  }

  reset = () => this.#control('/reset', {});
  settings = (changes) => this.#control('/settings', changes);
  script = (target, ...steps) => this.#control('/script', { target, steps });
  always = (target, step) => this.#control('/script', { target, steps: [step], repeat: true });
  release = (hold) => this.#control('/release', { hold });
  revoke = (what) => this.#control('/revoke', what);
  /** A user session without a browser: the response to a login. */
  login = (options = {}) => this.#control('/sessions', options);
  addClient = (client) => this.#control('/clients', client);
  /** A user enters the code of a device. */
  approve = (userCode, options = {}) => this.#control('/login', { user_code: userCode, ...options });
  /** A user completes the pages. Returns where the browser is redirected to. */
  browse = async (url, options = {}) => (await this.#control('/login', { authorization_url: url, ...options })).location;
  sessionOf = (token) => this.#control(`/sessions?token=${token}`);
  requests = (target) => this.#control(`/requests?target=${target}`);
  count = async (target) => (await this.#control('/counters'))[target] ?? 0;

  async waitCount(target, count) {
    const { reached } = await this.#control(`/wait?target=${target}&count=${count}&timeout_ms=20000`);
    if (!reached) throw new Error(`${target} has had fewer than ${count} requests`);
  }

  async waitHeld(hold, count = 1) {
    const { reached } = await this.#control(`/wait?held=${hold}&count=${count}&timeout_ms=20000`);
    if (!reached) throw new Error(`no request reached the hold ${hold}`);
  }

  get options() {
    return { deployment: this.deployment, allowInsecureLoopback: true, storageRoot: this.home };
  }

  /** A session of an M2M client. No call of a test comes near its deadline. */
  m2mSession(options) {
    return planetkey.Session.fromM2m(this.client_id, this.client_secret, { timeoutMs: 600_000, ...this.options, ...options });
  }

  /** A user session on disk, as a login of Planet's own tools saves it. Expired by default. */
  async savedLogin(options = {}) {
    const tokens = await this.login({ age: 7200, ...options });
    this.#saveTokens('planet-user', tokens);
    return tokens;
  }

  /** A token of the M2M client on disk that expires in so many seconds. Returns it. */
  async savedM2mToken(seconds) {
    const lifetime = 3600;
    const exp = Math.floor(Date.now() / 1000) + seconds;
    const claims = { iat: exp - lifetime, exp };
    const { access_token: token } = await this.#control('/token', { claims });
    const tokens = { access_token: token, expires_in: lifetime, token_type: 'Bearer' };
    this.#saveTokens(`planet-m2m-${this.client_id}`, { ...tokens, _iat: claims.iat, _exp: claims.exp });
    return token;
  }

  #saveTokens(profile, tokens) {
    const directory = join(this.home, '.planet', profile);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(join(directory, 'token.json'), JSON.stringify(tokens), { mode: 0o600 });
  }

  /** What `token.json` of a profile holds. */
  savedTokens(profile = 'planet-user') {
    return JSON.parse(readFileSync(join(this.home, '.planet', profile, 'token.json'), 'utf8'));
  }

  userSession(options) {
    return planetkey.Session.fromProfile('planet-user', { timeoutMs: 600_000, ...this.options, ...options });
  }

  apiKeySession(transport) {
    return planetkey.Session.fromApiKey(this.api_key, { transport, ...this.options });
  }

  /** What a program needs to find credentials and simulator. */
  get variables() {
    return {
      PATH: process.env.PATH,
      HOME: this.home,
      PLANETKEY_DEPLOYMENT: this.deployment,
      PLANETKEY_ALLOW_INSECURE_LOOPBACK: '1',
      PL_API_KEY: this.api_key,
      PL_AUTH_CLIENT_ID: this.client_id,
      PL_AUTH_CLIENT_SECRET: this.client_secret,
    };
  }

  /** Starts a program; `said` is called with each line that it prints. */
  start(program, { environment = {}, flags = [], said = () => {} } = {}) {
    const child = spawn(process.execPath, [...flags, '--input-type=module', '--eval', program], {
      env: { ...this.variables, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    createInterface(child.stdout).on('line', said);
    return Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]).then(
      ([output, errors, [code, signal]]) => ({ output, errors, code, signal }),
    );
  }

  /** Runs a program until it exits, and returns its output. */
  async run(program, options) {
    const { output, errors, code, signal } = await this.start(program, options);
    if (code !== 0 || errors !== '') throw new Error(`the program ended with ${code ?? signal}: ${errors}`);
    return output;
  }
}
