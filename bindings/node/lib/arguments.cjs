'use strict';
// Checks the types of arguments. The core decides what a value means. No message repeats a value,
// because it may be a secret.

const { failure } = require('./errors.cjs');
const { nearest } = require('./nearest.cjs');
const { items, member, own } = require('./own.cjs');

const invalid = (message, options) => failure('INVALID_ARGUMENT', message, options);

/** A string that UTF-8 can represent. */
function text(value, name) {
  if (typeof value !== 'string') throw invalid(`${name} must be a string`);
  if (!value.isWellFormed()) throw invalid(`${name} contains half of a surrogate pair`);
  return value;
}

function texts(value, name) {
  if (!Array.isArray(value)) throw invalid(`${name} must be an array of strings`);
  return items(value).map((item) => text(item, `each item of ${name}`));
}

function wholeNumber(value, name) {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw invalid(`${name} must be a whole number, zero or more`);
  }
  return value;
}

function boolean(value, name) {
  if (typeof value !== 'boolean') throw invalid(`${name} must be true or false`);
  return value;
}

/** A string as it is, an object as its JSON text. */
function json(value, name) {
  if (value === null || typeof value !== 'object') return text(value, `${name}, if not an object,`);
  let document;
  try {
    document = JSON.stringify(value);
  } catch (cause) {
    throw invalid(`${name} cannot be written as JSON`, { __proto__: null, cause });
  }
  return text(document, `${name}, written as JSON,`);
}

function record(value, name) {
  if (value === undefined || value === null) return { __proto__: null };
  if (typeof value !== 'object') throw invalid(`${name} must be an object`);
  return value;
}

/** An object with the functions of a storage. */
function storage(value, name) {
  if (value === null || typeof value !== 'object') throw invalid(`${name} must be an object`);
  for (const required of ['load', 'save']) {
    if (typeof member(value, required) !== 'function') {
      throw invalid(`${name} must have the functions load and save`);
    }
  }
  const given = ['lock', 'unlock']
    .map((optional) => member(value, optional))
    .filter((optional) => optional !== undefined && optional !== null);
  if (given.length === 1) throw invalid(`${name} must have both lock and unlock, or neither`);
  if (!given.every((optional) => typeof optional === 'function')) {
    throw invalid(`lock and unlock of ${name} must be functions`);
  }
  return value;
}

function callable(value, name) {
  if (typeof value !== 'function') throw invalid(`${name} must be a function`);
  return value;
}

function abortSignal(value, name) {
  const isObject = value !== null && typeof value === 'object';
  if (!isObject || typeof value.aborted !== 'boolean' || typeof value.addEventListener !== 'function') {
    throw invalid(`${name} must be an AbortSignal`);
  }
  return value;
}

const OPTIONS = {
  save: boolean,
  storageRoot: text,
  timeoutMs: wholeNumber,
  deployment: json,
  allowedHosts: texts,
  allowInsecureLoopback: boolean,
  caFile: text,
  proxy: text,
  store: text,
};

/** The error for an option that does not exist. A name that is no identifier is not repeated. */
function unknown(name, known) {
  const named = /^[A-Za-z_]\w{0,39}$/.test(name) ? `unknown option '${name}'` : 'unknown option';
  const near = nearest(name.slice(0, 40), known);
  if (near !== undefined) return invalid(`${named}: did you mean '${near}'?`);
  return invalid(`${named}: the options are ${known.join(', ')}`);
}

/** Checked options, as an object without a prototype; undefined and null mean the default. */
function checked(value, checks) {
  const result = { __proto__: null };
  for (const [name, given] of Object.entries(record(value, 'options'))) {
    if (!Object.hasOwn(checks, name)) throw unknown(name, Object.keys(checks));
    if (given !== undefined && given !== null) result[name] = checks[name](given, name);
  }
  return result;
}

/** The options of a constructor as the addon takes them. */
const options = (value, more = {}) => checked(value, { ...OPTIONS, ...more });

/** The AbortSignal of a call. */
function signalOf(value) {
  // Most calls have no options.
  if (value === undefined || value === null) return undefined;
  return checked(value, SIGNAL).signal;
}
const SIGNAL = { signal: abortSignal };

module.exports = {
  abortSignal, boolean, callable, checked, invalid, json, options, signalOf, storage, text, texts,
  wholeNumber,
};
