// Builds the addon and copies it beside index.cjs: `node build-addon.mjs [dist]`. For a package
// (`dist`) it contains no debugging information.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';

const packed = process.argv[2] === 'dist';
const here = import.meta.dirname;
const cargo = (...args) => execFileSync('cargo', args, { cwd: here, stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 });

const { target_directory, workspace_root } = JSON.parse(cargo('metadata', '--no-deps', '--format-version', '1'));
cargo('build', '--locked', '--package', 'planetkey-node', '--release');

const library = { darwin: 'libplanetkey_node.dylib', win32: 'planetkey_node.dll' }[process.platform] ?? 'libplanetkey_node.so';
// Renamed, because a process may have mapped the old file.
copyFileSync(join(target_directory, 'release', library), join(here, 'planetkey.node.new'));
if (packed && process.platform !== 'win32') {
  const what = process.platform === 'darwin' ? '-x' : '--strip-all';
  execFileSync(process.env.STRIP ?? 'strip', [what, join(here, 'planetkey.node.new')], { stdio: 'inherit' });
}
renameSync(join(here, 'planetkey.node.new'), join(here, 'planetkey.node'));

// npm packs only files of the package's own directory.
if (packed) {
  for (const licence of ['LICENSE-APACHE', 'LICENSE-MIT']) {
    if (existsSync(join(workspace_root, licence))) copyFileSync(join(workspace_root, licence), join(here, licence));
  }
}
