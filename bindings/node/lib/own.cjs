'use strict';
// Reads objects of callers without the properties that other code added to Object.prototype: a
// polluted prototype must not become an option.

/** Whether this is the Object.prototype of this or another realm. */
const isRoot = (object) =>
  Object.getPrototypeOf(object) === null && Object.hasOwn(object, 'hasOwnProperty');

/** A property of the object or its classes, but not of Object.prototype. */
function member(object, name) {
  if (object === null || object === undefined) return undefined;
  if (typeof object !== 'object' && typeof object !== 'function') return undefined;
  let holder = object;
  while (holder !== null && (holder === object || !isRoot(holder))) {
    if (Object.hasOwn(holder, name)) return object[name];
    holder = Object.getPrototypeOf(holder);
  }
  return undefined;
}

/** An own property. */
function own(object, name) {
  if (object === null || object === undefined || !Object.hasOwn(object, name)) return undefined;
  return object[name];
}

/** The items of an array; a hole is undefined. */
const items = (array) =>
  Array.from({ __proto__: null, length: array.length }, (_, index) => own(array, index));

module.exports = { items, member, own };
