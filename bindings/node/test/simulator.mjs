// The simulator as a process of its own, and sessions that use it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import planetkey from '../index.mjs';

const BINARY = process.env.PLANETKEY_SIMULATOR_BINARY ?? join(import.meta.dirname, '../../../target/release/planetkey-simulator');

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
  requests = (target) => this.#control(`/requests?target=${target}`);
  count = async (target) => (await this.#control('/counters'))[target] ?? 0;

  async waitHeld(hold, count = 1) {
    const { reached } = await this.#control(`/wait?held=${hold}&count=${count}&timeout_ms=20000`);
    if (!reached) throw new Error(`nobody arrived in the hold ${hold}`);
  }

  get options() {
    return { deployment: this.deployment, allowInsecureLoopback: true };
  }

  /** A machine-to-machine session; no call in a test comes near its deadline. */
  m2mSession(options) {
    return planetkey.Session.fromM2m(this.client_id, this.client_secret, { timeoutMs: 600_000, ...this.options, ...options });
  }

  apiKeySession(transport) {
    return planetkey.Session.fromApiKey(this.api_key, { transport, ...this.options });
  }

  /** What a program needs to find credentials and simulator. */
  get variables() {
    return {
      PATH: process.env.PATH,
      HOME: this.directory,
      PLANETKEY_DEPLOYMENT: this.deployment,
      PLANETKEY_ALLOW_INSECURE_LOOPBACK: '1',
      PL_API_KEY: this.api_key,
      PL_AUTH_CLIENT_ID: this.client_id,
      PL_AUTH_CLIENT_SECRET: this.client_secret,
    };
  }
}
