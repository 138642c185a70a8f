import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import process from 'node:process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const names = readdirSync('plugins', { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

test('from source, tailmix/plugins/NAME is the plugin that the registry loads', async () => {
  const loaded = names.map(async (name) => {
    const [public_, own] = await Promise.all([
      import(`tailmix/plugins/${name}`),
      import(`../../plugins/${name}/index.ts`),
    ]);
    return public_ === own && own.default.definition.name;
  });
  expect(await Promise.all(loaded)).toEqual(names);
});

test('from the build, as Node resolves it', async () => {
  const script = `
    const names = ${JSON.stringify(names)};
    const load = async (name) => {
      const [public_, own] = [await import('tailmix/plugins/' + name), await import('./dist/plugins/' + name + '/index.js')];
      return public_ === own && own.default.definition.name;
    };
    console.log(JSON.stringify(await Promise.all(names.map(load))));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  expect(JSON.parse(stdout)).toEqual(names);
});
