'use strict';
// Loads the addon and checks that it has the version of this JavaScript.
//
// In the repository, and in a package that was built for one machine, the addon is beside
// index.cjs. The published package has optional dependencies with one addon each instead, and npm
// installs the one for the platform.

const { optionalDependencies = {}, version } = require('../package.json');

// npm only warns about "engines" of package.json.
if (Number.parseInt(process.versions.node, 10) < 20) {
  throw new Error(`planetkey needs Node 20 or later, and this is ${process.version}`);
}

const platform = `${process.platform}-${process.arch}`;

/** Whether the C library of this process is musl: the report names the version of glibc. */
function isMusl() {
  return process.report.getReport().header.glibcVersionRuntime === undefined;
}

function isInstalled(name) {
  try {
    require.resolve(name);
    return true;
  } catch {
    return false;
  }
}

function failure(what, cause) {
  return new Error(`the addon of planetkey does not load on ${platform}: ${what}`, { cause });
}

/** The installed package with the addon for this platform. */
function platformPackage() {
  const names = Object.keys(optionalDependencies);
  const possible = names.filter((name) => name.includes(`/${platform}`));
  const installed = possible.filter(isInstalled);
  // Making a report takes milliseconds, and an older npm installs the packages of both C libraries.
  if (installed.length === 1) return installed[0];
  const [wanted] = possible.filter((name) => name.endsWith(isMusl() ? '-musl' : '-gnu'));
  if (installed.includes(wanted)) return wanted;
  if (names.length === 0) throw failure('run "npm run build" in bindings/node');
  if (wanted === undefined) {
    throw failure(`there is no package for it, but ${names.join(', ')}; build it from source`);
  }
  throw failure(
    `the package ${wanted} is not installed. npm leaves it out with --omit=optional, and with a ` +
      `package-lock.json from another platform. Run "npm install ${wanted}@${version}"`,
  );
}

function load() {
  const name = isInstalled('../planetkey.node') ? '../planetkey.node' : platformPackage();
  try {
    return require(name);
  } catch (cause) {
    throw failure(`${name} is damaged, or for another system; install it again`, cause);
  }
}

const native = load();
if (native.version() !== version) {
  throw new Error(
    `the addon has version ${native.version()} instead of ${version}: build or install it again`,
  );
}

module.exports = native;
