'use strict';

/**
 * Objects that the addon knows by number.
 *
 * The registry holds weak references. A strong one would leak every session whose storage functions
 * refer to that session.
 */
class Registry {
  #objects = new Map();
  #collected = new FinalizationRegistry((number) => this.#objects.delete(number));
  #last = 0;

  /** Gives the object a number. */
  add(object) {
    this.#last += 1;
    this.#objects.set(this.#last, new WeakRef(object));
    this.#collected.register(object, this.#last);
    return this.#last;
  }

  get(number) {
    return this.#objects.get(number)?.deref();
  }
}

module.exports = { Registry };
