'use strict';

/**
 * Objects that the addon knows by number, and that are not kept alive by that: what a session's functions know of that session would otherwise
 * keep both for ever.
 */
class Registry {
  #objects = new Map();
  #forgotten = new FinalizationRegistry((number) => this.#objects.delete(number));
  #last = 0;

  /** The number of the object. */
  add(object) {
    this.#last += 1;
    this.#objects.set(this.#last, new WeakRef(object));
    this.#forgotten.register(object, this.#last);
    return this.#last;
  }

  get(number) {
    return this.#objects.get(number)?.deref();
  }
}

module.exports = { Registry };
