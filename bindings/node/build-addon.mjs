// Builds the addon and puts it beside index.cjs: `node build-addon.mjs [release|dist]`.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const profile = process.argv[2] ?? 'release';
const here = import.meta.dirname;
const cargo = (...args) => execFileSync('cargo', args, { cwd: here, stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 });

const { target_directory, workspace_root } = JSON.parse(cargo('metadata', '--no-deps', '--format-version', '1'));
const options = [];
if (profile === 'dist') {
  // What is handed on does not tell where it was built.
  const remap = { [process.env.CARGO_HOME ?? join(homedir(), '.cargo')]: 'cargo', [workspace_root]: 'planetkey' };
  const flags = Object.entries(remap).map(([from, to]) => `--remap-path-prefix=${from}=${to}`);
  options.push('--config', `build.rustflags=${JSON.stringify(flags)}`);
}
cargo('build', '--package', 'planetkey-node', '--profile', profile, ...options);

const library = { darwin: 'libplanetkey_node.dylib', win32: 'planetkey_node.dll' }[process.platform] ?? 'libplanetkey_node.so';
// Renamed into place, because a process may have the old one mapped.
copyFileSync(join(target_directory, profile, library), join(here, 'planetkey.node.new'));
renameSync(join(here, 'planetkey.node.new'), join(here, 'planetkey.node'));

// npm packs only what lies in the package's own directory.
if (profile === 'dist') {
  for (const licence of ['LICENSE-APACHE', 'LICENSE-MIT']) {
    if (existsSync(join(workspace_root, licence))) copyFileSync(join(workspace_root, licence), join(here, licence));
  }
}
