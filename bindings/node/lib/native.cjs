'use strict';
// Loads the addon and checks that it has the version of this JavaScript.

const { version } = require('../package.json');

let native;
try {
  native = require('../planetkey.node');
} catch (cause) {
  throw new Error(
    `the addon of planetkey does not load on ${process.platform}-${process.arch}: ` +
      'run "npm run build" in bindings/node',
    { cause },
  );
}
if (native.version() !== version) {
  throw new Error(
    `the addon has version ${native.version()} instead of ${version}: build or install it again`,
  );
}

module.exports = native;
