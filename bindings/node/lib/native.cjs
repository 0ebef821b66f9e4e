'use strict';
// Loads the addon and makes sure that it belongs to this JavaScript.

const { version } = require('../package.json');

let native;
try {
  native = require('../planetkey.node');
} catch (cause) {
  throw new Error(
    `the native part of planetkey does not load on ${process.platform}-${process.arch}: build it with "npm run build" in bindings/node`,
    { cause },
  );
}
if (native.version() !== version) {
  throw new Error(`planetkey ${version} found the addon of version ${native.version()}: build or install it again`);
}

module.exports = native;
