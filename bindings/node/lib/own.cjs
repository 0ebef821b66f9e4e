'use strict';
// Reading objects that a caller made, without what other code added to Object.prototype: a polluted prototype must not become an option.

/** Whether this is the Object.prototype of this realm or another one. */
const isRoot = (object) => Object.getPrototypeOf(object) === null && Object.hasOwn(object, 'hasOwnProperty');

/** A property of the object or its classes, but not of Object.prototype. */
function member(object, name) {
  if (object === null || object === undefined) return undefined;
  if (typeof object !== 'object' && typeof object !== 'function') return undefined;
  for (let holder = object; holder !== null && (holder === object || !isRoot(holder)); holder = Object.getPrototypeOf(holder)) {
    if (Object.hasOwn(holder, name)) return object[name];
  }
  return undefined;
}

/** An own property. */
const own = (object, name) => (object !== null && object !== undefined && Object.hasOwn(object, name) ? object[name] : undefined);

/** The items of an array; a hole is undefined. */
const items = (array) => Array.from({ __proto__: null, length: array.length }, (_, index) => own(array, index));

module.exports = { items, member, own };
