import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { expectReadable } from '../../src/tracking/written-by.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

test('a run of a later version is refused by name; of an earlier one, or without a version, it is read', async () => {
  const folder = await temporaryFolder();
  const file = join(folder, 'subset.json');
  await expectReadable(folder, '0.1.0');
  for (const text of [
    '{ "dataset": "a" }',
    'cut {',
    '{ "tailmix": "0.0.9" }',
    '{ "tailmix": "0.1.7" }',
    '{"tailmix":"x"}',
  ]) {
    await writeFile(file, text);
    await expectReadable(folder, '0.1.0');
  }
  await writeFile(file, '{ "tailmix": "1.9.0" }');
  await expectReadable(folder, '2.0.0');
  expect(await messageOfError(() => expectReadable(folder, '1.8.3'), folder)).toMatchInlineSnapshot(
    `"…: expected a run of tailmix 1.8.3 or earlier; tailmix 1.9.0 wrote it. Update tailmix."`,
  );
  await writeFile(file, '{ "tailmix": "0.2.0" }');
  expect(await messageOfError(() => expectReadable(folder, '0.1.0'), folder)).toContain('tailmix 0.2.0 wrote it');
});
