'use strict';
// The types of arguments. What a value means is the core's business. No message repeats a value, which may be a secret.

const { failure } = require('./errors.cjs');

const invalid = (message, options) => failure('INVALID_ARGUMENT', message, options);

/** A string that UTF-8 can hold. */
function text(value, name) {
  if (typeof value !== 'string') throw invalid(`${name} must be a string`);
  if (!value.isWellFormed()) throw invalid(`${name} has half of a surrogate pair in it`);
  return value;
}

function texts(value, name) {
  if (!Array.isArray(value)) throw invalid(`${name} must be an array of strings`);
  return Array.from(value, (item) => text(item, `each item of ${name}`));
}

function wholeNumber(value, name) {
  if (!Number.isSafeInteger(value) || value < 0) throw invalid(`${name} must be a whole number, zero or more`);
  return value;
}

function boolean(value, name) {
  if (typeof value !== 'boolean') throw invalid(`${name} must be true or false`);
  return value;
}

/** A string as it is, an object as its JSON text. */
function json(value, name) {
  if (value === null || typeof value !== 'object') return text(value, `${name}, if no object,`);
  let document;
  try {
    document = JSON.stringify(value);
  } catch (cause) {
    throw invalid(`${name} cannot be written as JSON`, { cause });
  }
  return text(document, `${name}, written as JSON,`);
}

function record(value, name) {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object') throw invalid(`${name} must be an object`);
  return value;
}

/** An object with the functions of a storage. */
function storage(value, name) {
  if (value === null || typeof value !== 'object') throw invalid(`${name} must be an object`);
  for (const required of ['load', 'save']) {
    if (typeof value[required] !== 'function') throw invalid(`${name} must have the functions load and save`);
  }
  const given = ['lock', 'unlock'].map((optional) => value[optional]).filter((optional) => optional !== undefined && optional !== null);
  if (given.length === 1) throw invalid(`${name} must have both lock and unlock, or neither`);
  if (!given.every((optional) => typeof optional === 'function')) throw invalid(`lock and unlock of ${name} must be functions`);
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
};

/** The options of a constructor as the addon takes them; undefined and null mean the default. */
function options(value, more = {}) {
  const checks = { ...OPTIONS, ...more };
  const checked = {};
  for (const [name, given] of Object.entries(record(value, 'options'))) {
    if (!Object.hasOwn(checks, name)) throw invalid(`there is no option of this name; there are ${Object.keys(checks).join(', ')}`);
    if (given !== undefined && given !== null) checked[name] = checks[name](given, name);
  }
  return checked;
}

/** The AbortSignal of a call. */
function signalOf(value) {
  const { signal } = record(value, 'options');
  if (signal === undefined || signal === null) return undefined;
  if (typeof signal !== 'object' || typeof signal.aborted !== 'boolean' || typeof signal.addEventListener !== 'function') {
    throw invalid('signal must be an AbortSignal');
  }
  return signal;
}

module.exports = { invalid, json, options, signalOf, storage, text, texts, wholeNumber };
