import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const sourcesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.m?[jt]s$/.test(name) && !name.includes('node_modules'))
    .map((name) => join(folder, name));

const rooms = ['src', 'plugins', 'examples', 'test', 'bench', 'bin'].flatMap(sourcesOf);

/** Lines of doc comments with a tag, as `file: line`. */
const tagged = (tag: string): string[] =>
  rooms.flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => /^\s*(\/\*\*|\*) /.test(line) && new RegExp(`\\s@${tag}\\b`).test(line))
      .map((line) => `${file}: ${line.trim()}`),
  );

test('a parameter is documented as `@param name - text`, at the beginning of a line', () => {
  const found = tagged('param');
  expect(found.length).toBeGreaterThan(150);
  // In JavaScript, `@param {type} name`.
  const form = /^\S+: (\/\*\*|\*) @param (\{.+?\} )?\[?[\w.]+\]?( - \S|$)/;
  expect(found.filter((line) => !form.test(line))).toEqual([]);
});

test('an error is documented as `@throws {Class} CODE`, at the beginning of a line, and there is such a code', () => {
  const found = tagged('throws');
  expect(found.length).toBeGreaterThan(100);
  const form = /^\S+: (\/\*\*|\*) @throws \{([A-Z]\w*Error|Error|z\.ZodError)\}( \S|$)/;
  expect(found.filter((line) => !form.test(line))).toEqual([]);
  const texts = sourcesOf('src')
    .concat(sourcesOf('plugins'))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  const codes = new Set(texts.match(/(?<=['`])[A-Z]+(_[A-Z]+)*(?=['`])/g));
  const named = found.flatMap((line) => [...line.matchAll(/(?<!\w|`)[A-Z]{2,}(_[A-Z]+)+(?![\w`…])/g)]);
  expect(named.length).toBeGreaterThan(90);
  expect(named.map(([code]) => code).filter((code) => !codes.has(code))).toEqual([]);
});
