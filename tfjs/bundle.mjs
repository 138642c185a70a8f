// Bundles TensorFlow.js into OUT/tfjs, so that an install needs none of its packages: they hold each build a dozen times
// (292 MB). `types: false` leaves the declarations out.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const here = dirname(fileURLToPath(import.meta.url));
const modules = resolve(here, '../node_modules');

export async function bundleTensorflowJs(out, { types = true } = {}) {
  const target = join(out, 'tfjs');
  rmSync(target, { recursive: true, force: true });
  const bundle = await rolldown({
    input: { index: join(here, 'index.ts'), wasm: '@tensorflow/tfjs-backend-wasm' },
    cwd: dirname(here),
    platform: 'node',
    // Node has `fetch` itself.
    external: ['node-fetch'],
    resolve: { mainFields: ['module', 'main'] },
    tsconfig: false,
    // The WASM backend looks for its binaries there.
    transform: { define: { __dirname: 'import.meta.dirname', __filename: 'import.meta.filename' } },
  });
  const { output } = await bundle.write({
    dir: target,
    format: 'esm',
    entryFileNames: '[name].mjs',
    chunkFileNames: '[name].mjs',
    codeSplitting: { groups: [{ name: 'core', test: /tfjs-(core|backend-cpu)/ }] },
    comments: { legal: true, annotation: false, jsdoc: false },
  });
  const wasm = join(modules, '@tensorflow/tfjs-backend-wasm/dist');
  for (const name of ['tfjs-backend-wasm.wasm', 'tfjs-backend-wasm-simd.wasm'])
    copyFileSync(join(wasm, name), join(target, name));
  const files = output.flatMap(({ moduleIds = [] }) => moduleIds);
  writeFileSync(join(target, 'LICENSES.txt'), licences(files));
  if (types) await copyTypes(target);
}

/** Name, version and licence text of each package in the bundle. */
function licences(files) {
  const names = files
    .filter((file) => file.startsWith(modules))
    .map((file) => /^(@[^/]+\/)?[^/]+/.exec(relative(modules, file).replaceAll('\\', '/'))[0]);
  return [...new Set(names)]
    .sort()
    .map((name) => {
      const { version, license } = JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8'));
      return `${name} ${version}: ${license}\n\n${licenceText(join(modules, name), license)}`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}

function licenceText(folder, license) {
  if (existsSync(join(folder, 'LICENSE'))) return readFileSync(join(folder, 'LICENSE'), 'utf8');
  const [, section] = /^LICENSE[^\n]*\n-+\n([\s\S]+)/m.exec(readFileSync(join(folder, 'README.md'), 'utf8')) ?? [];
  if (section) return section;
  const mit = license.endsWith('MIT') ? ` Files that say so: MIT licence.\n\n${MIT}` : '\n';
  if (license.startsWith('Apache-2.0')) return `The text is in the file LICENSE of tailmix.${mit}`;
  throw new Error(`${folder}: no licence text found`);
}

/** As in https://opensource.org/licenses/MIT, which those files name. */
const MIT = `Copyright 2018 Google LLC

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE,
ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`;

/** Copies the declarations that the entry reaches; those of the packages are CommonJS, without extensions. */
async function copyTypes(target) {
  const { default: ts } = await import('typescript');
  const entry = join(here, 'index.ts');
  const program = ts.createProgram([entry], {
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    types: [],
    noLib: true,
  });
  const scope = join(modules, '@tensorflow/');
  const inScope = (text, prefix) =>
    text.replace(/(['"])@tensorflow\/(tfjs-[a-z-]+)(\/[^'"]*)?\1/g, (_, quote, name, path = '/dist/index') => {
      return `${quote}${prefix}${name}${path}${prefix === './types/' ? '.js' : ''}${quote}`;
    });
  for (const { fileName, text } of program.getSourceFiles()) {
    const file = resolve(fileName);
    if (!file.startsWith(scope)) continue;
    const copy = join(target, 'types', relative(scope, file));
    mkdirSync(dirname(copy), { recursive: true });
    const up = `${relative(dirname(copy), join(target, 'types')).replaceAll('\\', '/')}/`;
    // They name types of browsers, and of packages that are not installed.
    const own = text.replace(/^\/\/\/ <reference types=.*\n/gm, '');
    writeFileSync(copy, `// @ts-nocheck\n${inScope(own, up)}`);
  }
  writeFileSync(join(target, 'types/package.json'), '{ "type": "commonjs" }\n');
  writeFileSync(join(target, 'index.d.mts'), inScope(readFileSync(entry, 'utf8'), './types/'));
}
