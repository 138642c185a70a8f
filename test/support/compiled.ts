import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Plugin, ViteUserConfig } from 'vitest/config';

const root = resolve(import.meta.dirname, '../..');

const conditions = ['tailmix-source'];

/** Tests of the sources as they are: vitest compiles each file that a test imports. */
export const plainSources: ViteUserConfig = { resolve: { conditions }, ssr: { resolve: { conditions } } };

/**
 * Gives tests the compiled sources: what a test imports from `src/` or `plugins/` comes from `dist/`, and Node reads it by
 * itself. So the sources are compiled once and not again for each test file.
 */
export const compiledSources: Plugin = {
  name: 'compiled-sources',
  enforce: 'pre',
  async resolveId(id, importer, options) {
    if (importer === undefined || !id.startsWith('.')) return null;
    const found = await this.resolve(id, importer, { ...options, skipSelf: true });
    if (found === null || found.external) return found;
    const path = relative(root, found.id);
    return /^(src|plugins)\/.*\.ts$/.test(path) ? join(root, 'dist', path.replace(/\.ts$/, '.js')) : found;
  },
};

/** Test files that replace modules of the sources or of Node: the sources have to be vitest's own modules for that. */
export const mocking = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter(
    (file) => file.endsWith('.test.ts') && /\bvi\.(mock|doMock)\(/.test(readFileSync(join(root, 'test', file), 'utf8')),
  )
  .map((file) => `test/${file}`);
