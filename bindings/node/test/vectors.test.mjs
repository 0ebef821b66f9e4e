// Drives the shared cases of tests/vectors; its README documents their form. Only translation
// happens here.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import planetkey from '../index.mjs';
import { Simulator } from './simulator.mjs';

const { PlanetkeyError, Session } = planetkey;
const DIRECTORY = join(import.meta.dirname, '../../../tests/vectors');
const WRONG_CASES = 'must_fail.json';
// How far an expiry may be from now plus its life: the time that a case takes, not a promise.
const EXPIRY_TOLERANCE_S = 60;
// Nothing of the developer's machine may reach a case.
const FOREIGN = /^(PL_|PLANET_|PLANETKEY_(?!SIMULATOR|VECTORS)|SH_|(HTTPS?|ALL|NO)_PROXY$|SSL_CERT_FILE$|REQUESTS_CA_BUNDLE$|CURL_CA_BUNDLE$|XDG_CONFIG_HOME$)/i;

const cases = (name) => JSON.parse(readFileSync(join(DIRECTORY, name), 'utf8')).cases;
const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const has = (object, name) => Object.prototype.hasOwnProperty.call(object, name);

/** Names in snake_case, dates in Unix seconds: as the cases spell it. */
function spelled(value) {
  if (value instanceof Date) return value.getTime() / 1000;
  if (Array.isArray(value)) return value.map(spelled);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [snake(name), spelled(member)]));
}

let simulator;
let variables;
const executed = [];
let failed = 0;

before(async () => {
  for (const name of Object.keys(process.env)) if (FOREIGN.test(name)) delete process.env[name];
  simulator = await Simulator.start();
  const { planet_api, sentinel_hub_api, token_endpoint, proxy, client_id, client_secret, deployment, ca } = simulator;
  variables = { planet_api, sentinel_hub_api, token_endpoint, proxy, client_id, client_secret, deployment, ca };
  for (const name of ['m2m', 'tls', 'generic']) variables[`${name}_issuer`] = simulator[name];
  variables.long = 'a'.repeat(65_536);
});

after(async () => {
  await simulator?.stop();
  const report = process.env.PLANETKEY_VECTORS_REPORT;
  if (report) writeFileSync(report, executed.map((id) => `${id}\n`).join(''));
  console.log(`${executed.length - failed} passed, ${failed} failed`);
});

async function control(path, body) {
  const response = await fetch(simulator.control + path, body && { method: 'POST', body: JSON.stringify(body) });
  const answer = await response.json();
  assert.ok(response.ok, answer.error);
  return answer;
}

function resolve(value, home) {
  if (typeof value === 'string') {
    return value.replace(/\$\{(\w+)\}/g, (_, name) => {
      const replacement = name === 'home' ? home : variables[name];
      assert.ok(replacement !== undefined, `unknown variable ${name}`);
      return replacement;
    });
  }
  if (Array.isArray(value)) return value.map((item) => resolve(item, home));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, resolve(member, home)]));
}

async function run(written) {
  const home = mkdtempSync(join(tmpdir(), 'planetkey-vectors-'));
  const environment = { ...written.environment, HOME: home };
  const kept = { HOME: process.env.HOME };
  try {
    const one = resolve(written, home);
    Object.assign(environment, one.environment);
    await control('/reset', {});
    if (one.settings) await control('/settings', one.settings);
    for (const client of one.clients ?? []) await control('/clients', client);
    for (const script of one.script ?? []) await control('/script', script);
    for (const [path, content] of Object.entries(one.files ?? {})) {
      mkdirSync(dirname(join(home, path)), { recursive: true });
      writeFileSync(join(home, path), typeof content === 'string' ? content : JSON.stringify(content));
    }
    // A session of the user's server, as its token file.
    for (const seed of one.seed ?? []) {
      mkdirSync(dirname(join(home, seed.path)), { recursive: true });
      const answer = { ...(await control('/sessions', seed.session)), ...seed.set };
      writeFileSync(join(home, seed.path), JSON.stringify(answer));
    }
    Object.assign(process.env, environment);
    let session = null;
    if (one.session) {
      try {
        session = open(one.session);
      } catch (error) {
        if (!(error instanceof PlanetkeyError)) throw error;
        session = error;
      }
    }
    for (const step of one.before ?? []) await check(session, step.call, step.expect);
    await check(session, one.call, one.expect);
  } finally {
    for (const name of Object.keys(environment)) delete process.env[name];
    Object.assign(process.env, kept);
    await removeHome(home);
  }
}

