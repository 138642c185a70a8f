import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { makeFolder } from '#make-folder';
import { inUseFolder, markInUse } from '../../src/backend/in-use.ts';
import { temporaryFolder } from '../support/temporary.ts';

let look = (): void => {};
let see = (_: 'here'): void => {};
const looking = new Promise<void>((resolve) => (look = resolve));
const seen = new Promise<'here'>((resolve) => (see = resolve));
vi.mock(import('../../src/util/process-identity.ts'), async (original) => ({
  ...(await original()),
  whereaboutsOf: () => {
    look();
    return seen;
  },
}));

test('what is marked while the first mark is being written is protected too', async () => {
  const root = await temporaryFolder();
  const folder = inUseFolder(root);
  await makeFolder(folder);
  await writeFile(join(folder, 'other.json'), JSON.stringify({ host: 'x', space: null, pid: 1, paths: [] }));
  const first = markInUse(join(root, 'a'), root);
  // The first mark looks for processes that have ended before it is written.
  await looking;
  const second = markInUse(join(root, 'b'), root);
  await Promise.race([second, delay(500)]);
  see('here');
  await Promise.all([first, second]);
  const [name] = (await readdir(folder)).filter((file) => file !== 'other.json');
  expect(JSON.parse(await readFile(join(folder, name!), 'utf8')).paths).toEqual([join(root, 'a'), join(root, 'b')]);
});
