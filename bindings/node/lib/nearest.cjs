'use strict';

/** More differences than this are no typing error. */
const MAX_DISTANCE = 3;

/** How many characters must be inserted, deleted or replaced to make `b` of `a`. */
function distance(a, b) {
  let row = Array.from({ __proto__: null, length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(replaced, row[j] + 1, next[j - 1] + 1);
    }
    row = next;
  }
  return row[b.length];
}

/** The name that was probably meant; undefined where none is near. Case does not count. */
function nearest(given, names) {
  const lower = given.toLowerCase();
  const limit = Math.min(MAX_DISTANCE, Math.floor(given.length / 2));
  let best;
  let least = limit + 1;
  for (const name of names) {
    const needed = distance(lower, name.toLowerCase());
    if (needed < least) [best, least] = [name, needed];
  }
  return best;
}

module.exports = { nearest };