/** A refresh that a case leaves pending may still be writing. */
async function removeHome(home) {
  for (let attempts = 100; ; attempts--) {
    try {
      return rmSync(home, { recursive: true, force: true });
    } catch (error) {
      if (error.code !== 'ENOTEMPTY' || attempts === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function open(session) {
  const known = ['save', 'storage_root', 'timeout_ms', 'deployment', 'allowed_hosts', 'allow_insecure_loopback', 'ca_file', 'proxy', 'store'];
  const options = {};
  for (const [name, value] of Object.entries(session.options ?? {})) {
    assert.ok(known.includes(name), `unknown option ${name}`);
    options[camel(name)] = value;
  }
  for (const name of ['transport', 'scopes', 'audience', 'profile']) if (has(session, name)) options[name] = session[name];
  switch (session.from) {
    case 'defaults':
      return Session.fromDefaults(options);
    case 'profile':
      return Session.fromProfile(session.name, options);
    case 'api_key':
      return Session.fromApiKey(session.api_key, options);
    case 'm2m':
      return Session.fromM2m(session.client_id, session.client_secret, options);
    case 'client_config':
      return Session.fromClientConfig(has(session, 'json') ? session.json : session.config, options);
    default:
      assert.fail(`unknown session ${session.from}`);
  }
}

async function check(session, call, expect) {
  let outcome;
  try {
    outcome = await perform(session, call);
  } catch (error) {
    if (!(error instanceof PlanetkeyError) || !has(expect, 'error')) throw error;
    outcome = error;
  }
  for (const [member, wanted] of Object.entries(expect)) {
    if (member === 'requests') {
      const counters = await control('/counters');
      assert.deepEqual(Object.fromEntries(Object.keys(wanted).map((target) => [target, counters[target] ?? 0])), wanted);
    } else if (member === 'token_request') {
      assert.deepEqual((await control('/requests?target=m2m.token')).at(-1)?.form, wanted);
    } else if (member === 'files') {
      for (const [path, content] of Object.entries(wanted)) checkFile(join(process.env.HOME, path), content);
    } else if (member === 'error') {
      assert.ok(outcome instanceof PlanetkeyError, 'there was no error');
      checkError(wanted, outcome);
    } else if (outcome instanceof PlanetkeyError) {
      continue;
    } else if (member === 'expires_in_s') {
      assert.ok(outcome.expires_at !== null, 'no expiry');
      assert.ok(Math.abs(outcome.expires_at - Date.now() / 1000 - wanted) <= EXPIRY_TOLERANCE_S, `expires at ${outcome.expires_at}`);
    } else if (member === 'status') {
      checkSubset(wanted, outcome.status);
    } else {
      assert.ok(has(outcome, member), `unknown expectation ${member}`);
      assert.deepEqual(outcome[member], wanted);
    }
  }
}

/** The authorization of the last call of authorize or authorize_if_served of the case. */
let last;

/** What authorize gives, and `nothing` for null. */
function shown(authorization, nothing) {
  if (authorization === null) return nothing;
  // A header's name is no member's name: it keeps its spelling.
  return { ...spelled({ ...authorization }), headers: authorization.headers };
}

async function perform(session, call) {
  switch (call.op) {
    case 'strip_api_key':
      return { value: planetkey.stripApiKey(call.url) };
    case 'redact_url':
      return { value: planetkey.redactUrl(call.url) };
    case 'release':
      await simulator.release(call.hold);
      return {};
    case 'open':
      if (session instanceof PlanetkeyError) throw session;
      assert.ok(session, 'open needs a session');
      return {};
  }
  // Only `open` may find that a session cannot be opened.
  assert.ok(session instanceof Session, `${call.op} needs a session: ${session}`);
  const used = has(call, 'timeout_ms') ? session.withTimeoutMs(call.timeout_ms) : session;
  switch (call.op) {
    case 'authorize':
      return shown((last = await used.authorize(call.url)));
    case 'headers':
      return { headers: await used.headers(call.url) };
    case 'signed_url':
      return { value: used.signedUrl(call.url) };
    case 'access_token':
      return { value: await used.accessToken() };
    case 'api_key':
      return { value: used.apiKey() };
    case 'invalidate':
      return { value: used.invalidate(call.access_token) };
    case 'authorize_if_served':
      return shown((last = await used.authorizeIfServed(call.url)), { served: false });
    case 'after_response':
      return shown(await used.afterResponse(last, call.http_status, call.www_authenticate), { repeat: false });
    case 'refresh':
      await used.refresh();
      return {};
    case 'logout':
      return { value: (await used.logout()).removed };
    case 'status':
      return { status: spelled(used.status()) };
    case 'is_initialized':
      return { value: used.isInitialized() };
    default:
      assert.fail(`unknown op ${call.op}`);
  }
}

/** Members that are not named may be anything; lists have the same length. */
function checkSubset(wanted, actual) {
  if (Array.isArray(wanted)) {
    assert.equal(actual.length, wanted.length);
    wanted.forEach((item, index) => checkSubset(item, actual[index]));
  } else if (wanted !== null && typeof wanted === 'object') {
    for (const [name, member] of Object.entries(wanted)) {
      assert.ok(has(actual, name), `no member ${name}`);
      checkSubset(member, actual[name]);
    }
  } else {
    assert.equal(actual, wanted);
  }
}

/** Null: no such file; a text: exactly that; an object: JSON with these members. */
function checkFile(path, wanted) {
  assert.equal(existsSync(path), wanted !== null, path);
  if (wanted === null) return;
  if (typeof wanted === 'string') assert.equal(readFileSync(path, 'utf8'), wanted);
  else checkSubset(wanted, JSON.parse(readFileSync(path, 'utf8')));
}

/** What an expectation does not name, the error must not have; only the message is free. */
function checkError({ message_contains = [], message_lacks = [], ...wanted }, error) {
  const names = ['retryable', 'reason', 'oauth_error', 'oauth_error_description', 'http_status', 'retry_after_ms', 'profile'];
  const actual = Object.fromEntries(names.map((name) => [name, error[camel(name)]]));
  actual.status = error.code;
  for (const name of Object.keys(wanted)) assert.ok(has(actual, name), `unknown expectation ${name}`);
  for (const [name, value] of Object.entries(actual)) {
    const expected = wanted[name] ?? null;
    if (Array.isArray(expected)) {
      const [least, most] = expected;
      assert.ok(typeof value === 'number' && least <= value && value <= most, `${name} is ${value}`);
    } else {
      assert.equal(value, expected, `${name}: ${error.message}`);
    }
  }
  assert.match(error.message, /^[^\r\n]+$/);
  for (const part of message_contains) assert.ok(error.message.includes(part), error.message);
  for (const part of message_lacks) assert.ok(!error.message.includes(part), error.message);
}

const suites = readdirSync(DIRECTORY).filter((name) => name.endsWith('.json') && name !== 'errors.json' && name !== WRONG_CASES);
for (const suite of suites.sort()) {
  for (const one of cases(suite)) {
    test(one.id, async () => {
      executed.push(one.id);
      failed += 1;
      await run(one);
      failed -= 1;
    });
  }
}

// A driver that accepts everything would prove nothing.
for (const one of cases(WRONG_CASES)) {
  test(one.id, async () => {
    await assert.rejects(run(one), (error) => error instanceof assert.AssertionError || error instanceof PlanetkeyError);
  });
}
