import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { defaults, registry } from '../../plugins/index.ts';

it('lists every plugin folder under its name', async () => {
  const folders = readdirSync('plugins', { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(Object.keys(registry)).toEqual(folders.map(({ name }) => name).sort());
  for (const [name, load] of Object.entries(registry)) expect((await load()).default.definition.name).toBe(name);
});

it('runs only listed plugins unasked', () => {
  for (const entry of defaults) expect(registry).toHaveProperty('use' in entry ? String(entry.use) : '');
});

it('has a test file for every plugin; those that fine-tune share one', () => {
  const shared = readFileSync('test/models/tuning.test.ts', 'utf8');
  const isTested = (name: string): boolean =>
    existsSync(`test/plugins/${name}.test.ts`) || shared.includes(`'../../plugins/${name}/index.ts'`);
  expect(Object.keys(registry).filter((name) => !isTested(name))).toEqual([]);
});
