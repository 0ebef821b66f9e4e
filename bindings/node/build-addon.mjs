// Builds the addon and puts it beside index.cjs: `node build-addon.mjs [release|dist]`.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';

const profile = process.argv[2] ?? 'release';
const here = import.meta.dirname;
const env = { ...process.env };
const cargo = (...args) => execFileSync('cargo', args, { cwd: here, env, stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 });

const { target_directory, workspace_root } = JSON.parse(cargo('metadata', '--no-deps', '--format-version', '1'));
if (profile === 'dist') env.RUSTFLAGS = execFileSync(join(workspace_root, 'ffi', 'path-flags'), { encoding: 'utf8' }).trim();
cargo('build', '--locked', '--package', 'planetkey-node', '--profile', profile);

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
