// The package as users install it.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { against, needsOthers, readmeExamples } from './readme.mjs';
import { Simulator } from './simulator.mjs';

const root = join(import.meta.dirname, '..');
const directory = mkdtempSync(join(tmpdir(), 'planetkey-package-'));
const run = (program, args, options) => execFileSync(program, args, { encoding: 'utf8', ...options });
const node = (file, env) => run(process.execPath, [join(directory, file)], { cwd: directory, env: { ...process.env, ...env } });

const ADAPTERS = ['axios', 'maplibre', 'undici'];

let simulator;
let files;
before(async () => {
  simulator = await Simulator.start();
  // As `prepack` leaves it: the addon has no debugging information, which would take long to pack.
  const source = join(directory, 'source');
  cpSync(root, source, { recursive: true, filter: (file) => basename(file) !== 'node_modules' });
  run(process.env.STRIP ?? 'strip', ['--strip-all', join(source, 'planetkey.node')]);
  const [{ filename, files: packed }] = JSON.parse(run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', directory], { cwd: source }));
  files = packed.map(({ path }) => path);
  mkdirSync(join(directory, 'node_modules/planetkey'), { recursive: true });
  run('tar', ['-xzf', join(directory, filename), '-C', join(directory, 'node_modules/planetkey'), '--strip-components=1']);
});
after(async () => {
  rmSync(directory, { recursive: true });
  await simulator.stop();
});

test('the package contains what it needs and nothing else', () => {
  const parts = [
    'arguments', 'callee', 'errors', 'event-loop', 'fetch', 'functions', 'login', 'native', 'nearest', 'own', 'prompts', 'provider', 'registry', 'requests',
    'session', 'storage', 'thrown', 'waiting',
  ];
  const library = parts.map((name) => `lib/${name}.cjs`);
  const adapters = ADAPTERS.flatMap((name) => ['cjs', 'd.mts', 'd.ts', 'mjs'].map((kind) => `adapters/${name}.${kind}`));
  const examples = ['axios', 'fetch', 'log_in', 'maplibre', 'undici'].map((name) => `examples/${name}.mjs`);
  const expected = ['README.md', 'index.cjs', 'index.d.mts', 'index.d.ts', 'index.mjs', ...adapters, ...examples, ...library, 'package.json', 'planetkey.node'];
  assert.deepEqual(files.filter((file) => !file.startsWith('LICENSE-')).sort(), expected.sort());
});

test('an old Node is told which one is needed', () => {
  writeFileSync(join(directory, 'old.cjs'), `
    Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.4' } });
    Object.defineProperty(process, 'version', { value: 'v18.20.4' });
    try {
      require('planetkey');
    } catch (error) {
      console.log(error.message);
    }
  `);
  assert.equal(node('old.cjs').trim(), 'planetkey needs Node 20 or later, and this is v18.20.4');
});

test('require and import give the same classes', () => {
  writeFileSync(join(directory, 'both.mjs'), `
    import { createRequire } from 'node:module';
    import * as named from 'planetkey';
    import planetkey from 'planetkey';
    const required = createRequire(import.meta.url)('planetkey');
    console.log(Object.keys(required).sort().join());
    console.log(Object.keys(named).sort().join());
    console.log(Object.keys(required).every((name) => named[name] === required[name] && planetkey[name] === required[name]));
    for (const adapter of ${JSON.stringify(ADAPTERS)}) {
      const [imported, again] = [await import('planetkey/' + adapter), createRequire(import.meta.url)('planetkey/' + adapter)];
      console.log(Object.keys(again).sort().join(), Object.keys(again).every((name) => imported[name] === again[name]));
    }
  `);
  const names = ['Authorization', 'ErrorNumber', 'PlanetkeyError', 'Session', 'redactUrl', 'stripApiKey', 'version'];
  const adapters = 'installAxios true\ntransformRequest,transformRequestSync true\nauthInterceptor true\n';
  assert.equal(node('both.mjs'), `${names.join()}\n${[...names, 'default'].sort().join()}\ntrue\n${adapters}`);
});

test('i10_30_the_adapters_have_types_under_node10_resolution', () => {
  writeFileSync(join(directory, 'adapters.ts'), readFileSync(join(root, 'test/types/adapters.cts')));
  const options = { strict: true, noEmit: true, target: 'es2022', module: 'commonjs', moduleResolution: 'node10', types: ['node'] };
  const typeRoots = [join(root, 'node_modules/@types')];
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...options, typeRoots }, files: ['adapters.ts'] }));
  run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '--project', directory], { cwd: directory });
});

test('the versions agree', () => {
  const required = createRequire(join(directory, 'x.cjs'));
  assert.equal(required('planetkey').version, required('planetkey/package.json').version);
  const cargo = readFileSync(join(root, '../../Cargo.toml'), 'utf8');
  assert.equal(required('planetkey').version, cargo.match(/\[workspace\.package\]\nversion = "(.*)"/)[1]);
});

test('the lock file names no host', () => {
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  assert.doesNotMatch(lock, /"resolved"|:\/\//);
});

test('the README\'s examples run as printed', { timeout: 60_000 }, async ({ signal }) => {
  const examples = readmeExamples().filter((program) => !needsOthers(program));
  const [example] = examples.splice(1, 1);
  await login(example, signal);
  const outputs = ['200\n200\n', "[ 'url', 'headers' ] [ 'url' ]\n", 'Bearer\ntrue\n', 'Bearer\n'];
  assert.equal(examples.length, outputs.length);
  for (const [index, program] of examples.entries()) {
    writeFileSync(join(directory, 'example.mjs'), against(simulator, program));
    assert.equal(node('example.mjs', simulator.variables), outputs[index]);
  }
});

/** The example of a login, with a user at the terminal who enters the code. */
async function login(program, signal) {
  writeFileSync(join(directory, 'login.mjs'), program.replace("('planet-user'", "('planet-user', { allowInsecureLoopback: true }"));
  const child = spawn(process.execPath, [join(directory, 'login.mjs')], { env: simulator.variables, stdio: 'pipe', signal });
  let errors = '';
  let approved;
  child.stderr.setEncoding('utf8').on('data', (part) => {
    errors += part;
    const code = errors.match(/shows the code ([\w-]+)/)?.[1];
    if (code !== undefined) approved ??= simulator.approve(code, { username: 'ada' });
  });
  const [output, [exit]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  await approved;
  assert.deepEqual([exit, output], [0, '']);
  assert.match(errors, /##\s+##/);
  assert.match(errors, /null \[ 'planet', 'offline_access' \]\n$/);
}
