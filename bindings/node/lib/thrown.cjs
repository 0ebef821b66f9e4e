'use strict';
// What functions of an application threw or returned, in messages.

/** A function returned something unusable. */
class Unfit extends Error {}

/** Describes what was thrown, which may be anything, without a secret. */
function described(thrown) {
  if (thrown instanceof Unfit) return thrown.message;
  try {
    const isWord = (word) => typeof word === 'string' && /^\w{1,60}$/.test(word);
    const words = [thrown.name, thrown.code].filter(isWord);
    if (words.length > 0) return `threw ${words.join(' ')}`;
  } catch {
    // Reading its properties throws, too.
  }
  return `threw ${thrown === null ? 'null' : `a value of type ${typeof thrown}`}`;
}

module.exports = { Unfit, described };
