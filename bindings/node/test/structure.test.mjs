// The files of this package import each other in no cycle, and lib/ imports no adapter.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');

/** The files of this package that each file requires: `{ 'lib/a.cjs': ['lib/b.cjs'] }`. */
function imports() {
  const files = ['lib', 'adapters'].flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(folder, name)));
  const read = (file) => {
    const required = readFileSync(join(root, file), 'utf8').matchAll(/require\('(\.[^']*\.cjs)'\)/g);
    return [...required].map(([, path]) => relative(root, join(root, dirname(file), path)));
  };
  return Object.fromEntries(files.filter((file) => file.endsWith('.cjs')).map((file) => [file, read(file)]));
}

/** The first cycle as a list of files that starts and ends with the same one; null without one. */
function cycle(graph) {
  const finished = new Set();
  const visit = (file, path) => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (finished.has(file)) return null;
    for (const next of graph[file]) {
      const found = visit(next, [...path, file]);
      if (found !== null) return found;
    }
    finished.add(file);
    return null;
  };
  for (const file of Object.keys(graph)) {
    const found = visit(file, []);
    if (found !== null) return found;
  }
  return null;
}

test('a cycle is found', () => {
  assert.deepEqual(cycle({ a: ['b'], b: ['c'], c: ['b'] }), ['b', 'c', 'b']);
  assert.equal(cycle({ a: ['b', 'c'], b: ['c'], c: [] }), null);
});

test('files import each other in no cycle', () => {
  const graph = imports();
  assert.ok(graph['lib/session.cjs'].includes('lib/errors.cjs'));
  assert.equal(cycle(graph), null);
});

test('lib imports no adapter', () => {
  const upward = Object.entries(imports()).filter(
    ([file, required]) => file.startsWith('lib/') && required.some((path) => !path.startsWith('lib/')),
  );
  assert.deepEqual(upward, []);
});
